package daemon

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/libc"
)

// schedPriority is what sched_get_priority_max(SCHED_RR) returns on Linux.
const schedPriority = 99

// spareProcs are Ps beyond the cores. The loop keeps one for itself while it is busy, also
// while it waits (loop.Loop); the collector's workers, the log's writer and
// the signal handler share the others and never compete for that one.
const spareProcs = 3

// tuneRuntime sets the collector and the scheduler of the Go runtime.
func tuneRuntime() {
	tuneCollector()
	runtime.GOMAXPROCS(runtime.NumCPU() + spareProcs)
}

// lockMemory keeps the process in memory, now and later, so that a token never
// waits for a disk: the whole program, and of its data each page from its first
// use on. Pages never used stay out: the Go runtime has 64 MiB of them for
// addresses and purposes that do not occur here. Without the right to lock beyond the
// limit nothing is locked: later allocations would fail.
func lockMemory() error {
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unlimited); err != nil && !mayLockAll() {
		return refused("Could not increase RLIMIT_MEMLOCK, not locking memory", err)
	}
	err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
	if errors.Is(err, unix.EINVAL) { // before Linux 4.4
		err = unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE)
	}
	if err == nil {
		err = lockProgram()
	}
	if err != nil {
		return refused("Could not lock memory of service to avoid page faults", err)
	}
	return nil
}

// lockProgram brings all of the executable file that is mapped into memory.
func lockProgram() error {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(maps)) { // proc(5): 00400000-00ae0000 r-xp 00000000 00:35 1007896  /usr/sbin/corosync
		var from, to uintptr
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err != nil || !strings.HasSuffix(strings.TrimSuffix(line, "\n"), " "+exe) {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MLOCK, from, to-from, 0); errno != 0 {
			return errno
		}
	}
	return nil
}

// mayLockAll says whether the limit on locked memory does not apply to us.
func mayLockAll() bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_IPC_LOCK) != 0
}

// schedParam is struct sched_param.
type schedParam struct{ priority int32 }

// setRealTime puts every thread of the process, and so every later one, under
// SCHED_RR at the highest priority. There is no reset-on-fork flag: the
// runtime's new threads would lose the policy.
func setRealTime() error { return setScheduler(unix.SCHED_RR, schedPriority) }

// setScheduler applies a policy to all threads: to the others first. A real-time thread
// that waited for ordinary ones, as syscall.AllThreadsSyscall does, could hold
// the processor that they need. Until the calling thread has the policy, another one may
// make a thread that lacks it; so it ends with a round that finds none.
func setScheduler(policy int, priority int32) error {
	runtime.LockOSThread() // the one that comes last stays the same
	defer runtime.UnlockOSThread()
	self := unix.Gettid()
	for {
		changed, err := setThreads(policy, priority, self)
		if err != nil {
			return err
		}
		if !changed {
			break
		}
	}
	_, err := setThread(self, policy, priority)
	return err
}

// setThreads applies a policy to all threads but one; it says whether any lacked it.
func setThreads(policy int, priority int32, except int) (changed bool, err error) {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return false, err
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil || tid == except {
			continue
		}
		lacked, err := setThread(tid, policy, priority)
		if err != nil && !errors.Is(err, unix.ESRCH) { // it may have ended
			return false, err
		}
		changed = changed || lacked
	}
	return changed, nil
}

// setThread applies a policy to one thread; it says whether that lacked it.
func setThread(tid, policy int, priority int32) (lacked bool, err error) {
	var p schedParam
	have, _, errno := unix.RawSyscall(unix.SYS_SCHED_GETSCHEDULER, uintptr(tid), 0, 0)
	if errno == 0 {
		_, _, errno = unix.RawSyscall(unix.SYS_SCHED_GETPARAM, uintptr(tid), uintptr(unsafe.Pointer(&p)), 0)
	}
	if errno != 0 {
		return false, errno
	}
	if int(have) == policy && p.priority == priority {
		return false, nil
	}
	p.priority = priority
	if _, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(tid), uintptr(policy), uintptr(unsafe.Pointer(&p))); errno != 0 {
		return false, errno
	}
	return true, nil
}

// cgroupFiles are where a process is put into the root group: of the cpu
// controller of cgroup v1 if that limits real time, of cgroup v2 otherwise.
func rootCgroupFile() string {
	if _, err := os.Stat("/sys/fs/cgroup/cpu/cpu.rt_runtime_us"); err == nil {
		return "/sys/fs/cgroup/cpu/tasks"
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.procs"); err == nil {
		return "/sys/fs/cgroup/cgroup.procs"
	}
	return ""
}

// moveToRootCgroup leaves the service's control group, which may forbid real
// time scheduling. A system without control groups is no error.
func moveToRootCgroup() error {
	path := rootCgroupFile()
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("Can't open cgroups tasks file for writing: %w", err)
	}
	_, err = fmt.Fprintln(f, os.Getpid())
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("Can't write corosync pid into cgroups tasks file: %w", err)
	}
	return nil
}

// niceValue is the value of system.priority: "max", "min" or a number; 0 leaves
// things as they are.
func niceValue(priority string) (int, error) {
	switch priority {
	case "":
		return 0, nil
	case "max":
		return math.MinInt32, nil
	case "min":
		return math.MaxInt32, nil
	}
	n, err := strconv.ParseInt(priority, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("Priority value %s is invalid", priority)
	}
	return int(n), nil
}

// setNice sets the nice value of the process group.
func setNice(n int) error {
	if n == 0 {
		return nil
	}
	if err := unix.Setpriority(unix.PRIO_PGRP, 0, n); err != nil {
		return refused(fmt.Sprintf("Could not set priority %d", n), err)
	}
	return nil
}

// refused is what the system would not do, in the original's words (logsys.h:
// LOGSYS_PERROR).
func refused(what string, err error) error {
	var errno unix.Errno
	errors.As(err, &errno)
	return fmt.Errorf("%s: %s (%d)", what, libc.Strerror(err), int(errno))
}
