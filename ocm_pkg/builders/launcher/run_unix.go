//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const lockTimeout = 60 * time.Second

// become replaces this process by the program: the same pid, arguments and environment.
func become(program string, args []string) error {
	rest := []string{}
	if len(args) > 1 {
		rest = args[1:]
	}
	err := syscall.Exec(program, append([]string{program}, rest...), os.Environ())
	if errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("%s may not be run: if its file system is mounted noexec, set XDG_CACHE_HOME", program)
	}
	return fmt.Errorf("running %s: %w", program, err)
}

// userCache returns the user's folder for caches; "" if there is none that is the user's own.
func userCache() string {
	if folder := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(folder) {
		return folder
	}
	home := os.Getenv("HOME")
	if info, err := os.Stat(home); err != nil || !filepath.IsAbs(home) || !isOurs(info) {
		return ""
	}
	return filepath.Join(home, ".cache")
}

func isOurs(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

func isPrivate(info os.FileInfo) bool { return info.Mode().Perm() == 0o700 }

func isWritableByOthers(info os.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

func isRunnable(info os.FileInfo) bool { return info.Mode().Perm()&0o100 != 0 }

// isSafeHome says whether nobody else can rename what is in this folder.
func isSafeHome(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	byOthers := info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0
	return ok && info.IsDir() && !byOthers && (isOurs(info) || stat.Uid == 0)
}

// lock keeps other first starts of the same payload waiting. Where a file system has no locks it
// is not alone, and renames alone keep the cache whole.
func lock(path string) (func(), bool, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, false, err
	}
	for deadline := time.Now().Add(lockTimeout); ; time.Sleep(10 * time.Millisecond) {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		busy := errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR)
		if !busy || time.Now().After(deadline) {
			return func() { file.Close() }, err == nil, nil
		}
	}
}
