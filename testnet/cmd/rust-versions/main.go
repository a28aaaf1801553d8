// Command rust-versions reads `cargo metadata --format-version 1` on standard input and checks
// that the given packages and everything they are built from, tests apart, declare a Rust
// version of at most the given one, or none. Contracts are compiled by an older toolchain than
// the rest, and a dependency that outgrew it should show up before a person meets it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
)

type metadata struct {
	Packages []struct {
		ID          string  `json:"id"`
		Name        string  `json:"name"`
		Version     string  `json:"version"`
		RustVersion *string `json:"rust_version"`
	} `json:"packages"`
	Resolve struct {
		Nodes []struct {
			ID   string `json:"id"`
			Deps []struct {
				Pkg   string `json:"pkg"`
				Kinds []struct {
					Kind *string `json:"kind"`
				} `json:"dep_kinds"`
			} `json:"deps"`
		} `json:"nodes"`
	} `json:"resolve"`
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: cargo metadata --format-version 1 | rust-versions LIMIT PACKAGE...")
		os.Exit(2)
	}
	checked, tooNew, err := check(os.Stdin, os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	for _, line := range tooNew {
		fmt.Fprintln(os.Stderr, line)
	}
	fmt.Printf("%d packages checked, %d need more than Rust %s\n", checked, len(tooNew), os.Args[1])
	if len(tooNew) > 0 {
		os.Exit(1)
	}
}

// check returns how many packages it looked at and a line for each that is too new.
func check(in io.Reader, limit string, roots []string) (int, []string, error) {
	var meta metadata
	if err := json.NewDecoder(in).Decode(&meta); err != nil {
		return 0, nil, err
	}
	maximum, err := parse(limit)
	if err != nil {
		return 0, nil, err
	}
	next := map[string][]string{}
	for _, node := range meta.Resolve.Nodes {
		for _, dep := range node.Deps {
			for _, kind := range dep.Kinds {
				if kind.Kind == nil || *kind.Kind == "build" {
					next[node.ID] = append(next[node.ID], dep.Pkg)
					break
				}
			}
		}
	}
	var queue []string
	for _, root := range roots {
		found := false
		for _, p := range meta.Packages {
			if p.Name == root {
				queue, found = append(queue, p.ID), true
			}
		}
		if !found {
			return 0, nil, fmt.Errorf("no package %s", root)
		}
	}
	seen := map[string]bool{}
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		if !seen[id] {
			seen[id] = true
			queue = append(queue, next[id]...)
		}
	}
	var tooNew []string
	for _, p := range meta.Packages {
		if !seen[p.ID] || p.RustVersion == nil {
			continue
		}
		version, err := parse(*p.RustVersion)
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		if version > maximum {
			tooNew = append(tooNew, fmt.Sprintf("%s %s needs Rust %s", p.Name, p.Version, *p.RustVersion))
		}
	}
	sort.Strings(tooNew)
	return len(seen), tooNew, nil
}

// parse turns 1.86 or 1.86.0 into a number that compares like the version.
func parse(version string) (int, error) {
	parts := strings.Split(version, ".")
	if len(parts) > 3 {
		return 0, errors.New("wrong version " + version)
	}
	number := 0
	for i := 0; i < 3; i++ {
		part := 0
		if i < len(parts) {
			var err error
			if part, err = strconv.Atoi(parts[i]); err != nil || part < 0 || part > 999 {
				return 0, errors.New("wrong version " + version)
			}
		}
		number = number*1000 + part
	}
	return number, nil
}
