package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Patience with the CIB daemon, which is started at the same time, or again.
const (
	cibTries   = 80
	cibPause   = 250 * time.Millisecond
	cibTimeout = 2 * time.Minute
)

// watchCIB brings the CIB, and each change of it, to the loop (setup_cib). When
// the CIB daemon ends it is connected to again, with what is known of devices and
// levels kept; the original's fencer ends with it, and with it what it was doing.
func (f *Fencer) watchCIB(stop func()) {
	w, err := f.openCIB()
	for try := 1; err != nil && try < cibTries && f.ctx.Err() == nil; try++ {
		select {
		case <-f.ctx.Done():
			return
		case <-time.After(cibPause):
		}
		w, err = f.openCIB()
	}
	if err != nil {
		f.Post(func(time.Time) {
			f.logf(note.Error, "Could not connect to the CIB manager: %v", err)
			if f.cib.doc != nil {
				stop() // it was there
			}
		})
		return
	}
	context.AfterFunc(f.ctx, func() { w.conn.Close() })
	f.Post(func(time.Time) { f.logf(note.Info, "Watching for fencing topology changes") })
	w.publish()
	w.conn.Pump(func(ev client.Event) {
		switch ev.Kind {
		case client.Notify:
			w.changed(ev.XML)
		case client.Lost:
			f.Post(func(time.Time) {
				f.logf(note.Warning, "Lost connection to the CIB manager, connecting again")
				go f.watchCIB(stop)
			})
		}
	})
}

// cibWatch keeps a copy of the CIB current. It is owned by the goroutine of
// watchCIB, then by that of the connection; the loop gets copies that nobody
// changes.
type cibWatch struct {
	f    *Fencer
	conn *client.Conn
	doc  *xmltree.Node
}

func (f *Fencer) openCIB() (*cibWatch, error) {
	ctx, cancel := context.WithTimeout(f.ctx, cibTimeout)
	defer cancel()
	conn, err := client.Dial(ctx, "stonith-ng", client.Options{Notify: []string{client.DiffNotify}})
	if err != nil {
		return nil, err
	}
	w := &cibWatch{f: f, conn: conn}
	if err := w.query(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return w, nil
}

// query gets the whole CIB.
func (w *cibWatch) query(ctx context.Context) error {
	doc, err := w.conn.Do(ctx, client.Call{Op: client.Query, Options: client.ScopeLocal})
	if err == nil {
		w.doc = doc
	}
	return err
}

// changed applies a change, or gets the whole CIB when it does not fit
// (update_cib_cache_cb).
func (w *cibWatch) changed(n *xmltree.Node) {
	if rc := n.Attr("cib_rc"); rc != "" && rc != "0" {
		return
	}
	diff := n.Path("cib_update_result", "diff")
	if diff == nil {
		return
	}
	doc, err := patch.Apply(w.doc, diff, true)
	var pe *patch.Error
	switch {
	case err == nil:
		w.doc = doc
	case errors.As(err, &pe) && pe.Code == patch.OldData:
		return
	default:
		ctx, cancel := context.WithTimeout(w.f.ctx, cibTimeout)
		defer cancel()
		text := err.Error()
		if err := w.query(ctx); err != nil {
			w.f.Post(func(time.Time) { w.f.logf(note.Error, "Couldn't retrieve the CIB: %v", err) })
			return
		}
		w.f.Post(func(time.Time) { w.f.logf(note.Notice, "[cib_diff_notify] Patch aborted: %s", text) })
	}
	w.publish()
}

// publish hands the CIB to the loop; patch.Apply leaves it as it is.
func (w *cibWatch) publish() {
	doc := w.doc
	w.f.Post(func(now time.Time) { w.f.SetCIB(now, doc) })
}
