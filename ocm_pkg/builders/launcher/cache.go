package main

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A folder of the cache is named by the payload's digest and has:
//
//	list     the digest, and what is in content: "f SIZE PATH", "l TARGET PATH", with tabs, and
//	         "x SIZE PATH" for the program
//	content  the payload, unpacked
const (
	listName    = "list"
	contentName = "content"
	stagedName  = ".new-"
	asideName   = ".old-"
)

// cacheFolders returns where the payload may be kept, best first.
func cacheFolders() []string {
	var folders []string
	if cache := userCache(); cache != "" {
		folders = append(folders, filepath.Join(cache, "ocm-pkg", "launcher"))
	}
	private := "ocm-pkg-" + strconv.Itoa(os.Geteuid())
	return append(folders, filepath.Join(os.TempDir(), private, "launcher"))
}

// prepare returns the path of the program, unpacked below base: now, or at an earlier start.
func prepare(base string, own *ownFile) (string, error) {
	digest := hex.EncodeToString(own.trailer.payloadSum[:])
	folder := filepath.Join(base, digest)
	program := filepath.Join(folder, contentName, filepath.FromSlash(own.trailer.program))
	if err := makePrivate(base); err != nil {
		return "", err
	}
	if isIntact(folder, digest) {
		return program, nil
	}
	unlock, alone, err := lock(filepath.Join(base, digest+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if isIntact(folder, digest) {
		return program, nil // another process was faster
	}
	if alone {
		removeLeft(base, digest)
	}
	if err := renew(base, folder, digest, own); err != nil {
		return "", err
	}
	return program, nil
}

// makePrivate makes base, or checks that nobody else can write there.
func makePrivate(base string) error {
	parent := filepath.Dir(base)
	home := filepath.Dir(parent)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(home)
	if err != nil {
		return err
	}
	if !isSafeHome(info) {
		return fmt.Errorf("%s can be written to by others", home)
	}
	for _, folder := range []string{parent, base} {
		if err = os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if info, err = os.Lstat(folder); err != nil {
			return err
		}
		if !info.IsDir() || !isOurs(info) || (folder == parent && isWritableByOthers(info)) {
			return fmt.Errorf("%s is not a folder of this user alone", folder)
		}
	}
	if !isPrivate(info) {
		return os.Chmod(base, 0o700)
	}
	return nil
}

// isIntact says whether folder is as it was left: private, and every file untouched.
func isIntact(folder, digest string) bool {
	info, err := os.Lstat(folder)
	if err != nil || !info.IsDir() || !isOurs(info) || !isPrivate(info) {
		return false
	}
	file, err := os.Open(filepath.Join(folder, listName))
	if err != nil {
		return false
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 16*1024), 16*maxPath)
	if !lines.Scan() || lines.Text() != digest {
		return false
	}
	content := filepath.Join(folder, contentName)
	for lines.Scan() {
		if !isUntouched(content, strings.SplitN(lines.Text(), "\t", 3)) {
			return false
		}
	}
	return lines.Err() == nil
}

func isUntouched(content string, parts []string) bool {
	if len(parts) != 3 {
		return false
	}
	path := filepath.Join(content, filepath.FromSlash(parts[2]))
	if parts[0] == "l" {
		target, err := os.Readlink(path)
		return err == nil && filepath.ToSlash(target) == parts[1]
	}
	info, err := os.Lstat(path)
	if err != nil || (parts[0] == "x" && !isRunnable(info)) {
		return false
	}
	return info.Mode().IsRegular() && isOurs(info) && !isWritableByOthers(info) &&
		strconv.FormatInt(info.Size(), 10) == parts[1] && info.ModTime().Equal(unpackedTime)
}

// renew unpacks into a sibling of folder and gives that its name; what was there is removed.
func renew(base, folder, digest string, own *ownFile) error {
	staged, err := os.MkdirTemp(base, stagedName+digest[:16]+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(staged)
	content := filepath.Join(staged, contentName)
	if err = os.Mkdir(content, 0o755); err != nil {
		return err
	}
	list, err := unpack(own, content)
	if err != nil {
		return err
	}
	if err = os.WriteFile(filepath.Join(staged, listName), []byte(digest+"\n"+list), 0o600); err != nil {
		return err
	}
	if err = os.Rename(staged, folder); err == nil || isIntact(folder, digest) {
		return nil
	}
	aside, failed := os.MkdirTemp(base, asideName+digest[:16]+"-")
	if failed != nil {
		return failed
	}
	defer os.RemoveAll(aside)
	if err = os.Rename(folder, filepath.Join(aside, contentName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err = os.Rename(staged, folder); err == nil || isIntact(folder, digest) {
		return nil
	}
	return err
}

// removeLeft removes what processes that were killed have left of this payload.
func removeLeft(base, digest string) {
	for _, name := range []string{stagedName, asideName} {
		left, _ := filepath.Glob(filepath.Join(escapePattern(base), name+digest[:16]+"-*"))
		for _, path := range left {
			os.RemoveAll(path)
		}
	}
}

func escapePattern(path string) string {
	if os.PathSeparator == '\\' {
		return path // a backslash is no escape there, and brackets only hide what is left
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
