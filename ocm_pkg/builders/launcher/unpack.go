package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Files get this time, so that one that was written to later shows it.
var unpackedTime = time.Unix(315532800, 0)

const (
	kindFile   = "file"
	kindFolder = "folder"
	kindLink   = "link"
)

// unpacker writes the entries of the payload below a folder that nobody else can write to.
type unpacker struct {
	root    string
	program string
	kinds   map[string]string
	targets map[string]string
	list    strings.Builder
}

// unpack writes the payload of own into the empty folder root and returns the list of what is in
// it. Nothing of it may be used after an error. Bounded by the sizes that the trailer states.
func unpack(own *ownFile, root string) (string, error) {
	t := own.trailer
	packed := io.NewSectionReader(own.file, t.payloadAt(), t.payloadSize)
	hash := sha256.New()
	hashed := &byteReader{source: io.TeeReader(packed, hash)}
	plain, err := gzip.NewReader(hashed)
	if err != nil {
		return "", damaged(err)
	}
	plain.Multistream(false)
	limited := &io.LimitedReader{R: plain, N: t.unpackedSize}
	u := &unpacker{root: root, program: t.program, kinds: map[string]string{}, targets: map[string]string{}}
	if err = u.all(tar.NewReader(limited)); err != nil {
		return "", err
	}
	if _, err = io.Copy(io.Discard, limited); err != nil {
		return "", damaged(err)
	}
	after, err := io.Copy(io.Discard, io.LimitReader(plain, 1))
	if err != nil || after != 0 {
		return "", damaged(errors.New("it is longer than it should be"))
	}
	rest, err := io.Copy(io.Discard, hashed)
	if err != nil || rest != 0 || !bytes.Equal(hash.Sum(nil), t.payloadSum[:]) {
		return "", damaged(errors.New("its digest is another"))
	}
	return u.list.String(), u.check()
}

func damaged(err error) error {
	return fmt.Errorf("the program in this file is damaged: %w", err)
}

func (u *unpacker) all(entries *tar.Reader) error {
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		if err = u.entry(header, entries); err != nil {
			return err
		}
	}
}

func (u *unpacker) entry(header *tar.Header, content io.Reader) error {
	path := header.Name
	if header.Typeflag == tar.TypeDir {
		path = strings.TrimSuffix(path, "/")
	}
	if problem := problemOf(path); problem != "" {
		return u.bad(header.Name, problem)
	}
	if u.kinds[path] != "" && (u.kinds[path] != kindFolder || header.Typeflag != tar.TypeDir) {
		return u.bad(path, "is there twice")
	}
	if index := strings.LastIndexByte(path, '/'); index > 0 {
		if err := u.folder(path[:index]); err != nil {
			return err
		}
	}
	place := filepath.Join(u.root, filepath.FromSlash(path))
	switch header.Typeflag {
	case tar.TypeDir:
		return u.folder(path)
	case tar.TypeReg:
		u.kinds[path] = kindFile
		return u.file(path, place, header.Size, content)
	case tar.TypeSymlink:
		u.kinds[path] = kindLink
		if leadsTo(path, header.Linkname) == "" {
			return u.bad(path, "is a link that leads out")
		}
		u.targets[path] = header.Linkname
		u.note("l", header.Linkname, path)
		return os.Symlink(filepath.FromSlash(header.Linkname), place)
	default:
		return u.bad(path, "is no file, folder or symbolic link")
	}
}

// folder makes a folder and its parents; none of them may be anything else in the archive.
func (u *unpacker) folder(path string) error {
	for end := 1; end <= len(path); end++ {
		if end < len(path) && path[end] != '/' {
			continue
		}
		part := path[:end]
		if kind := u.kinds[part]; kind == kindFolder {
			continue
		} else if kind != "" {
			return u.bad(part, "is a "+kind+" and a folder")
		}
		u.kinds[part] = kindFolder
		if err := os.Mkdir(filepath.Join(u.root, filepath.FromSlash(part)), 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) file(path, place string, size int64, content io.Reader) error {
	kind, mode := "f", os.FileMode(0o644)
	if path == u.program {
		kind, mode = "x", 0o755
	}
	file, err := os.OpenFile(place, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	written, err := io.Copy(file, content)
	var failed *os.PathError // of writing: reading the payload gives no such error
	if (err != nil && !errors.As(err, &failed)) || (err == nil && written != size) {
		err = damaged(io.ErrUnexpectedEOF)
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(place, mode)
	}
	if err == nil {
		err = os.Chtimes(place, unpackedTime, unpackedTime)
	}
	u.note(kind, strconv.FormatInt(size, 10), path)
	return err
}

func (u *unpacker) note(kind, what, path string) {
	u.list.WriteString(kind + "\t" + what + "\t" + path + "\n")
}

// check refuses links to nothing, links in a circle, and a payload without its program.
func (u *unpacker) check() error {
	for link := range u.targets {
		path := link
		for steps := 0; u.kinds[path] == kindLink; steps++ {
			if steps > len(u.targets) {
				return u.bad(link, "is a link that leads round in a circle")
			}
			path = leadsTo(path, u.targets[path])
		}
		if u.kinds[path] == "" {
			return u.bad(link, "is a link that leads to nothing")
		}
	}
	if u.kinds[u.program] != kindFile {
		return u.bad(u.program, "should be the program, and is not there")
	}
	return nil
}

func (u *unpacker) bad(path, problem string) error {
	return damaged(fmt.Errorf("%.200q %s", path, problem))
}

// byteReader gives single bytes, so that gzip reads no further than its own end.
type byteReader struct {
	source io.Reader
	buffer [64 * 1024]byte
	start  int
	end    int
}

func (b *byteReader) fill() error {
	for b.start == b.end {
		count, err := b.source.Read(b.buffer[:])
		b.start, b.end = 0, count
		if count == 0 && err != nil {
			return err
		}
	}
	return nil
}

func (b *byteReader) Read(out []byte) (int, error) {
	if err := b.fill(); err != nil {
		return 0, err
	}
	count := copy(out, b.buffer[b.start:b.end])
	b.start += count
	return count, nil
}

func (b *byteReader) ReadByte() (byte, error) {
	if err := b.fill(); err != nil {
		return 0, err
	}
	b.start++
	return b.buffer[b.start-1], nil
}
