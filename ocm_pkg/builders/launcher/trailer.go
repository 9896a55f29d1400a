package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"unicode/utf8"
)

// The trailer is the last 416 bytes of the file. Numbers are little endian. The parts follow each
// other without a gap: launcher, capabilities, payload, trailer. ocm_pkg/model/trailer.py is the
// same in Python.
//
//	offset  bytes
//	     0     16  magic, "ocm-pkg launcher"
//	    16      4  version of this format, 1
//	    20      4  length of the program's path in bytes, 1 to 256
//	    24      8  offset of the answer to "capabilities": the size of the launcher
//	    32      8  its length; 0 if there is none, and the program is asked
//	    40      8  offset of the payload, a tar in gzip
//	    48      8  its length
//	    56      8  length of the tar once it is unpacked from gzip, at most
//	    64     32  SHA-256 of the answer to "capabilities"
//	    96     32  SHA-256 of the payload
//	   128    256  path of the program in the tar, UTF-8, the rest zeros
//	   384     32  SHA-256 of the 384 bytes before
const (
	trailerSize     = 416
	trailerMagic    = "ocm-pkg launcher"
	trailerVersion  = 1
	maxCapabilities = 8 << 20
	maxProgram      = 256
	programAt       = 128
	sumAt           = 384
)

type trailer struct {
	launcherSize     int64
	capabilitiesSize int64
	payloadSize      int64
	unpackedSize     int64
	capabilitiesSum  [sha256.Size]byte
	payloadSum       [sha256.Size]byte
	program          string
}

func (t trailer) payloadAt() int64 { return t.launcherSize + t.capabilitiesSize }

var (
	errNoTrailer = errors.New("this file has no program in it: it is cut off, or was never packed")
	errTrailer   = errors.New("the end of this file is damaged")
	errNewer     = errors.New("this file was packed in a newer format")
)

// parseTrailer reads the last bytes of a file of the given size.
func parseTrailer(data []byte, fileSize int64) (trailer, error) {
	var t trailer
	if len(data) != trailerSize || string(data[:16]) != trailerMagic {
		return t, errNoTrailer
	}
	if sum := sha256.Sum256(data[:sumAt]); !bytes.Equal(sum[:], data[sumAt:]) {
		return t, errTrailer
	}
	if binary.LittleEndian.Uint32(data[16:]) != trailerVersion {
		return t, errNewer
	}
	length := binary.LittleEndian.Uint32(data[20:])
	var numbers [5]int64
	for index := range numbers {
		number := binary.LittleEndian.Uint64(data[24+8*index:])
		if number > math.MaxInt64/4 {
			return t, errTrailer
		}
		numbers[index] = int64(number)
	}
	t.launcherSize, t.capabilitiesSize = numbers[0], numbers[1]
	t.payloadSize, t.unpackedSize = numbers[3], numbers[4]
	copy(t.capabilitiesSum[:], data[64:])
	copy(t.payloadSum[:], data[96:])
	if length < 1 || length > maxProgram || len(bytes.Trim(data[programAt+length:sumAt], "\x00")) > 0 {
		return t, errTrailer
	}
	t.program = string(data[programAt : programAt+length])
	whole := t.payloadAt()+t.payloadSize+trailerSize == fileSize && t.payloadAt() == numbers[2]
	sizes := t.launcherSize > 0 && t.payloadSize > 0 && t.unpackedSize > 0 && t.capabilitiesSize <= maxCapabilities
	if !whole || !sizes || !utf8.ValidString(t.program) || problemOf(t.program) != "" {
		return t, errTrailer
	}
	return t, nil
}
