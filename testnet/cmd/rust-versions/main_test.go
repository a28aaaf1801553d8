package main

import (
	"reflect"
	"strings"
	"testing"
)

const sample = `{"packages":[
 {"id":"a","name":"contract","version":"1.0.0","rust_version":"1.86"},
 {"id":"b","name":"library","version":"2.0.0","rust_version":"1.90.1"},
 {"id":"c","name":"only-tests","version":"3.0.0","rust_version":"1.95"},
 {"id":"d","name":"silent","version":"4.0.0","rust_version":null}],
 "resolve":{"nodes":[
 {"id":"a","deps":[{"pkg":"d","dep_kinds":[{"kind":null}]},{"pkg":"c","dep_kinds":[{"kind":"dev"}]}]},
 {"id":"d","deps":[{"pkg":"b","dep_kinds":[{"kind":"build"}]}]}]}}`

func TestTooNewIsFoundThroughBuildDependenciesButNotTests(t *testing.T) {
	count, tooNew, err := check(strings.NewReader(sample), "1.86", []string{"contract"})
	if err != nil || count != 3 || !reflect.DeepEqual(tooNew, []string{"library 2.0.0 needs Rust 1.90.1"}) {
		t.Fatal(count, tooNew, err)
	}
	if _, tooNew, _ = check(strings.NewReader(sample), "1.91", []string{"contract"}); tooNew != nil {
		t.Fatal(tooNew)
	}
}

func TestWrongInputIsAnError(t *testing.T) {
	if _, _, err := check(strings.NewReader(sample), "1.86", []string{"absent"}); err == nil {
		t.Fatal("an unknown package was accepted")
	}
	for _, limit := range []string{"", "x", "1.2.3.4", "1.-2"} {
		if _, _, err := check(strings.NewReader(sample), limit, []string{"contract"}); err == nil {
			t.Fatalf("limit %q was accepted", limit)
		}
	}
	if _, _, err := check(strings.NewReader("{"), "1.86", nil); err == nil {
		t.Fatal("half a document was accepted")
	}
}
