package cib

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/cib/doc"
	"github.com/pacesync/pacesync/cib/store"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/testwait"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// TestWriterBesideChanges: while a version is written the CIB goes on changing in
// place (meaningful under the race detector), and the last version wins.
func TestWriterBesideChanges(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(&store.Dir{Path: dir}, daemonkit.DiscardLog(), true)
	d := doc.New(doc.Empty("none"))
	for i := range 200 {
		section, text := "status", fmt.Sprintf(`<node_state id="1" n="%d"/>`, i)
		if i%10 == 0 {
			section, text = "nodes", fmt.Sprintf(`<node id="1" uname="n%d"/>`, i)
		}
		in, err := xmltree.ParseString(text, xmltree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		res, err := d.Do(doc.Request{Op: doc.Modify, Section: section, Input: in, CanCreate: true, ManageVersion: true})
		if err != nil {
			t.Fatal(err)
		}
		if section == "nodes" {
			w.put(res.CIB)
		}
		select {
		case o := <-w.done:
			w.finished(o)
		default:
		}
	}
	w.close()
	b, err := os.ReadFile(filepath.Join(dir, "cib.xml"))
	if err != nil || !strings.Contains(string(b), `uname="n190"`) || strings.Contains(string(b), "node_state") {
		t.Errorf("%v\n%s", err, b)
	}
}

// TestWriterTriesAgain: a failure is not the end, a file that is not ours is.
func TestWriterTriesAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	w := newWriter(&store.Dir{Path: dir}, daemonkit.DiscardLog(), true)
	w.put(doc.Empty("none"))
	w.finished(<-w.done)
	if w.failed == nil || !w.enabled {
		t.Fatal("given up after one failure")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.timer.Reset(0)
	<-w.again()
	w.retry()
	w.finished(<-w.done)
	testwait.For(t, time.Second, "the file", func() bool { _, err := os.Stat(filepath.Join(dir, "cib.xml")); return err == nil })
	if err := os.WriteFile(filepath.Join(dir, "cib.xml"), []byte("<cib/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.put(doc.Empty("none"))
	w.finished(<-w.done)
	if w.enabled {
		t.Error("a file that somebody changed is to be written over")
	}
	w.enable()
	w.close()
}
