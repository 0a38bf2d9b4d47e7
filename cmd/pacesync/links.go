package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/pacesync/pacesync/internal/applet"
)

// runLinks makes a hard link to this binary for every installed name, so that
// the name shows in /proc/PID/exe and /proc/PID/status. `links DIR` puts all
// names into DIR; `links DIR --root` treats DIR as a file system root and puts
// each name into its own directory below it. `links --list` prints the names
// with their directories; the packages are made from it.
func runLinks(e *applet.Env) int {
	if len(e.Args) == 0 {
		fmt.Fprintln(e.Stderr, "usage: pacesync links DIR [--root] | --list")
		return 1
	}
	if e.Args[0] == "--list" {
		for _, a := range applets() {
			if a.Dir != "" {
				fmt.Fprintln(e.Stdout, filepath.Join(a.Dir, a.Name))
			}
		}
		return 0
	}
	self, err := os.Executable()
	if err != nil && filepath.IsAbs(os.Args[0]) {
		self, err = os.Args[0], nil // no /proc: a package is being installed into a tree
	}
	if err != nil {
		fmt.Fprintf(e.Stderr, "pacesync links: own path: %v\n", err)
		return 1
	}
	root := len(e.Args) > 1 && e.Args[1] == "--root"
	for _, a := range applets() {
		if a.Dir == "" {
			continue
		}
		dir := e.Args[0]
		if root {
			dir = filepath.Join(dir, a.Dir)
		}
		if err := link(self, filepath.Join(dir, a.Name)); err != nil {
			fmt.Fprintf(e.Stderr, "pacesync links: %v\n", err)
			return 1
		}
	}
	return 0
}

// link replaces path by a hard link to self.
func link(self, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Link(self, path)
}
