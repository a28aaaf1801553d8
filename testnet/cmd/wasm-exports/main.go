// Command wasm-exports prints the functions that a WebAssembly module exports, one a line, sorted.
// The chain calls a contract through these; one that is missing after a rebuild breaks migration.
package main

import (
	"errors"
	"fmt"
	"os"
	"sort"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: wasm-exports FILE")
		os.Exit(2)
	}
	module, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	names, err := exportedFunctions(module)
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	for _, name := range names {
		fmt.Println(name)
	}
}

var errTruncated = errors.New("the module ends too early")

// reader walks over the bytes of a module (WebAssembly core specification, chapter 5).
type reader struct{ rest []byte }

func (r *reader) take(n uint32) ([]byte, error) {
	if uint64(n) > uint64(len(r.rest)) {
		return nil, errTruncated
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out, nil
}

func (r *reader) byte() (byte, error) {
	b, err := r.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() (uint32, error) {
	var value uint64
	for shift := 0; shift < 35; shift += 7 {
		b, err := r.byte()
		if err != nil {
			return 0, err
		}
		value |= uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			if value > 1<<32-1 {
				break
			}
			return uint32(value), nil
		}
	}
	return 0, errors.New("a number has more than 32 bits")
}

func (r *reader) bytes() ([]byte, error) {
	n, err := r.u32()
	if err != nil {
		return nil, err
	}
	return r.take(n)
}

// exportedFunctions finds the export section (number 7) and lists its functions (kind 0).
func exportedFunctions(module []byte) ([]string, error) {
	const header = "\x00asm\x01\x00\x00\x00"
	r := &reader{module}
	start, err := r.take(uint32(len(header)))
	if err != nil || string(start) != header {
		return nil, errors.New("not a WebAssembly module of version 1")
	}
	var names []string
	for len(r.rest) > 0 {
		id, err := r.byte()
		if err != nil {
			return nil, err
		}
		body, err := r.bytes()
		if err != nil {
			return nil, err
		}
		if id != 7 {
			continue
		}
		section := &reader{body}
		count, err := section.u32()
		if err != nil {
			return nil, err
		}
		for ; count > 0; count-- {
			name, err := section.bytes()
			if err != nil {
				return nil, err
			}
			kind, err := section.byte()
			if err != nil {
				return nil, err
			}
			if _, err := section.u32(); err != nil {
				return nil, err
			}
			if kind == 0 {
				names = append(names, string(name))
			}
		}
	}
	sort.Strings(names)
	return names, nil
}
