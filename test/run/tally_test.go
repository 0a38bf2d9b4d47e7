package main

import (
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	stream := `{"Action":"run","Package":"p/a","Test":"TestOne"}
{"Action":"output","Package":"p/a","Test":"TestOne","Output":"hello\n"}
{"Action":"pass","Package":"p/a","Test":"TestOne"}
{"Action":"output","Package":"p/a","Test":"TestTwo","Output":"the reason\n"}
{"Action":"fail","Package":"p/a","Test":"TestTwo"}
{"Action":"output","Package":"p/a","Test":"TestThree","Output":"SKIPPED, NOT TESTED: no root\n"}
{"Action":"skip","Package":"p/a","Test":"TestThree"}
{"Action":"fail","Package":"p/a"}
{"Action":"output","Package":"p/b","Test":"TestKilled","Output":"it was here\n"}
{"Action":"output","Package":"p/b","Output":"panic: late\n"}
{"Action":"fail","Package":"p/b"}
{"ImportPath":"p/c","Action":"build-output","Output":"c.go:1: syntax\n"}
{"ImportPath":"p/c","Action":"build-fail"}
{"Action":"fail","Package":"p/c"}
`
	var w strings.Builder
	got := read(strings.NewReader(stream), &w)
	if got.passed != 1 || got.failed != 3 || got.skipped != 1 {
		t.Errorf("got %v, want 1 passed, 3 failed (TestTwo, the panic of p/b, the build of p/c), 1 skipped", got)
	}
	for _, want := range []string{"the reason", "panic: late", "c.go:1: syntax", "no root", "p/b.TestKilled\nit was here"} {
		if !strings.Contains(w.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, w.String())
		}
	}
	if strings.Contains(w.String(), "hello") {
		t.Error("what a passed test said is shown")
	}
}

// TestVerdict: a command that fails although every test passed is a failure.
func TestVerdict(t *testing.T) {
	s := step{name: "x", args: []string{"sh", "-c", `echo '{"Action":"pass","Package":"p","Test":"T"}'; exit 3`}, json: true}
	if got := s.run(); got.passed != 1 || got.failed != 1 {
		t.Errorf("got %v, want the status 3 to count", got)
	}
	s.args = []string{"sh", "-c", `echo '{"Action":"pass","Package":"p","Test":"T"}'`}
	if got := s.run(); got.passed != 1 || got.failed != 0 {
		t.Errorf("got %v, want 1 passed", got)
	}
	s.args = []string{"true"}
	if got := s.run(); got.passed+got.failed != 1 {
		t.Errorf("no test at all: got %v", got)
	}
}
