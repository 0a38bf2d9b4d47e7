package daemon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Patience with the CIB daemon, which is started at the same time.
const (
	cibTries   = 20
	cibPause   = time.Second
	cibTimeout = 2 * time.Minute
)

// watchCIB brings the CIB, and each change of it, to the loop (setup_cib). When
// the CIB daemon ends so does the fencer: pacemakerd starts both again.
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
		f.Post(func(time.Time) { f.logf(note.Error, "Could not connect to the CIB manager: %v", err) })
		return
	}
	defer w.conn.Close()
	f.Post(func(time.Time) { f.logf(note.Info, "Watching for fencing topology changes") })
	w.publish()
	for {
		in, err := w.conn.Next(f.ctx)
		if errors.Is(err, crmipc.ErrBadMessage) {
			continue
		}
		if err != nil {
			if f.ctx.Err() == nil {
				f.Post(func(time.Time) {
					f.logf(note.Critical, "Lost connection to the CIB manager, shutting down")
					stop()
				})
			}
			return
		}
		if in.XML.Attr("subt") == "cib_diff_notify" {
			w.changed(in.XML)
		}
	}
}

// cibWatch keeps a copy of the CIB current. It is owned by the goroutine of
// watchCIB; the loop gets copies that nobody changes.
type cibWatch struct {
	f     *Fencer
	conn  *crmipc.Conn
	calls int
	doc   *xmltree.Node
}

func (f *Fencer) openCIB() (*cibWatch, error) {
	ctx, cancel := context.WithTimeout(f.ctx, cibTimeout)
	defer cancel()
	conn, err := crmipc.Dial(ctx, "cib_ro", crmipc.DialOptions{Buffer: crmipc.CIBBuffer})
	if err != nil {
		return nil, err
	}
	w := &cibWatch{f: f, conn: conn}
	hello := xmltree.New("cib_command", xmltree.Attr{Name: "t", Value: "cib"}, xmltree.Attr{Name: "cib_op", Value: "register"},
		xmltree.Attr{Name: "cib_clientname", Value: "stonith-ng"}, xmltree.Attr{Name: "cib_callopt", Value: "4096"})
	watch := xmltree.New("cib-callback", xmltree.Attr{Name: "cib_op", Value: "cib_notify"},
		xmltree.Attr{Name: "cib_notify_type", Value: "cib_diff_notify"}, xmltree.Attr{Name: "cib_notify_activate", Value: "1"})
	if _, err = conn.Call(ctx, hello); err == nil {
		if _, err = conn.Call(ctx, watch); err == nil {
			err = w.query(ctx)
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return w, nil
}

// Call options of the CIB: answer at once, from the local copy.
const cibSyncLocal = 0x1100

// query gets the whole CIB.
func (w *cibWatch) query(ctx context.Context) error {
	w.calls++
	n := xmltree.New("cib_command", xmltree.Attr{Name: "__name__", Value: "cib_command"}, xmltree.Attr{Name: "t", Value: "cib"},
		xmltree.Attr{Name: "cib_op", Value: "cib_query"}, xmltree.Attr{Name: "cib_callid", Value: strconv.Itoa(w.calls)},
		xmltree.Attr{Name: "cib_callopt", Value: strconv.Itoa(cibSyncLocal)})
	reply, err := w.conn.Call(ctx, n)
	if err != nil {
		return err
	}
	doc := reply.Path("cib_calldata", "cib")
	if doc == nil {
		rc, _ := strconv.Atoi(reply.Attr("cib_rc"))
		return fmt.Errorf("query of the CIB: %w", pcmk.RCFromLegacy(rc))
	}
	doc.Remove()
	w.doc = doc
	return nil
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
