package main

import (
	"os"
	"path/filepath"
	"sync"
)

// contentFolder keeps content for callers, in a private folder that is there until the plugin ends.
type contentFolder struct {
	lock sync.Mutex
	path string
}

// keep returns the absolute path of a file of that name with data in it.
func (c *contentFolder) keep(name string, data []byte) (string, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.path == "" {
		temporary, err := filepath.Abs(os.TempDir())
		if err != nil {
			return "", err
		}
		if c.path, err = os.MkdirTemp(temporary, "greeter-"); err != nil {
			return "", err
		}
	}
	path := filepath.Join(c.path, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return "", err
	}
	return path, os.Rename(path+".new", path)
}

// remove removes the folder, if there is one.
func (c *contentFolder) remove() {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.path != "" {
		os.RemoveAll(c.path)
	}
}
