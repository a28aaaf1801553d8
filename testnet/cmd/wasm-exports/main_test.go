package main

import (
	"reflect"
	"testing"
)

// A module with one type, one function, and the exports f (function) and m (memory).
var module = []byte("\x00asm\x01\x00\x00\x00" +
	"\x01\x04\x01\x60\x00\x00" + "\x03\x02\x01\x00" + "\x05\x03\x01\x00\x01" +
	"\x07\x09\x02\x01m\x02\x00\x01f\x00\x00" + "\x0a\x04\x01\x02\x00\x0b")

func TestFunctionsAreListed(t *testing.T) {
	got, err := exportedFunctions(module)
	if err != nil || !reflect.DeepEqual(got, []string{"f"}) {
		t.Fatal(got, err)
	}
}

func TestDamagedModulesAreRefused(t *testing.T) {
	for _, bad := range [][]byte{nil, []byte("\x7fELF"), module[:len(module)-1], append(module[:8:8], 7, 0xff, 0xff, 0xff, 0xff, 0xff)} {
		if _, err := exportedFunctions(bad); err == nil {
			t.Fatalf("%q was accepted", bad)
		}
	}
}

func FuzzNoInputPanics(f *testing.F) {
	f.Add(module)
	f.Fuzz(func(_ *testing.T, in []byte) { _, _ = exportedFunctions(in) })
}
