package cib

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/cib/store"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// retryPause is how long after a failed write the next try comes: a full disk
// may be cleared. The original gives up at once.
const retryPause = 30 * time.Second

// writer brings CIBs to the disk, one at a time in a goroutine of its own. Its
// methods belong to the loop.
type writer struct {
	log     *daemonkit.Logger
	enabled bool
	work    chan *xmltree.Node
	done    chan outcome
	busy    bool
	next    *xmltree.Node // to be written next, nil: nothing
	failed  *xmltree.Node // to be tried again
	timer   *time.Timer
}

// outcome is the end of a write.
type outcome struct {
	cib *xmltree.Node
	sum string
	err error
}

func newWriter(dir *store.Dir, log *daemonkit.Logger, enabled bool) *writer {
	w := &writer{log: log, enabled: enabled, work: make(chan *xmltree.Node), done: make(chan outcome, 1), timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	go func() {
		for cib := range w.work {
			sum, err := dir.Write(cib, time.Now())
			w.done <- outcome{cib, sum, err}
		}
		close(w.done)
	}()
	return w
}

// put asks for a CIB to be written; a newer one takes its place.
func (w *writer) put(cib *xmltree.Node) {
	if !w.enabled {
		return
	}
	w.next, w.failed = cib, nil
	w.timer.Stop()
	w.run()
}

func (w *writer) run() {
	if w.busy || w.next == nil {
		return
	}
	w.busy = true
	w.work <- store.Prepare(w.next, time.Now()).Copy() // the status goes on changing meanwhile
	w.next = nil
}

// finished takes note of the end of a write.
func (w *writer) finished(o outcome) {
	w.busy = false
	switch {
	case o.err == nil:
		w.log.Info(fmt.Sprintf("Wrote version %s.%s.0 of the CIB to disk (digest: %s)", o.cib.Attr("admin_epoch"), o.cib.Attr("epoch"), o.sum))
	case errors.Is(o.err, store.ErrLive):
		w.enabled, w.next = false, nil
		w.log.Error(o.err.Error())
		w.log.Error("Disabling CIB disk writes after failure: restore or remove the file, then send SIGPIPE to " + program)
	default:
		w.log.Error(fmt.Sprintf("Could not write CIB to disk: %v: trying again in %v or with the next change", o.err, retryPause))
		if w.next == nil {
			w.failed = o.cib
			w.timer.Reset(retryPause)
		}
	}
	w.run()
}

// again fires when a failed write is to be tried again.
func (w *writer) again() <-chan time.Time { return w.timer.C }

func (w *writer) retry() {
	if w.failed != nil && w.next == nil {
		w.next, w.failed = w.failed, nil
	}
	w.run()
}

func (w *writer) enable() { w.enabled = true }

// close waits for what is under way and writes what waits.
func (w *writer) close() {
	if w == nil {
		return
	}
	for w.busy || w.next != nil {
		if w.busy {
			w.finished(<-w.done)
		} else {
			w.run()
		}
	}
	close(w.work)
}

// writable says why the daemons' user could not write a file or folder, nil if
// it could (io.c: pcmk__daemon_can_write).
func writable(name string, folder bool) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() != folder || !folder && !info.Mode().IsRegular() {
		return fmt.Errorf("%s must be %s", name, map[bool]string{true: "a directory", false: "a regular file"}[folder])
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	uid, gid, err := pcmk.DaemonUser()
	if err != nil || !ok {
		return fmt.Errorf("could not find user %s: %w", pcmk.User, err)
	}
	mode := info.Mode().Perm()
	if st.Uid == uid && mode&0o600 != 0 || st.Gid == gid && mode&0o060 != 0 {
		return nil
	}
	return fmt.Errorf("%s must be owned and writable by either user %s or group %s", name, pcmk.User, pcmk.Group)
}
