// Package applettest runs the programs of the pacesync binary in process, for
// tests of what they say: by arguments, to texts of the original, on standard input.
package applettest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/applet"
)

// Program is the Run function of an applet.
type Program = func(*applet.Env) int

// Run calls a program as argv0, which may have a directory.
func Run(program Program, argv0, stdin string, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = program(&applet.Env{Name: filepath.Base(argv0), Argv0: argv0, Args: args, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs})
	return status, out.String(), errs.String()
}

// Case is one call, its arguments separated by spaces, and what it has to say.
type Case struct {
	Args   string
	Status int
	Stdout string
	Stderr string
}

// Check makes the calls.
func Check(t *testing.T, program Program, argv0 string, cases ...Case) {
	t.Helper()
	for _, c := range cases {
		status, out, errs := Run(program, argv0, "", strings.Fields(c.Args)...)
		if status != c.Status || out != c.Stdout || errs != c.Stderr {
			t.Errorf("%s %s: status %d, %q %q, want %d, %q %q", argv0, c.Args, status, out, errs, c.Status, c.Stdout, c.Stderr)
		}
	}
}

// Texts compares what a program prints with what the original printed, kept in
// files of testdata; keys are arguments.
func Texts(t *testing.T, program Program, name string, files map[string]string) {
	t.Helper()
	t.Setenv("LC_ALL", "C")
	for args, file := range files {
		want, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		Check(t, program, name, Case{Args: args, Stdout: string(want)})
	}
}
