package qbipc

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// semaphore is a view of glibc's process-shared sem_t on 64-bit machines
// (glibc nptl/sem_post.c, sem_waitcommon.c: struct new_sem): one 64-bit word,
// the value in the low half, the number of waiters in the high half. Waiters
// sleep in a shared futex on the low half while it is zero. The pointer leads
// into a mapping that others write to.
type semaphore struct {
	word *uint64
}

const (
	semWaiter     = 1 << 32 // one waiter, in the word
	semShared     = 0x80    // sem_t's private field of a process-shared semaphore
	semPrivateOff = 8       // its offset

	// semTries bounds compare-and-swap loops: a peer that keeps changing the
	// word may not keep us.
	semTries = 1000

	futexWait = 0 // FUTEX_WAIT, not private
	futexWake = 1 // FUTEX_WAKE, not private
)

func (s semaphore) init() {
	atomic.StoreUint64(s.word, 0)
	atomic.StoreUint32((*uint32)(unsafe.Add(unsafe.Pointer(s.word), semPrivateOff)), semShared)
}

func (s semaphore) value() uint32 { return uint32(atomic.LoadUint64(s.word)) }

// post adds one and wakes one sleeper. It never blocks.
func (s semaphore) post() {
	if atomic.AddUint64(s.word, 1)>>32 != 0 {
		s.wake()
	}
}

func (s semaphore) wake() {
	// An error means that the page is gone: then nobody sleeps on it.
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(s.word)), futexWake, 1, 0, 0, 0)
}

// tryWait takes one if there is one. It never blocks.
func (s semaphore) tryWait() bool {
	for range semTries {
		w := atomic.LoadUint64(s.word)
		if uint32(w) == 0 {
			return false
		}
		if atomic.CompareAndSwapUint64(s.word, w, w-1) {
			return true
		}
	}
	return false
}

// wait takes one, sleeping until there is one or d has passed; it tells
// whether it took one. Only clients wait. ts is scratch space on the heap, so
// that waiting allocates nothing.
func (s semaphore) wait(d time.Duration, ts *unix.Timespec) bool {
	if s.tryWait() {
		return true
	}
	if d <= 0 {
		return false
	}
	deadline := time.Now().Add(d)
	atomic.AddUint64(s.word, semWaiter)
	for {
		w := atomic.LoadUint64(s.word)
		if uint32(w) != 0 {
			if atomic.CompareAndSwapUint64(s.word, w, w-1-semWaiter) {
				return true
			}
			continue
		}
		left := time.Until(deadline)
		if left <= 0 {
			atomic.AddUint64(s.word, ^uint64(semWaiter)+1)
			return false
		}
		*ts = unix.NsecToTimespec(int64(left))
		_, _, e := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(s.word)), futexWait, 0,
			uintptr(unsafe.Pointer(ts)), 0, 0)
		if e != 0 && e != unix.EAGAIN && e != unix.EINTR && e != unix.ETIMEDOUT {
			atomic.AddUint64(s.word, ^uint64(semWaiter)+1)
			return false
		}
	}
}
