package demo

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/lab"
)

func sec(s float64) time.Time { return time.UnixMicro(int64(s * 1e6)) }

// TestJudge: the group is active from start to stop or power off; two nodes at
// once are found, whatever the order of the lines.
func TestJudge(t *testing.T) {
	off := func(at float64, node string) lab.PowerEvent {
		return lab.PowerEvent{Time: sec(at), Action: "off", Node: node}
	}
	for _, c := range []struct {
		name   string
		ledger []entry
		power  []lab.PowerEvent
		twice  bool
	}{
		{"moved in order", []entry{{sec(1), "n1", "start"}, {sec(2), "n1", "stop"}, {sec(3), "n2", "start"}}, nil, false},
		{"fenced, then started", []entry{{sec(1), "n1", "start"}, {sec(5), "n2", "start"}}, []lab.PowerEvent{off(4, "n1")}, false},
		{"started, then fenced", []entry{{sec(1), "n1", "start"}, {sec(5), "n2", "start"}}, []lab.PowerEvent{off(6, "n1")}, true},
		{"another was fenced", []entry{{sec(1), "n1", "start"}, {sec(5), "n2", "start"}}, []lab.PowerEvent{off(4, "n3")}, true},
		{"fencing failed", []entry{{sec(1), "n1", "start"}, {sec(5), "n2", "start"}}, []lab.PowerEvent{{Time: sec(4), Action: "off", Node: "n1", Err: os.ErrInvalid}}, true},
		{"started twice in place", []entry{{sec(1), "n1", "start"}, {sec(2), "n1", "start"}}, nil, false},
		{"back to a fenced node", []entry{{sec(1), "n1", "start"}, {sec(5), "n2", "start"}, {sec(8), "n2", "stop"}, {sec(9), "n1", "start"}}, []lab.PowerEvent{off(4, "n1")}, false},
		{"fenced earlier, started since", []entry{{sec(3), "n1", "start"}, {sec(5), "n2", "start"}}, []lab.PowerEvent{off(2, "n1")}, true},
	} {
		if err := judge(c.ledger, c.power); (err != nil) != c.twice {
			t.Errorf("%s: got %v, want an error: %v", c.name, err, c.twice)
		}
	}
}

func TestReadLedger(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger")
	if got, err := readLedger(file); got != nil || err != nil {
		t.Errorf("no file: got %v, %v", got, err)
	}
	os.WriteFile(file, []byte("1700000000.250000 n2 account start\n"), 0o600)
	got, err := readLedger(file)
	if err != nil || len(got) != 1 || got[0].node != "n2" || got[0].action != "start" || got[0].at.UnixMilli() != 1700000000250 {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"x n2 account start\n", "1.5 n2 account start\n", "1700000000.250000 n2\n"} {
		os.WriteFile(file, []byte(bad), 0o600)
		if _, err := readLedger(file); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestOutage(t *testing.T) {
	rs := []request{
		{start: sec(1), end: sec(1.01), node: "n1"},
		{start: sec(1.1), end: sec(1.11), node: "n1"},
		{start: sec(1.2), end: sec(2.2), why: "timeout"},
		{start: sec(2.3), end: sec(2.31), node: "n2"},
		{start: sec(1.3), end: sec(2.35), why: "timeout"},
	}
	if longest, lost := outage(rs); longest != 1200*time.Millisecond || lost != 2 {
		t.Errorf("got %v and %d lost, want 1.2s and 2", longest, lost)
	}
	if longest, lost := outage(nil); longest != 0 || lost != 0 {
		t.Errorf("nothing asked: got %v, %d", longest, lost)
	}
}

func TestParseRequest(t *testing.T) {
	if r, ok := parseRequest("1000 2000 ok n1"); !ok || r.node != "n1" || r.end.Sub(r.start) != 1000 {
		t.Errorf("answered: got %+v, %v", r, ok)
	}
	if r, ok := parseRequest("1000 2000 lost dial tcp: i/o timeout"); !ok || r.node != "" || r.why != "dial tcp: i/o timeout" {
		t.Errorf("lost: got %+v, %v", r, ok)
	}
	for _, bad := range []string{"", "1 2 ok", "a b ok n1"} {
		if _, ok := parseRequest(bad); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestTableSideBySide(t *testing.T) {
	var b bytes.Buffer
	table(&b, figures{cast: cast{corosync: lab.Ours}, outage: 3 * time.Second}, &figures{outage: 4 * time.Second})
	if out := b.String(); !strings.Contains(out, "corosync ours, pacemaker debian") || !strings.Contains(out, "0.75") || !strings.Contains(out, "4.00 s") {
		t.Errorf("got\n%s", out)
	}
}

func TestUsage(t *testing.T) {
	var out, errs bytes.Buffer
	if code := Run(&applet.Env{Args: []string{"--help"}, Stdout: &out, Stderr: &errs}); code != 0 || !strings.Contains(out.String(), "-ref") {
		t.Errorf("--help: status %d, %q", code, out.String())
	}
	if code := Run(&applet.Env{Args: []string{"-corosync", "hers"}, Stdout: &out, Stderr: &errs}); code != 1 || !strings.Contains(errs.String(), "hers") {
		t.Errorf("bad option: status %d, %q", code, errs.String())
	}
}
