package config_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/corosync/daemon"
	"github.com/pacesync/pacesync/internal/testneed"
)

// TestUsage: wrong command lines of the daemon are answered in the original's words,
// which begin with the name that the caller wrote.
func TestUsage(t *testing.T) {
	program := testneed.File(t, "/usr/sbin/corosync")
	for _, args := range []string{"-x", "-c", "-h", "-p", "-f -x", "--help", "-tx", "-t -c /nonexistent/x", "operand -t -c /nonexistent/x"} {
		var want, got bytes.Buffer
		cmd := exec.CommandContext(t.Context(), program, strings.Fields(args)...)
		cmd.Stdout, cmd.Stderr = &want, &want
		_ = cmd.Run() // its status is compared
		status := daemon.Run(&applet.Env{Name: "corosync", Argv0: program, Args: strings.Fields(args), Stdout: &got, Stderr: &got})
		if status != cmd.ProcessState.ExitCode() || got.String() != want.String() {
			t.Errorf("%s: status %d\n%s\nthe original: %d\n%s", args, status, got.String(), cmd.ProcessState.ExitCode(), want.String())
		}
	}
}
