package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSetScheduler: all threads get the policy, those that are made later too. The
// policy is one that needs no rights.
func TestSetScheduler(t *testing.T) {
	if err := setScheduler(unix.SCHED_BATCH, 0); err != nil {
		t.Fatal(err)
	}
	defer setScheduler(unix.SCHED_NORMAL, 0)
	threads := func() (all, batch int) {
		files, err := filepath.Glob("/proc/self/task/*/sched")
		if err != nil || len(files) == 0 {
			t.Skip("this kernel doesn't tell threads' policies")
		}
		for _, f := range files {
			if b, err := os.ReadFile(f); err == nil {
				all++
				for line := range strings.Lines(string(b)) {
					if w := strings.Fields(line); len(w) == 3 && w[0] == "policy" && w[2] == "3" {
						batch++
					}
				}
			}
		}
		return all, batch
	}
	if all, batch := threads(); all != batch {
		t.Errorf("%d of %d threads have the policy", batch, all)
	}
	before, _ := threads()
	blocked, release := make(chan struct{}), make(chan struct{})
	for range 8 {
		go func() { // blocks in a system call: the runtime needs another thread
			var fds [2]int
			unix.Pipe(fds[:])
			go func() { <-release; unix.Close(fds[1]) }()
			blocked <- struct{}{}
			unix.Read(fds[0], make([]byte, 1))
			unix.Close(fds[0])
		}()
	}
	for range 8 {
		<-blocked
	}
	all, batch := threads()
	close(release)
	if all != batch {
		t.Errorf("%d of %d threads have the policy, %d of them there before", batch, all, before)
	}
}
