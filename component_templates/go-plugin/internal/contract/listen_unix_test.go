//go:build !windows

package contract

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// short is a folder whose name leaves room for a socket's.
func short(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "t-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

func TestASocketIsItsUsersAlone(t *testing.T) {
	path := filepath.Join(short(t), "s")
	r := start(t, `{"id":"a","type":"unix","location":"`+path+`"}`)
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	r.stop()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Error("the socket is still there")
	}
}

func TestWithoutALocationTheFolderIsPrivateToo(t *testing.T) {
	parent := short(t)
	t.Setenv("XDG_RUNTIME_DIR", parent)
	r := start(t, `{"id":"a","type":"socket"}`)
	folders, err := os.ReadDir(parent)
	if err != nil || len(folders) != 1 {
		t.Fatal(folders, err)
	}
	if info, err := folders[0].Info(); err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info, err)
	}
	r.stop()
	if folders, err = os.ReadDir(parent); err != nil || len(folders) != 0 {
		t.Error(folders, err)
	}
}

func TestASocketThatCanNotBeIsRefused(t *testing.T) {
	taken := filepath.Join(short(t), "taken")
	if err := os.WriteFile(taken, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, expected := range map[string]string{
		taken:                               "cannot listen on",
		"relative":                          "not absolute",
		"/tmp/" + strings.Repeat("x", 200):  "107 are the most",
		filepath.Join(short(t), "no", "s"):  "its folder must exist",
		"/tmp/" + "a\nhttp://127.0.0.1:1/x": "not absolute",
	} {
		if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), expected) {
			t.Error(path, err)
		}
	}
	if data, err := os.ReadFile(taken); err != nil || string(data) != "mine" {
		t.Error("what was there was changed")
	}
}
