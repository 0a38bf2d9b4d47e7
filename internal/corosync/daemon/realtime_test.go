package daemon

import (
	"os"
	"strconv"
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
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			policy, _, errno := unix.RawSyscall(unix.SYS_SCHED_GETSCHEDULER, uintptr(tid), 0, 0)
			if errno != 0 {
				continue // it has ended
			}
			all++
			if policy == unix.SCHED_BATCH {
				batch++
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
