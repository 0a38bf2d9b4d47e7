// Package packaging_test checks what the packages install against Debian's
// packages on this machine.
package packaging_test

import (
	"os"
	"regexp"
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
	for _, u := range []string{"corosync.service", "corosync-notifyd.service", "pacemaker.service"} {
		ours, theirs := directives(t, "systemd/"+u), directives(t, testneed.File(t, "/lib/systemd/system/"+u))
		if !slices.Equal(ours, theirs) {
			t.Errorf("%s:\nours\n  %s\nDebian's\n  %s", u, strings.Join(ours, "\n  "), strings.Join(theirs, "\n  "))
		}
	}
}

// TestMIB: the names and numbers of objects and notifications, and what is in
// each, are those of Debian's MIB.
func TestMIB(t *testing.T) {
	ours, theirs := assignments(t, "snmp/COROSYNC-MIB.txt"), assignments(t, testneed.File(t, "/usr/share/snmp/mibs/COROSYNC-MIB.txt"))
	if !slices.Equal(ours, theirs) || len(ours) < 20 {
		t.Errorf("ours\n  %s\nDebian's\n  %s", strings.Join(ours, "\n  "), strings.Join(theirs, "\n  "))
	}
}

// assignments are the names that a MIB gives to numbers, with the objects of
// notifications.
func assignments(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?s)\n(\w+)\s+(?:MODULE-IDENTITY|OBJECT-TYPE\s+SYNTAX\s+([\w ().]+)|NOTIFICATION-TYPE\s+OBJECTS\s+\{(.*?)\}|OBJECT IDENTIFIER|MODULE-COMPLIANCE|OBJECT-GROUP|NOTIFICATION-GROUP)(?:[^:]|:[^:]|::[^=])*?::= \{ (\w+ \d+) \}`)
	var out []string
	for _, m := range all.FindAllStringSubmatch(string(text), -1) {
		out = append(out, strings.Join(strings.Fields(strings.Join(m[1:], " ")), " "))
	}
	slices.Sort(out)
	return out
}
