package cpgtool

import (
	"testing"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/applet/applettest"
)

func TestArguments(t *testing.T) {
	applettest.Check(t, Run, "/sbin/corosync-cpgtool", []applettest.Case{
		{Args: "-h", Stdout: "corosync-cpgtool" + usage},
		{Args: "-x", Status: 1, Stderr: "/sbin/corosync-cpgtool: invalid option -- 'x'\n"},
		{Args: "-d", Status: 1, Stderr: "/sbin/corosync-cpgtool: option requires an argument -- 'd'\n"},
	}...)
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
