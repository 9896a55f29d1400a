// Launcher is the first part of a plugin in the shape "launcher": one file that answers
// "capabilities" by itself, and for anything else unpacks the program that it carries once, into
// a private cache, and becomes that program.
//
// The file is: this executable, the answer to "capabilities", a tar.gz with the program, and a
// trailer that says where each of them is (trailer.go).
package main

import (
	"os"
	"path/filepath"
)

func main() {
	own, err := openOwn()
	if err != nil {
		fail(err)
	}
	if len(os.Args) == 2 && os.Args[1] == "capabilities" && own.trailer.capabilitiesSize > 0 {
		answer, err := own.capabilities()
		if err == nil {
			_, err = os.Stdout.Write(answer)
		}
		if err != nil {
			fail(err)
		}
		return
	}
	fail(start(own))
}

// start runs the program from the first cache that can be used; it returns only if none can.
func start(own *ownFile) error {
	var first error
	for _, base := range cacheFolders() {
		program, err := prepare(base, own)
		if err == nil {
			err = become(program, os.Args)
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// fail says why on one line and ends with status 1.
func fail(err error) {
	name := "ocm-pkg launcher"
	if len(os.Args) > 0 && os.Args[0] != "" {
		name = filepath.Base(os.Args[0])
	}
	os.Stderr.WriteString(oneLine(name+": "+err.Error()) + "\n")
	os.Exit(1)
}

// oneLine makes a text with names from elsewhere fit for one line of a terminal.
func oneLine(text string) string {
	shown := []rune(text)
	for index, char := range shown {
		if char < ' ' || char == 0x7f || (char >= 0x80 && char < 0xa0) {
			shown[index] = '?'
		}
	}
	return string(shown)
}
