package daemonkit

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
)

// logged starts a daemon's log into a file with some environment and returns
// what f logged: the file, and standard error.
func logged(t *testing.T, verbose int, env map[string]string, f func(*Logger)) (file, stderr string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "log")
	for _, k := range []string{"PCMK_debug", "PCMK_stderr", "PCMK_logpriority", "HA_debug", "HA_stderr", "HA_logfacility", "HA_logfile"} {
		t.Setenv(k, "")
	}
	t.Setenv("PCMK_logfile", name)
	t.Setenv("PCMK_logfacility", "none")
	for k, v := range env {
		t.Setenv(k, v)
	}
	var err bytes.Buffer
	l := daemonLog(Options{Program: "pacemaker-attrd", Verbose: verbose, Stderr: &err})
	f(l)
	l.Flush()
	b, readErr := os.ReadFile(name)
	if readErr != nil && env["PCMK_logfile"] == "" {
		t.Fatal(readErr)
	}
	return string(b), err.String()
}

// say logs one line per level.
func say(l *Logger) {
	l.Crit("crit text")
	l.Error("error text")
	l.Warn("warning text")
	l.Notice("notice text", "pid", 7, "rc", -1)
	l.Info("info text")
	l.Debug("debug text")
	l.Trace("trace text")
}

func TestFileLines(t *testing.T) {
	file, stderr := logged(t, 0, nil, say)
	if stderr != "" {
		t.Errorf("standard error without -V: %q", stderr)
	}
	// As the original: Nov 22 16:52:34.123 host pacemaker-attrd     [123] (main) 	notice: text | pid=7
	want := regexp.MustCompile(`^[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d\.\d{3} \S+ pacemaker-attrd     \[\d+\] \(say\) 	notice: notice text \| pid=7 rc=-1$`)
	lines := strings.Split(strings.TrimSpace(file), "\n")
	if !slices.ContainsFunc(lines, want.MatchString) {
		t.Errorf("no line like %s in\n%s", want, file)
	}
	if !strings.Contains(file, "(say) \tcrit: crit text\n") || !strings.Contains(file, "info: info text") || strings.Contains(file, "debug text") {
		t.Errorf("levels:\n%s", file)
	}
}

// TestFullDisk: what a full disk did not take is counted, and said on a line of
// its own once there is room.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	name := filepath.Join(t.TempDir(), "log")
	room, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer room.Close()
	s := &file{f: full}
	for range 3 {
		s.put(line{text: "nobody will read this"})
	}
	s.f, s.full.torn = room, true // as if the last had been cut
	s.put(line{text: "this"})
	s.put(line{text: "that"})
	text, _ := os.ReadFile(name)
	got := strings.Split(string(text), "\n")
	if len(got) != 5 || got[0] != "" || !strings.Contains(got[1], "3 log lines were lost: write /dev/full: no space left on device") ||
		!strings.HasSuffix(got[2], "this") || !strings.HasSuffix(got[3], "that") {
		t.Errorf("%q", got)
	}
}

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		name    string
		verbose int
		env     map[string]string
		file    bool // has the debug line
		stderr  bool
	}{
		{name: "plain"},
		{name: "PCMK_debug", env: map[string]string{"PCMK_debug": "yes"}, file: true},
		{name: "PCMK_debug of this daemon", env: map[string]string{"PCMK_debug": "crmd,pacemaker-attrd"}, file: true},
		{name: "PCMK_debug of another", env: map[string]string{"PCMK_debug": "crmd"}},
		{name: "-V", verbose: 1},
		{name: "-VV", verbose: 2, file: true, stderr: true},
		{name: "PCMK_stderr", env: map[string]string{"PCMK_stderr": "1", "PCMK_debug": "1"}, file: true, stderr: true},
	} {
		file, stderr := logged(t, c.verbose, c.env, say)
		if strings.Contains(file, "debug text") != c.file || strings.Contains(stderr, "(say) \tdebug: debug text\n") != c.stderr {
			t.Errorf("%s:\n%s\nstderr:\n%s", c.name, file, stderr)
		}
		if wantErr := c.verbose > 0 || c.stderr; (stderr != "") != wantErr {
			t.Errorf("%s: stderr %q", c.name, stderr)
		}
	}
}

func TestUnwritableLogIsNamed(t *testing.T) {
	_, stderr := logged(t, 1, map[string]string{"PCMK_logfile": "/nonexistent/log"}, say)
	if !strings.Contains(stderr, "Logging to '/nonexistent/log' is disabled") {
		t.Errorf("%q", stderr)
	}
}

func TestLongLinesEndInDots(t *testing.T) {
	file, _ := logged(t, 0, nil, func(l *Logger) { l.Info(strings.Repeat("x", 5000)) })
	if !strings.Contains(file, "xxx...\n") || len(file) > 3000 {
		t.Errorf("%d bytes", len(file))
	}
}

func TestMainSurvivesPanic(t *testing.T) {
	k := &Kit{Program: "pacemaker-attrd", Log: DiscardLog()}
	if got := k.Main(func() pcmk.Exit { panic("ours") }); got != int(pcmk.ExitSoftware) {
		t.Errorf("status %d", got)
	}
	if got := k.Main(func() pcmk.Exit { return pcmk.ExitFatal }); got != 100 {
		t.Errorf("status %d", got)
	}
}

func TestDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"5": 5 * time.Second, "5s": 5 * time.Second, " 5 sec": 5 * time.Second, "20ms": 20 * time.Millisecond, "3m": 3 * time.Minute,
		"2min": 2 * time.Minute, "1h": time.Hour, "1hr": time.Hour, "7us": 7 * time.Microsecond, "999999999999999h": maxDuration, "0": 0,
	} {
		if d, ok := Duration(s); !ok || d != want {
			t.Errorf("%q: %v %v, want %v", s, d, ok, want)
		}
	}
	for _, s := range []string{"", "x", "-1", "5 weeks", "s"} {
		if d, ok := Duration(s); ok {
			t.Errorf("%q: %v", s, d)
		}
	}
}

func TestTimers(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	var ts Timers[string]
	if !ts.Deadline().IsZero() || ts.Due(at(9)) != nil {
		t.Error("empty")
	}
	ts.Set("b", at(2))
	ts.Set("c", at(2))
	ts.Set("a", at(1))
	ts.Set("d", at(3))
	ts.Set("a", at(2)) // later than before
	if got := ts.Due(at(1)); got != nil {
		t.Errorf("%v", got)
	}
	if !ts.Stop("d") || ts.Stop("d") {
		t.Error("Stop")
	}
	if w, ok := ts.Armed("b"); !ok || w != at(2) || ts.Deadline() != at(2) {
		t.Error("Armed")
	}
	if got := ts.Due(at(2)); !slices.Equal(got, []string{"b", "c", "a"}) {
		t.Errorf("%v: those of one time come as they were set", got)
	}
}
