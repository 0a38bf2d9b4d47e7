package logsys

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/blackbox"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

func recorder(t *testing.T, kv ...string) (*System, *bytes.Buffer) {
	t.Helper()
	var stderr bytes.Buffer
	s := New(Options{Stderr: &stderr, PID: 17, Host: "n1", DevLog: filepath.Join(t.TempDir(), "none"), Flight: make([]byte, 8192)})
	t.Cleanup(func() { s.Close() })
	if err := s.Apply(settings(t, kv...)); err != nil {
		t.Fatal(err)
	}
	return s, &stderr
}

// recorded are the records, as "LEVEL TAG FUNCTION TEXT".
func recorded(t *testing.T, s *System) (out []blackbox.Record) {
	t.Helper()
	data, ok := s.FlightData()
	if !ok {
		t.Fatal("no flight data")
	}
	f, err := blackbox.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	for {
		r, err := f.Next()
		if errors.Is(err, blackbox.ErrEnd) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
}

// TestFlightRecorder: lines of every level are recorded wherever else they go,
// with their place in the source; off is off, and on again begins anew.
func TestFlightRecorder(t *testing.T) {
	s, stderr := recorder(t, "timestamp=off")
	l := s.Subsys("TOTEM")
	if !l.Enabled(service.LevelTrace) || l.Routed(service.LevelError) {
		t.Error("a line for the recorder alone is not wanted, or is routed")
	}
	l.Trace("entering %s", "GATHER")
	s.Subsys("QB").Log(service.LevelError, "100%")
	got := recorded(t, s)
	if len(got) != 2 || got[0].Text != "entering GATHER" || got[0].Func != "TestFlightRecorder" || got[0].Tag != 15 || got[0].Level != 8 ||
		got[1].Text != "100%" || got[1].Tag != 1<<31 || got[1].Line != got[0].Line+1 {
		t.Errorf("%+v", got)
	}
	if err := s.Apply(settings(t, "blackbox=off")); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.FlightData(); ok || l.Enabled(service.LevelTrace) {
		t.Error("it is on")
	}
	if err := s.Apply(settings(t, "blackbox=on")); err != nil {
		t.Fatal(err)
	}
	if got := recorded(t, s); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	s.Close()
	if stderr.Len() != 0 {
		t.Errorf("written: %q", stderr)
	}
}

// TestRecordingAllocatesNothing: a finished line costs the caller no memory.
func TestRecordingAllocatesNothing(t *testing.T) {
	s, _ := recorder(t)
	l := s.Subsys("TOTEM")
	if n := testing.AllocsPerRun(100, func() { l.Log(service.LevelDebug, "token lost") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// helper stands for what services have to write their lines.
type helper struct{ log service.Log }

func (h helper) logf(text string) { h.log(service.LevelNotice, text) }

// TestPlaces: the forms of fileline and function_name, which are the original's
// (Debian's corosync with these options), and whose place it is.
func TestPlaces(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"fileline=on", "notice  [MAIN  ] flight_test.go:LINE text"},
		{"function_name=on", "notice  [MAIN  ] TestPlaces text"},
		{"fileline=on function_name=on", "notice  [MAIN  ] flight_test.go:TestPlaces:LINE text"},
		{"fileline=off", "notice  [MAIN  ] text"},
	} {
		s, stderr := recorder(t, append(strings.Fields(c.set), "to_stderr=yes", "timestamp=off", "blackbox=off")...)
		h := helper{s.Subsys("MAIN").Log}
		func() { h.logf("text") }()
		s.Subsys("MAIN").Notice("%s", "text")
		s.Close()
		for _, line := range strings.Split(strings.TrimSpace(stderr.String()), "\n") {
			if got := digits(line); got != c.want {
				t.Errorf("%s: %q, want %q", c.set, got, c.want)
			}
		}
	}
}

// digits puts LINE in the place of a number after a colon.
func digits(s string) string {
	head, tail, ok := strings.Cut(s, ":")
	if !ok {
		return s
	}
	if rest := strings.TrimLeft(tail, "0123456789"); rest != tail {
		return head + ":LINE" + rest
	}
	return head + ":" + digits(tail)
}

func TestShortName(t *testing.T) {
	for full, want := range map[string]string{
		"github.com/pacesync/pacesync/totem/srp.(*Ring).onToken":    "onToken",
		"example.com/x.(*T).run.func1.2":                            "run",
		"example.com/x/daemon.(*Daemon).dumpFlight.gowrap1":         "dumpFlight",
		"example.com/x/logsys.(*Logger).Log-fm":                     "Log",
		"main.main":                                                 "main",
		"github.com/pacesync/pacesync/internal/corosync/daemon.run": "run",
	} {
		if got := shortName(full); got != want {
			t.Errorf("%s: %s, want %s", full, got, want)
		}
	}
}
