package cpgtool

import (
	"bytes"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/applet"
)

func TestArguments(t *testing.T) {
	for _, tt := range []struct {
		args      string
		status    int
		out, errs string
	}{
		{"-h", 0, "corosync-cpgtool" + usage, ""},
		{"-x", 1, "", "/sbin/corosync-cpgtool: invalid option -- 'x'\n"},
		{"-d", 1, "", "/sbin/corosync-cpgtool: option requires an argument -- 'd'\n"},
	} {
		var out, errs bytes.Buffer
		status := Run(&applet.Env{Name: "corosync-cpgtool", Argv0: "/sbin/corosync-cpgtool", Args: strings.Fields(tt.args), Stdout: &out, Stderr: &errs})
		if status != tt.status || out.String() != tt.out || errs.String() != tt.errs {
			t.Errorf("%s: %d %q %q, want %d %q %q", tt.args, status, &out, &errs, tt.status, tt.out, tt.errs)
		}
	}
}

func TestGroupName(t *testing.T) {
	n := wire.MustName("a\\b\x00\xff")
	for raw, want := range map[bool]string{false: `a\\b\x00\xFFFFFFFF`, true: "a\\b\x00\xff"} {
		p := &program{raw: raw}
		if got := p.group(&n); got != want {
			t.Errorf("raw %v: %q, want %q", raw, got, want)
		}
	}
}
