// Package applet describes the programs that the one pacesync binary can be.
//
// A program is a Run function and the name it is installed under. The table of
// all of them is in cmd/pacesync/names.go; the help of pacesync, the links
// under bin/ and the packages derive from that table.
package applet

import "io"

// Env is what a program gets from its caller. Programs write through it and
// never to os.Stdout directly, so that tests can run them in process.
type Env struct {
	Name   string   // name the program was called by, without directory
	Argv0  string   // the same as the caller wrote it; getopt's error texts start with it
	Args   []string // arguments after the name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// Applet is one program of the multi-call binary. Immutable.
type Applet struct {
	Name    string           // installed name, such as "corosync-cfgtool"
	Dir     string           // directory it is installed in; empty: only as `pacesync NAME`
	Summary string           // one line for the overview
	Run     func(e *Env) int // returns the exit status
}

// HelpArgs makes -h of a lone --help, for programs whose original knows only the
// short option: a newcomer gets the usage instead of "unrecognized option".
func HelpArgs(args []string) []string {
	if len(args) == 1 && args[0] == "--help" {
		return []string{"-h"}
	}
	return args
}
