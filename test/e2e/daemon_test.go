package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// checkMemory: with 20 clients a daemon has less than 64 MiB in memory; its
// program is there as a whole, and locked.
func checkMemory(t *testing.T, n *lab.Node) {
	cmd, err := n.Command(labtest.Context(t, time.Minute), clientProgram(t, "hold"), "20")
	if err != nil {
		t.Fatal(err)
	}
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); cmd.Wait() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("20 clients: %q, %v", line, err)
	}
	kib := func(file, key string) (sum int) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", n.Daemon(lab.PartCorosync), file))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var v int
			if _, err := fmt.Sscanf(line, key+": %d kB", &v); err == nil {
				sum += v
			}
		}
		return sum
	}
	program, err := os.Stat(fmt.Sprintf("/proc/%d/exe", n.Daemon(lab.PartCorosync)))
	if err != nil {
		t.Fatal(err)
	}
	if rss := kib("status", "VmRSS"); rss > 64<<10 || rss == 0 {
		t.Errorf("%d KiB in memory, want at most 64 MiB", rss)
	}
	if have, want := kib("status", "RssFile")+kib("status", "RssShmem"), int(program.Size()>>10)*9/10; have < want {
		t.Errorf("%d KiB of the program in memory, want at least %d", have, want)
	}
	if locked, rss := kib("smaps", "Locked"), kib("smaps", "Rss"); locked < rss*9/10 {
		t.Errorf("%d of %d KiB are locked", locked, rss)
	}
}

// TestDaemon: how the daemon starts and ends, as scripts and systemd see it, the
// original's beside ours.
func TestDaemon(t *testing.T) {
	labtest.Corosync(t)
	for _, impl := range []lab.Impl{lab.Debian, lab.Ours} {
		t.Run(impl.String(), func(t *testing.T) {
			ctx := labtest.Context(t, 2*time.Minute)
			l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Corosync: impl}}})
			if err := l.WriteConf(lab.Conf{}); err != nil {
				t.Fatal(err)
			}
			n := l.Node("n1")
			sh := func(command string) lab.Result {
				res, _ := n.Exec(ctx, "sh", "-c", command) // a status is part of what is looked at
				return res
			}
			t.Run("background", func(t *testing.T) {
				// On one processor a real-time thread that waited for an ordinary one would keep it
				// from running, as long as the kernel lets it.
				res := sh("taskset -c 0 /usr/sbin/corosync")
				if res.Code != 0 || res.Stdout+res.Stderr != "" {
					t.Fatalf("status %d, said %q", res.Code, res.Stdout+res.Stderr)
				}
				if err := n.WaitServe(ctx); err != nil {
					t.Fatal(err)
				}
				if err := n.CheckOrigins(); err != nil {
					t.Error(err)
				}
				if used, err := n.CPU(lab.PartCorosync); err != nil || used > 500*time.Millisecond {
					t.Errorf("the start took %v of processor time, %v", used, err)
				}
				pid := strings.TrimSpace(sh("cat /run/corosync.pid").Stdout)
				for what, want := range map[string]string{
					"readlink /proc/" + pid + "/exe":           "/usr/sbin/corosync",
					"cat /proc/" + pid + "/comm":               "corosync",
					"readlink /proc/" + pid + "/fd/0":          "/dev/null",
					"readlink /proc/" + pid + "/cwd":           "/var/lib/corosync",
					"stat -c %a /run/corosync.pid":             "640",
					"stat -c %a:%s /var/lib/corosync/ringid_1": "600:8",
					"ps -o cls= -p " + pid:                     "RR",
					"ps -o sid= -p " + pid + " | tr -d ' '":    pid,
				} {
					if got := strings.TrimSpace(sh(what).Stdout); got != want {
						t.Errorf("%s: %q, want %q", what, got, want)
					}
				}
			})
			if impl == lab.Ours {
				t.Run("memory", func(t *testing.T) { checkMemory(t, n) })
			}
			t.Run("second instance", func(t *testing.T) {
				res := sh("/usr/sbin/corosync -f")
				if res.Code != 18 {
					t.Errorf("status %d, want 18", res.Code)
				}
				logged(t, n, "Another Corosync instance is already running.")
				if err := n.WaitServe(ctx); err != nil {
					t.Errorf("the first instance: %v", err)
				}
			})
			if impl == lab.Ours {
				t.Run("after a crash", func(t *testing.T) { leavesNothing(ctx, t, n, sh) })
			}
			t.Run("ends on SIGTERM", func(t *testing.T) {
				pid := strings.TrimSpace(sh("cat /run/corosync.pid").Stdout)
				sh("kill -TERM " + pid)
				testwait.For(t, 10*time.Second, "the daemon to end", func() bool { return sh("kill -0 "+pid).Code != 0 })
				logged(t, n, "Node was shut down by a signal")
				logged(t, n, "Corosync Cluster Engine exiting normally")
				for _, left := range []string{"/run/corosync.pid", "/dev/shm/qb-*"} {
					if res := sh("ls -d " + left); res.Code == 0 {
						t.Errorf("left behind: %s", res.Stdout)
					}
				}
			})
			t.Run("systemd", func(t *testing.T) { notifies(t, n, sh) })
		})
	}
}

// leavesNothing checks that a daemon removes what one that was killed with a client
// left in /dev/shm.
func leavesNothing(ctx context.Context, t *testing.T, n *lab.Node, sh func(string) lab.Result) {
	// The client is stopped, so that it cannot clear up itself.
	res := sh("sleep 60 | stdbuf -oL corosync-cmapctl -t test.x >/run/tracked & until grep -q Type /run/tracked; do sleep 0.05; done; " +
		"kill -STOP $(pidof corosync-cmapctl); kill -KILL $(cat /run/corosync.pid); kill -KILL $(pidof corosync-cmapctl) $(pidof sleep); ls -d /dev/shm/qb-*-*-*-*")
	if res.Code != 0 {
		t.Fatalf("nothing was left to clear up: %v", res)
	}
	if res := sh("/usr/sbin/corosync"); res.Code != 0 {
		t.Fatalf("status %d, said %q", res.Code, res.Stdout+res.Stderr)
	}
	if err := n.WaitServe(ctx); err != nil {
		t.Fatal(err)
	}
	for _, left := range strings.Fields(res.Stdout) {
		if res := sh("ls -d " + left); res.Code == 0 {
			t.Errorf("left behind: %s", left)
		}
	}
}

// notifies checks that READY=1 comes once the ring has formed and not before.
func notifies(t *testing.T, n *lab.Node, sh func(string) lab.Result) {
	path := n.Path("/var/log/notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	go sh("NOTIFY_SOCKET=/var/log/notify /usr/sbin/corosync -f")
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	k, err := conn.Read(buf)
	if err != nil || !strings.Contains(string(buf[:k]), "READY=1") {
		t.Fatalf("read %q, %v, want READY=1", buf[:k], err)
	}
	if res := sh("corosync-quorumtool -s"); !strings.Contains(res.Stdout, "Quorate:") {
		t.Errorf("after READY=1 the daemon does not serve: %q", res.Stdout+res.Stderr)
	}
	sh("kill -TERM $(cat /run/corosync.pid)")
}

// logged fails the test unless the node's log has the text, now or soon.
func logged(t *testing.T, n *lab.Node, text string) {
	t.Helper()
	path := n.Path(filepath.Join("/var/log/corosync", "corosync.log"))
	testwait.For(t, 5*time.Second, fmt.Sprintf("%q in the log", text), func() bool {
		log, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(log), text)
	})
}

// TestDaemonRefusals: a start that cannot succeed says why and with which status.
func TestDaemonRefusals(t *testing.T) {
	labtest.Corosync(t)
	for _, impl := range []lab.Impl{lab.Debian, lab.Ours} {
		t.Run(impl.String(), func(t *testing.T) {
			ctx := labtest.Context(t, 2*time.Minute)
			l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Corosync: impl}}})
			n := l.Node("n1")
			for _, c := range []struct {
				what   string
				conf   lab.Conf
				status int
				log    string
			}{
				{"provider", lab.Conf{Quorum: []string{"provider: nonsense"}}, 20, "Invalid quorum provider"},
				{"quorum", lab.Conf{Quorum: []string{"auto_tie_breaker: 1", "last_man_standing: 1", "expected_votes: 3"}}, 20, "configuration error"},
				{"token too short", lab.Conf{Totem: []string{"token: 10"}}, 8, "may not be less than"},
			} {
				t.Run(c.what, func(t *testing.T) {
					if err := l.WriteConf(c.conf); err != nil {
						t.Fatal(err)
					}
					res, _ := n.Exec(ctx, "timeout", "20", "/usr/sbin/corosync", "-f")
					if res.Code != c.status {
						t.Errorf("status %d, want %d", res.Code, c.status)
					}
					logged(t, n, c.log)
				})
			}
		})
	}
}
