// Package packaging_test checks what the packages install against Debian's
// packages on this machine.
package packaging_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/testneed"
)

// directives are the lines of a unit that count, with their section before them.
func directives(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			section = line
		default:
			out = append(out, section+" "+line)
		}
	}
	slices.Sort(out)
	return out
}

// TestUnits holds our units to Debian's, directive by directive.
func TestUnits(t *testing.T) {
	for _, u := range []string{"corosync.service", "pacemaker.service"} {
		ours, theirs := directives(t, "systemd/"+u), directives(t, testneed.File(t, "/lib/systemd/system/"+u))
		if !slices.Equal(ours, theirs) {
			t.Errorf("%s:\nours\n  %s\nDebian's\n  %s", u, strings.Join(ours, "\n  "), strings.Join(theirs, "\n  "))
		}
	}
}
