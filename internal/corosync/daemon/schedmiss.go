package daemon

import (
	"time"

	"github.com/pacesync/pacesync/internal/corosync/loop"
)

// schedWatch notices when the kernel did not let this process run (main.c:
// timer_function_scheduler_timeout). A timer comes every third of the token
// timeout; one that is late by most of a token timeout is told to the operator.
type schedWatch struct {
	d     *Daemon
	timer *loop.Timer
	last  time.Time
	limit time.Duration
}

// start arms the first timer.
func (w *schedWatch) start(d *Daemon) {
	w.d = d
	w.timer = d.loop.NewTimer(w.fired)
	w.last = d.loop.Now()
	w.rearm()
}

func (w *schedWatch) rearm() {
	token := w.d.token()
	w.limit = token * 8 / 10 // the threshold follows a reload of the timeout
	w.timer.Reset(w.d.loop.Now().Add(token / 3))
}

func (w *schedWatch) fired() {
	now := w.d.loop.Now()
	gap := now.Sub(w.last)
	w.last = now
	if gap > w.limit {
		ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
		at := time.Now()
		w.d.log.main.Warning("Corosync main process was not scheduled (@%d) for %0.4f ms (threshold is %0.4f ms). Consider token timeout increase.",
			at.UnixMilli(), ms(gap), ms(w.limit))
		w.d.noteSchedMiss(at, gap)
	}
	w.rearm()
}
