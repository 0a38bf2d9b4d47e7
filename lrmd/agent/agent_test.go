package agent

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/agent/child"
)

func TestFromErrno(t *testing.T) {
	for no, want := range map[syscall.Errno]Result{
		syscall.ENOENT: {RC: pcmk.OCFNotInstalled, Status: pcmk.ExecNotInstalled, Reason: "x: No such file or directory"},
		syscall.EACCES: {RC: pcmk.OCFInsufficientPriv, Status: pcmk.ExecError, Reason: "x: Permission denied"},
		syscall.EAGAIN: {RC: pcmk.OCFError, Status: pcmk.ExecError, Reason: "Resource temporarily unavailable"},
	} {
		if got := FromErrno("x", fmt.Errorf("wrapped: %w", no)); got != want {
			t.Errorf("%v: %+v, want %+v", no, got, want)
		}
	}
}

func TestFromExit(t *testing.T) {
	same := func(c int) pcmk.OCF { return pcmk.OCF(c) }
	for _, c := range []struct {
		x      child.Exit
		rc     pcmk.OCF
		status pcmk.ExecStatus
		reason string
	}{
		{child.Exit{Code: 7, TimedOut: true}, 7, pcmk.ExecDone, ""}, // it ended by itself after all
		{child.Exit{Signal: syscall.SIGKILL, TimedOut: true}, 1, pcmk.ExecTimeout, "Resource agent did not complete within 20s"},
		{child.Exit{Signal: syscall.SIGKILL, Killed: true}, 0, pcmk.ExecCancelled, ""},
		{child.Exit{Signal: syscall.SIGSEGV}, 1, pcmk.ExecError, "Resource agent interrupted by Segmentation fault signal"},
	} {
		r := FromExit("Resource agent", 20000, c.x, same)
		if r.RC != c.rc || r.Status != c.status || r.Reason != c.reason {
			t.Errorf("%+v: %+v", c.x, r)
		}
	}
}

func TestMergeEnv(t *testing.T) {
	got := MergeEnv([]string{"A=1", "B=2", "A=3", "bad"}, []string{"B=x=y", "C="})
	if want := []string{"A=3", "B=x=y", "C="}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
