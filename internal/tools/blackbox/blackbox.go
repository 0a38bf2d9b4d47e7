// Package blackbox is the program corosync-blackbox: it has the daemon write its
// flight recorder to a file and shows what is in it, of Debian's daemon and of
// ours. The multi-call binary calls Run.
//
// Upstream: tools/corosync-blackbox.sh, and libqb's tools/qb_blackbox.c, which that
// runs and which need not be installed here. It takes no options.
package blackbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/corosync/blackbox"
	"github.com/pacesync/pacesync/internal/libc"
	"github.com/pacesync/pacesync/internal/tools/cmapctl"
)

// file is where the daemon leaves the newest dump.
const file = "/var/lib/corosync/fdata"

// Run is the whole program; it returns the exit status. That is 0 whatever
// happens, as the original's is; what is wrong is told on standard error.
func Run(e *applet.Env) int {
	for _, key := range []string{"runtime.blackbox.dump_state", "runtime.blackbox.dump_flight_data"} {
		set := *e
		set.Name, set.Argv0 = "corosync-cmapctl", "corosync-cmapctl"
		set.Args = []string{"-s", key, "str", strconv.FormatInt(time.Now().Unix(), 10)}
		cmapctl.Run(&set) // an old dump is shown all the same
	}
	show(e, file)
	return 0
}

// show prints one file (log_blackbox.c: qb_log_blackbox_print_from_file).
func show(e *applet.Env, path string) {
	out := libc.NewStdout(e.Stdout)
	defer out.Flush()
	fmt.Fprintf(out, "Dumping the contents of %s\n", path)
	data, err := read(path)
	if err != nil {
		var errno syscall.Errno
		errors.As(err, &errno)
		fmt.Fprintf(e.Stderr, "[error] qb_log_blackbox_print_from_file: %s (%d)\n", libc.Strerror(err), int(errno))
		return
	}
	f, err := blackbox.Parse(data)
	if err != nil {
		fmt.Fprintf(e.Stderr, "[error] %s: %v\n", path, err)
		return
	}
	fmt.Fprint(out, f.Head())
	for {
		r, err := f.Next()
		switch {
		case errors.Is(err, blackbox.ErrEnd):
			return
		case err != nil:
			fmt.Fprintf(out, "%v\n", err)
			return
		}
		fmt.Fprintln(out, r.String())
	}
}

// read reads a file of a size that can be.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, blackbox.MaxFile))
}
