package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxPath  = 1024
	maxDepth = 64
)

// problemOf says why a path can't be one of a file below our folder on every system; "" if it can.
func problemOf(path string) string {
	switch {
	case path == "" || len(path) > 4*maxPath || !utf8.ValidString(path):
		return "is empty, too long, or not UTF-8"
	case strings.IndexFunc(path, func(char rune) bool { return !unicode.IsPrint(char) }) >= 0:
		return "has unprintable characters"
	case strings.ContainsAny(path, `\:*?"<>|`):
		return "has a character that is special to some file systems"
	}
	parts := strings.Split(path, "/")
	if len(parts) > maxDepth {
		return "is too deep"
	}
	for _, part := range parts {
		if part == "" || part == "." || part == ".." {
			return "is absolute, or has an empty part, . or .."
		}
	}
	return ""
}

// leadsTo returns the path inside that a link leads to; "" if it leads anywhere else. Up comes
// first: "../../lib/x" is one, "lib/../x" is none, for "lib" may be a link itself.
func leadsTo(link, target string) string {
	folder := strings.Split(link, "/")
	folder = folder[:len(folder)-1]
	rest := strings.Split(target, "/")
	for len(rest) > 0 && rest[0] == ".." {
		if len(folder) == 0 {
			return ""
		}
		folder, rest = folder[:len(folder)-1], rest[1:]
	}
	if len(rest) == 0 || problemOf(strings.Join(rest, "/")) != "" {
		return ""
	}
	return strings.Join(append(append([]string{}, folder...), rest...), "/")
}
