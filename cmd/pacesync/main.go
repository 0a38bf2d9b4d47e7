// Command pacesync is the Corosync and Pacemaker cluster stack in one binary.
//
// Called by one of its installed names (corosync, corosync-cfgtool, …) it is
// that program; called as pacesync its first argument names the program. The
// table of names is in names.go.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pacesync/pacesync/internal/applet"
)

func main() {
	name := filepath.Base(os.Args[0])
	env := &applet.Env{Name: name, Argv0: os.Args[0], Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	os.Exit(dispatch(env))
}

// dispatch runs the program that env names and returns its exit status;
// 1 and a hint when there is no such program.
func dispatch(env *applet.Env) int {
	if a, ok := find(env.Name); ok && a.Dir != "" {
		return a.Run(env)
	}
	if len(env.Args) == 0 || env.Args[0] == "-h" || env.Args[0] == "--help" || env.Args[0] == "help" {
		overview(env.Stdout)
		return 0
	}
	env.Name, env.Argv0, env.Args = env.Args[0], env.Args[0], env.Args[1:]
	if a, ok := find(env.Name); ok {
		return a.Run(env)
	}
	fmt.Fprintf(env.Stderr, "pacesync: no program called %q; `pacesync` alone lists what it can be\n", env.Name)
	return 1
}

func find(name string) (applet.Applet, bool) {
	for _, a := range applets() {
		if a.Name == name {
			return a, true
		}
	}
	return applet.Applet{}, false
}

// overview lists every program: first the installed names, then the sub-commands.
func overview(w io.Writer) {
	fmt.Fprintln(w, "pacesync: the Corosync and Pacemaker cluster stack in one binary.")
	fmt.Fprintln(w, "\nusage: pacesync NAME [ARGUMENTS]      (or by an installed name, such as corosync)")
	section := func(title string, installed bool) {
		first := true
		for _, a := range applets() {
			if (a.Dir != "") != installed {
				continue
			}
			if first {
				fmt.Fprintf(w, "\n%s\n", title)
				first = false
			}
			fmt.Fprintf(w, "  %-24s %s\n", a.Name, a.Summary)
		}
	}
	section("Programs with the names of the originals:", true)
	section("Its own:", false)
}
