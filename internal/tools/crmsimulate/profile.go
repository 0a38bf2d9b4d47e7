package crmsimulate

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/pengine/simulate"
)

// profile lets the engine decide on every CIB of a folder, the last by name first,
// and tells how long each took (pcmk__profile_dir). What is no CIB is left out.
func (p *program) profile(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // as the original, which finds nothing there
	}
	out := p.s.Out
	out.Begin("Timings")
	for _, e := range slices.Backward(entries) {
		name := dir + "/" + e.Name()
		if strings.HasPrefix(e.Name(), ".") || filepath.Ext(name) != ".xml" {
			continue
		}
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if took, ok := p.profileFile(name); ok {
			if out.Format == pcmkout.XML {
				out.Node("timing", "file", name, "duration", fmt.Sprintf("%f", took.Seconds()))
			} else {
				out.Item("", fmt.Sprintf("Testing %s ... %.2f secs", name, took.Seconds()))
			}
		}
	}
	out.End()
}

func (p *program) profileFile(name string) (took time.Duration, ok bool) {
	text, err := session.ReadFile(name)
	if err != nil {
		return 0, false
	}
	cib, err := p.parse(name, text)
	if err != nil {
		return 0, false
	}
	start := spent()
	o := p.o.sim
	if o.CIB, err = p.usable(cib, name); err != nil {
		return 0, false
	}
	if simulate.Profile(o, p.o.repeat) != nil {
		return 0, false
	}
	return spent() - start, true
}

// spent is the processor time of this process.
func spent() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
