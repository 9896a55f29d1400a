//go:build !windows

package contract

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	hasSockets    = true
	longestChosen = 100
)

// listenSocket listens on a socket that its user alone can open. A path that is there already is
// somebody else's, and is left alone.
func listenSocket(path string) (net.Listener, error) {
	if !filepath.IsAbs(path) || strings.ContainsAny(path, "\x00\n") {
		return nil, fmt.Errorf("the socket path %.120q is not absolute", path)
	}
	if len(path) > longestAddress {
		return nil, fmt.Errorf("the socket path %.120q has %d bytes, %d are the most", path, len(path), longestAddress)
	}
	mask := syscall.Umask(0o177)
	defer syscall.Umask(mask)
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: its folder must exist, and it must not: %w", path, err)
	}
	return listener, nil
}

// privateSocket makes a folder for a socket in the first folder that fits.
func privateSocket() (path string, remove func(), err error) {
	random := make([]byte, 6)
	if _, err := rand.Read(random); err != nil {
		return "", nil, err
	}
	for _, parent := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.Getenv("TMPDIR"), "/tmp"} {
		folder := filepath.Join(parent, "ocm-"+hex.EncodeToString(random))
		path := filepath.Join(folder, "plugin.sock")
		if !filepath.IsAbs(path) || len(path) > longestChosen {
			continue
		}
		if os.Mkdir(folder, 0o700) == nil {
			return path, func() { os.Remove(folder) }, nil
		}
	}
	return "", nil, errors.New("cannot make a folder for the socket: set TMPDIR to a short path that can be written to")
}
