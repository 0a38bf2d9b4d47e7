// Package detach puts a program into the background: what daemon(3) does for the
// originals. corosync, corosync-notifyd and crm_mon use it.
//
// A Go process cannot fork, so the program is started anew, with a mark in its
// environment by which it knows that it is the one in the background.
package detach

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/pacesync/pacesync/internal/applet"
)

// mark is the variable that tells a program which of the two it is.
const mark = "PACESYNC_DETACHED"

// Detached reports whether this is the program called name in the background.
// Its children do not inherit that.
func Detached(name string) bool {
	if os.Getenv(mark) != name {
		return false
	}
	return os.Unsetenv(mark) == nil
}

// Start runs e's program again with these arguments, in a session of its own, its
// standard streams /dev/null, and returns once it runs. The path is the one we
// were installed under, so that the name of the process stays.
func Start(e *applet.Env, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if filepath.Base(self) != e.Name {
		args = append([]string{e.Name}, args...) // called as `pacesync NAME`
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), mark+"="+e.Name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}
