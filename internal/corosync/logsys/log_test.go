package logsys

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/testwait"
)

// settings builds logging settings from keys like "to_syslog=no".
func settings(t *testing.T, kv ...string) *config.Logging {
	t.Helper()
	m := cmap.NewMap()
	for _, s := range append([]string{"to_stderr=no", "to_syslog=no"}, kv...) {
		k, v, _ := strings.Cut(s, "=")
		if err := m.Set("logging."+k, cmap.Str(v)); err != nil {
			t.Fatal(err)
		}
	}
	l, err := config.ReadLogging(m)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// testSystem logs at a fixed time as process 17 on host n1.
func testSystem(t *testing.T, stderr *bytes.Buffer) *System {
	s := New(Options{
		Stderr: stderr, PID: 17, Host: "n1", DevLog: filepath.Join(t.TempDir(), "none"),
		Now: func() time.Time { return time.Date(2026, 11, 2, 9, 26, 29, 7e6, time.Local) },
	})
	t.Cleanup(func() { s.Close() })
	return s
}

func TestLinesOnStderrAndInFiles(t *testing.T) {
	for _, c := range []struct {
		timestamp, stderr, file string
	}{
		{"hires", "Nov 02 09:26:29.007 notice  [MAIN  ] text", "Nov 02 09:26:29.007 [17] n1 corosync notice  [MAIN  ] text"},
		{"on", "Nov 02 09:26:29 notice  [MAIN  ] text", "Nov 02 09:26:29 [17] n1 corosync notice  [MAIN  ] text"},
		{"off", "notice  [MAIN  ] text", "[17] n1 corosyncnotice  [MAIN  ] text"},
	} {
		var stderr bytes.Buffer
		s := testSystem(t, &stderr)
		path := filepath.Join(t.TempDir(), "log")
		if err := s.Apply(settings(t, "to_stderr=yes", "to_logfile=yes", "logfile="+path, "timestamp="+c.timestamp)); err != nil {
			t.Fatal(err)
		}
		s.Subsys("MAIN").Notice("te%s\n", "xt")
		s.Subsys("MAIN").Debug("not shown")
		if !s.Close() {
			t.Error("close did not flush")
		}
		got, _ := os.ReadFile(path)
		if stderr.String() != c.stderr+"\n" || string(got) != c.file+"\n" {
			t.Errorf("%s:\nstderr %q\nwant   %q\nfile %q\nwant %q", c.timestamp, stderr.String(), c.stderr, got, c.file)
		}
	}
}

func TestNamesAreCutAndPadded(t *testing.T) {
	var stderr bytes.Buffer
	s := testSystem(t, &stderr)
	_ = s.Apply(settings(t, "to_stderr=yes", "timestamp=off", "debug=trace"))
	s.Subsys("VOTEQUORUM").Crit("a")
	s.Subsys("QB").Trace("b")
	s.Subsys("QB").Info("%s", strings.Repeat("x", 2000))
	s.Close()
	lines := strings.Split(stderr.String(), "\n")
	if lines[0] != "crit    [VOTEQU] a" || lines[1] != "trace   [QB    ] b" {
		t.Errorf("%q", lines[:2])
	}
	if len(lines[2]) != maxLine {
		t.Errorf("long line has %d characters, want %d", len(lines[2]), maxLine)
	}
}

func TestSubsystemLevels(t *testing.T) {
	var stderr bytes.Buffer
	s := testSystem(t, &stderr)
	early := s.Subsys("CPG") // a logger made before the settings
	early.Crit("before Apply: nowhere")
	c := settings(t, "to_stderr=yes", "timestamp=off", "logfile_priority=warning", "debug=on",
		"logger_subsys.CPG.subsys=CPG", "logger_subsys.CPG.debug=trace",
		"logger_subsys.TOTEM.subsys=TOTEM", "logger_subsys.QUORUM.subsys=QUORUM", "logger_subsys.QUORUM.to_stderr=no")
	_ = s.Apply(c)
	early.Trace("1")
	s.Subsys("TOTEM").Debug("debug is on in the main section only")
	s.Subsys("TOTEM").Warning("2")
	s.Subsys("QUORUM").Crit("to_stderr is off")
	s.Subsys("MAIN").Debug("3")
	s.Subsys("MAIN").Trace("too much")
	s.Close()
	want := "trace   [CPG   ] 1\nwarning [TOTEM ] 2\ndebug   [MAIN  ] 3\n"
	if stderr.String() != want {
		t.Errorf("got  %q\nwant %q", stderr.String(), want)
	}
}

type explode struct{}

func (explode) String() string { panic("formatted") }

func TestNothingIsFormattedWhenOff(t *testing.T) {
	var stderr bytes.Buffer
	s := testSystem(t, &stderr)
	_ = s.Apply(settings(t, "to_stderr=yes"))
	l := s.Subsys("TOTEM")
	l.Debug("%s", explode{})
	if n := testing.AllocsPerRun(100, func() {
		if l.Enabled(service.LevelDebug) {
			t.Error("debug is on")
		}
	}); n != 0 {
		t.Errorf("Enabled allocates %v times", n)
	}
}

func TestSyslogDatagrams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "devlog")
	listen := func() *net.UnixConn {
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	conn := listen()
	s := New(Options{PID: 17, Host: "n1", DevLog: path, Now: func() time.Time { return time.Date(2026, 11, 2, 9, 26, 29, 0, time.Local) }})
	defer s.Close()
	_ = s.Apply(settings(t, "to_syslog=yes", "debug=trace", "syslog_facility=local3"))
	buf := make([]byte, 1024)
	expect := func(want string) {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := conn.Read(buf)
		if err != nil || string(buf[:n]) != want {
			t.Errorf("got %q, %v\nwant %q", buf[:n], err, want)
		}
	}
	local3 := 19 << 3
	l := s.Subsys("MAIN")
	l.Notice("hello")
	expect(fmt.Sprintf("<%d>Nov  2 09:26:29 corosync[17]:   [MAIN  ] hello", local3|5))
	l.Debug("low")
	expect(fmt.Sprintf("<%d>Nov  2 09:26:29 corosync[17]:   [MAIN  ] low", local3|6))
	l.Trace("lower")
	expect(fmt.Sprintf("<%d>Nov  2 09:26:29 corosync[17]:   [MAIN  ] lower", local3|7))
	_ = s.Apply(settings(t, "to_syslog=yes", "timestamp=off"))
	conn.Close() // the log daemon is started anew
	_ = os.Remove(path)
	conn = listen()
	defer conn.Close()
	l.Error("again")
	expect("<27>Nov  2 09:26:29 corosync[17]:  [MAIN  ] again")
}

// gate is a destination that blocks until it is opened.
type gate struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	open  chan struct{}
	began chan struct{}
	once  sync.Once
}

func (g *gate) Write(b []byte) (int, error) {
	g.once.Do(func() { close(g.began) })
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buf.Write(b)
}

func (g *gate) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buf.String()
}

func TestFullQueueDropsCountsAndTells(t *testing.T) {
	g := &gate{open: make(chan struct{}), began: make(chan struct{})}
	s := New(Options{Stderr: g, PID: 1, Host: "n1"})
	_ = s.Apply(settings(t, "to_stderr=yes", "timestamp=off"))
	l := s.Subsys("MAIN")
	l.Info("first")
	<-g.began // the writer is stuck in the first line
	for i := range queueLen + 25 {
		l.Info("line %d", i)
	}
	if s.Lost() != 25 {
		t.Errorf("lost %d, want 25", s.Lost())
	}
	close(g.open)
	if !s.Close() {
		t.Error("close did not flush")
	}
	out := g.String()
	if !strings.Contains(out, "error   [QB    ] 25 log messages lost: ") {
		t.Errorf("nothing tells of the loss: %q", out[:200])
	}
	if n := strings.Count(out, "\n"); n != queueLen+2 {
		t.Errorf("%d lines, want %d", n, queueLen+2)
	}
}

func TestUnopenableFileChangesNothing(t *testing.T) {
	var stderr bytes.Buffer
	s := testSystem(t, &stderr)
	_ = s.Apply(settings(t, "to_stderr=yes", "timestamp=off"))
	path := filepath.Join(t.TempDir(), "no", "log")
	err := s.Apply(settings(t, "to_logfile=yes", "logfile="+path))
	var ce *config.Error
	want := fmt.Sprintf("parse error in config: Can't open logfile '%s' for reason: No such file or directory (2).", path)
	if !errors.As(err, &ce) || ce.Text != want || ce.Status != 7 {
		t.Errorf("got %v, want %s", err, want)
	}
	off := filepath.Join(t.TempDir(), "off")
	_ = s.Apply(settings(t, "to_stderr=yes", "timestamp=off", "to_logfile=no", "logfile="+off))
	s.Subsys("MAIN").Error("still here")
	s.Close()
	if stderr.String() != "error   [MAIN  ] still here\n" {
		t.Errorf("%q", stderr.String())
	}
	if got, _ := os.ReadFile(off); len(got) > 0 {
		t.Errorf("to_logfile is no and the file has %q", got)
	}
}

func TestReopenAfterRotation(t *testing.T) {
	var stderr bytes.Buffer
	s := testSystem(t, &stderr)
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	_ = s.Apply(settings(t, "to_logfile=yes", "logfile="+path))
	l := s.Subsys("MAIN")
	l.Info("one")
	size := func(p string) int64 {
		st, err := os.Stat(p)
		if err != nil {
			return -1
		}
		return st.Size()
	}
	testwait.For(t, 5*time.Second, "first line", func() bool { return size(path) > 0 })
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	s.Reopen(func(err error) { result <- err })
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	l.Info("two")
	s.Close()
	old, _ := os.ReadFile(path + ".1")
	now, _ := os.ReadFile(path)
	if !strings.HasSuffix(string(old), "] one\n") || !strings.HasSuffix(string(now), "] two\n") || strings.Contains(string(now), "one") {
		t.Errorf("old %q new %q", old, now)
	}
}

func TestApplyLaterSwitchesFiles(t *testing.T) {
	var stderr bytes.Buffer
	s := testSystem(t, &stderr)
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	_ = s.Apply(settings(t, "to_logfile=yes", "logfile="+a, "timestamp=off"))
	l := s.Subsys("CFG")
	l.Notice("in a")
	done := make(chan error, 1)
	s.ApplyLater(settings(t, "to_logfile=yes", "logfile="+b, "timestamp=off"), func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	l.Notice("in b")
	s.Close()
	for path, want := range map[string]string{a: "in a", b: "in b"} {
		if got, _ := os.ReadFile(path); string(got) != "[17] n1 corosyncnotice  [CFG   ] "+want+"\n" {
			t.Errorf("%s: %q", path, got)
		}
	}
}
