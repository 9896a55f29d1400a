package main

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// ownFile is the file that this program was started from.
type ownFile struct {
	file    *os.File
	trailer trailer
}

// openOwn opens it: by the system's knowledge of it, or where that is not to be had (no /proc),
// by the name that it was called by. The first that has a trailer is it.
func openOwn() (*ownFile, error) {
	var first error
	for _, path := range ownPaths() {
		own, err := openTrailer(path)
		if err == nil {
			return own, nil
		}
		if first == nil || (errors.Is(first, os.ErrNotExist) && !errors.Is(err, os.ErrNotExist)) {
			first = err
		}
	}
	if first == nil {
		first = errors.New("the file of this program is not to be found; start it by its whole path")
	}
	return nil, first
}

func ownPaths() []string {
	var paths []string
	if runtime.GOOS == "linux" {
		paths = append(paths, "/proc/self/exe") // also right when the file was replaced meanwhile
	}
	if path, err := os.Executable(); err == nil {
		paths = append(paths, path)
	}
	if len(os.Args) == 0 || os.Args[0] == "" {
		return paths
	}
	if strings.ContainsRune(os.Args[0], os.PathSeparator) {
		return append(paths, os.Args[0])
	}
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		if folder == "" {
			folder = "."
		}
		path := filepath.Join(folder, os.Args[0])
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			paths = append(paths, path)
		}
	}
	return paths
}

func openTrailer(path string) (*ownFile, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	own := &ownFile{file: file}
	if err = own.readTrailer(); err != nil {
		file.Close()
		return nil, err
	}
	return own, nil
}

func (own *ownFile) readTrailer() error {
	info, err := own.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < trailerSize {
		return errNoTrailer
	}
	data := make([]byte, trailerSize)
	if _, err = own.file.ReadAt(data, info.Size()-trailerSize); err != nil {
		return err
	}
	own.trailer, err = parseTrailer(data, info.Size())
	return err
}

// capabilities returns the answer that was packed.
func (own *ownFile) capabilities() ([]byte, error) {
	data := make([]byte, own.trailer.capabilitiesSize)
	if _, err := own.file.ReadAt(data, own.trailer.launcherSize); err != nil {
		return nil, err
	}
	if sha256.Sum256(data) != own.trailer.capabilitiesSum {
		return nil, errors.New("the answer to capabilities in this file was changed")
	}
	return data, nil
}
