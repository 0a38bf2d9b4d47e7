package e2e

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// watchedResources: memory is over its limit at once, the load never is; the
// device is a plain file, which refuses every request of a watchdog's.
const watchedResources = `
resources {
  watchdog_device: /var/lib/corosync/dog
  watchdog_timeout: 2
  system {
    memory_used {
      recovery: watchdog
      max: 0
    }
    load_15min {
      max: 100000
    }
  }
}
`

// serviceRing is a ring of two, the original's and ours, both watching resources
// and feeding a file. Their daemons' exit statuses come on the channel.
func serviceRing(t *testing.T, ctx context.Context) (l *lab.Lab, ended chan int) {
	t.Helper()
	l = labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Corosync: lab.Debian}, {Corosync: lab.Ours}}})
	if err := l.WriteConf(lab.Conf{Totem: []string{"token: 3000"}, Logging: []string{"debug: on"}}); err != nil {
		t.Fatal(err)
	}
	ended = make(chan int, 2)
	for _, n := range l.Members() {
		conf := n.Path("/etc/corosync/corosync.conf")
		text, err := os.ReadFile(conf)
		if err != nil {
			t.Fatal(err)
		}
		for path, b := range map[string]string{conf: string(text) + watchedResources, n.Path("/var/lib/corosync/dog"): ""} {
			if err := os.WriteFile(path, []byte(b), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	startForeground(t, ctx, l, ended)
	return l, ended
}

// startForeground starts the ring's daemons; their exit statuses come on the channel.
func startForeground(t *testing.T, ctx context.Context, l *lab.Lab, ended chan<- int) {
	t.Helper()
	for _, n := range l.Members() {
		go func() {
			res, _ := n.Exec(ctx, "/usr/sbin/corosync", "-f")
			ended <- res.Code
		}()
		testwait.For(t, 20*time.Second, "the daemon of "+n.Name(), func() bool { return n.Daemon(lab.PartCorosync) != 0 })
	}
	if err := l.WaitRing(ctx, l.Members()...); err != nil {
		t.Fatal(err)
	}
}

// TestServices: resource monitoring, watchdog, flight recorder and load generation
// of the original and of ours in one ring: same keys, same log lines, files that
// either's tool reads, and one run of pload that ends both.
func TestServices(t *testing.T) {
	labtest.Need(t, "/usr/sbin/corosync", "/usr/sbin/qb-blackbox")
	ctx := labtest.Context(t, 3*time.Minute)
	l, ended := serviceRing(t, ctx)
	original, ours := l.Node("n1"), l.Node("n2")
	for _, n := range l.Members() {
		testwait.For(t, 30*time.Second, "the watchdog to be let go on "+n.Name(), func() bool {
			lines := strings.Join(serviceLines(t, n), "\n")
			return strings.Contains(lines, "NOT tickling the watchdog!") && strings.Contains(lines, `watchdog resource "memory_used" failed!`)
		})
	}
	t.Run("log", func(t *testing.T) {
		testwait.For(t, 20*time.Second, "the same lines of MON and WD", func() bool {
			return slices.Equal(serviceLines(t, original), serviceLines(t, ours))
		})
	})
	t.Run("keys", func(t *testing.T) {
		want, got := resourceKeys(ctx, original), resourceKeys(ctx, ours)
		if want != got || !strings.Contains(got, "resources.system.memory_used.state (str) = failed") {
			t.Errorf("keys:\n%s\nof the original:\n%s", got, want)
		}
	})
	t.Run("blackbox", func(t *testing.T) { flightData(t, ctx, l) })
	t.Run("pload", func(t *testing.T) {
		for _, cmd := range []string{"pload.count u32 3000", "pload.size u32 300", "pload.start str i_totally_understand_pload_will_crash_my_cluster_and_kill_corosync_on_exit"} {
			if res, err := ours.Exec(ctx, append([]string{"corosync-cmapctl", "-s"}, strings.Fields(cmd)...)...); err != nil && !strings.Contains(cmd, "start") {
				t.Fatalf("%s: %s %v", cmd, res.Stderr, err)
			}
		}
		for range l.Members() {
			select {
			case code := <-ended:
				if code != 99 {
					t.Errorf("a daemon ended with status %d, want 99", code)
				}
			case <-ctx.Done():
				t.Fatal("the run does not end")
			}
		}
		// The original ends without waiting for its log: its last lines may be lost.
		for _, text := range []string{"Starting pload!", " 3000 Writes 300 bytes per write ", "Stopping corosync the hard way"} {
			logged(t, ours, text)
		}
	})
}

// serviceLines are the lines of monitoring and watchdog, sorted, without those that
// are ours alone: a device that is none is told of. The name that the original
// reads from such a device is what was in its memory.
func serviceLines(t *testing.T, n *lab.Node) []string {
	t.Helper()
	b, err := os.ReadFile(n.Path("/var/log/corosync/corosync.log"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile(`(?m) corosync (\w+ +\[(?:MON|WD) +\] .*)$`).FindAllStringSubmatch(string(b), -1) {
		line := m[1]
		foreign := strings.Contains(line, "does not answer as a watchdog") || strings.Contains(line, "could not be tickled") ||
			strings.HasPrefix(line, "debug") && !strings.Contains(line, "timeout is")
		if !foreign {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

// resourceKeys are the keys, without measured values.
func resourceKeys(ctx context.Context, n *lab.Node) string {
	res, _ := n.Exec(ctx, "corosync-cmapctl", "resources.") // what it says is compared
	return regexp.MustCompile(`(?m)((?:current|last_updated) \(\w+\) = ).*$`).ReplaceAllString(res.Stdout+res.Stderr, "${1}N")
}

// flightData: each daemon's file is shown alike by the original's reader and by ours.
func flightData(t *testing.T, ctx context.Context, l *lab.Lab) {
	for _, n := range l.Members() {
		// Ours asks the daemon, so that the file is fresh, and prints it.
		res, err := n.Exec(ctx, labtest.Bin(t)+"/pacesync", "corosync-blackbox")
		if err != nil || res.Stderr != "" {
			t.Errorf("%s: corosync-blackbox: %v %q", n.Name(), err, res.Stderr)
		}
		ref, err := n.Exec(ctx, "/usr/sbin/qb-blackbox", "/var/lib/corosync/fdata")
		if err != nil {
			t.Fatal(err)
		}
		got, want := strings.Split(res.Stdout, "\n"), strings.Split(ref.Stdout, "\n")
		for i := range max(len(got), len(want)) {
			switch {
			case i >= len(got), i >= len(want):
				t.Fatalf("%s: %d lines, the original's reader prints %d", n.Name(), len(got), len(want))
			case got[i] != want[i] && !strings.Contains(got[i], "% of Token Timeout)"): // libqb's reader prints what is left in its buffer
				t.Fatalf("%s, line %d:\n%s\nthe original's reader prints:\n%s", n.Name(), i+1, got[i], want[i])
			}
		}
		for _, part := range []string{"Corosync Cluster Engine 3.1.7 starting up", `:13: Fsm:memory_used event "failure", state "running" --> "failed"`, "alert   "} {
			if !strings.Contains(res.Stdout, part) {
				t.Errorf("%s: %q is not in the flight data", n.Name(), part)
			}
		}
		script, err := n.Exec(ctx, "/usr/bin/corosync-blackbox") // the original's, which asks the daemon too
		if err != nil || !strings.Contains(script.Stdout, `:13: Fsm:memory_used event "failure"`) {
			t.Errorf("%s: the original's corosync-blackbox: %v %q", n.Name(), err, script.Stderr)
		}
		mode, _ := n.Exec(ctx, "sh", "-c", `readlink /var/lib/corosync/fdata | sed 's/-[0-9T:-]*$/-X/'; stat -L -c %a /var/lib/corosync/fdata`)
		if mode.Stdout != "/var/lib/corosync/fdata-X\n700\n" {
			t.Errorf("%s: fdata: %q", n.Name(), mode.Stdout)
		}
	}
}

// TestWatchdogAndCrash: a daemon that ends in order disarms its watchdog with the
// letter V; one that is aborted does not, and leaves its flight data. The
// original's beside ours.
func TestWatchdogAndCrash(t *testing.T) {
	labtest.Long(t, "TestServices")
	labtest.Need(t, "/usr/sbin/corosync", "/usr/sbin/qb-blackbox")
	ctx := labtest.Context(t, 3*time.Minute)
	l, ended := serviceRing(t, ctx)
	status := func() (code int) {
		select {
		case code = <-ended:
		case <-ctx.Done():
			t.Fatal("a daemon does not end")
		}
		return code
	}
	for _, n := range l.Members() {
		if k := n.Signal(lab.PartCorosync, 6); k == 0 {
			t.Fatal("no daemon to abort")
		}
		if code := status(); code != 128+6 && code != -1 {
			t.Errorf("%s: status %d after SIGABRT", n.Name(), code)
		}
		res, err := n.Exec(ctx, "/usr/sbin/qb-blackbox", "/var/lib/corosync/fdata")
		if err != nil || !strings.Contains(res.Stdout, "Completed service synchronization") {
			t.Errorf("%s: flight data after SIGABRT: %v %q", n.Name(), err, res.Stderr)
		}
		if b, err := os.ReadFile(n.Path("/var/lib/corosync/dog")); err != nil || len(b) != 0 {
			t.Errorf("%s: the watchdog was written %q, %v", n.Name(), b, err)
		}
	}
	startForeground(t, ctx, l, ended)
	for _, n := range l.Members() {
		n.Signal(lab.PartCorosync, 15)
		if code := status(); code != 0 {
			t.Errorf("%s: status %d after SIGTERM", n.Name(), code)
		}
		logged(t, n, "magically closing the watchdog.")
		if b, err := os.ReadFile(n.Path("/var/lib/corosync/dog")); err != nil || string(b) != "V" {
			t.Errorf("%s: the watchdog was written %q, %v; want V", n.Name(), b, err)
		}
	}
}

// TestLogPlaces: fileline and function_name in all combinations, with each
// timestamp: lines have the original's form.
func TestLogPlaces(t *testing.T) {
	labtest.Long(t, "the unit test TestPlaces")
	labtest.Corosync(t)
	ctx := labtest.Context(t, 3*time.Minute)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Corosync: lab.Debian}, {Corosync: lab.Ours}}})
	for _, stamp := range []string{"hires", "on", "off"} {
		for _, set := range [][]string{{"fileline: on"}, {"function_name: on"}, {"fileline: on", "function_name: on"}} {
			if err := l.WriteConf(lab.Conf{Logging: append(set, "timestamp: "+stamp, "to_stderr: yes", "logfile: /var/log/corosync/places.log")}); err != nil {
				t.Fatal(err)
			}
			form := [2][2]string{}
			for i, n := range l.Members() {
				_ = os.Remove(n.Path("/var/log/corosync/places.log"))
				res, _ := n.Exec(ctx, "/usr/sbin/corosync", "-t") // its lines are compared
				b, err := os.ReadFile(n.Path("/var/log/corosync/places.log"))
				if err != nil {
					t.Fatal(err)
				}
				form[i] = [2]string{lineForm(res.Stderr), lineForm(string(b))}
			}
			if form[0] != form[1] || form[0][0] == "" {
				t.Errorf("%s, %v:\n%q\nof the original:\n%q", stamp, set, form[1], form[0])
			}
		}
	}
}

// lineForm is the last line with times, host, files, functions and numbers made
// alike.
func lineForm(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	line := lines[len(lines)-1]
	for _, r := range []struct{ what, by string }{
		{`^\w+ +\d+ \d+:\d+:\d+`, "TIME"}, {`\.\d{3} `, ".MS "}, {`\[\d+\] n\d`, "[PID] HOST"},
		{`\w+\.(c|go):(\w+:)?\d+ `, "FILE:${2}LINE "}, {`FILE:\w+:LINE`, "FILE:FUNC:LINE"}, {`\] \w+ Coro`, "] FUNC Coro"},
	} {
		line = regexp.MustCompile(r.what).ReplaceAllString(line, r.by)
	}
	return line
}
