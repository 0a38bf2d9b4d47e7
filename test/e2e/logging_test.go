package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

const logFile = "/var/log/corosync/corosync.log"

func logText(n *lab.Node, path string) string {
	b, _ := os.ReadFile(n.Path(path)) // not there yet: nothing
	return string(b)
}

// TestLogControl: what administrators do to the log of a running daemon: debug lines
// of one subsystem and of all through cmap, a moved file, no file. The original's
// beside ours.
func TestLogControl(t *testing.T) {
	labtest.Long(t, "the unit tests of internal/corosync/logsys")
	labtest.Corosync(t)
	ctx := labtest.Context(t, 3*time.Minute)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Corosync: lab.Debian}, {Corosync: lab.Ours}}})
	must(t, l.WriteConf(lab.Conf{}))
	must(t, l.StartRing(ctx, l.Members()...))
	var gone []lab.Result
	for _, n := range l.Members() {
		t.Run(n.Corosync().String(), func(t *testing.T) {
			controlLog(t, ctx, n)
			// A folder that is not there: the tool says so, the daemon goes on.
			res, _ := n.Exec(ctx, "sh", "-c", "mv /var/log/corosync /var/log/gone; corosync-cfgtool -L; code=$?; mv /var/log/gone /var/log/corosync; exit $code")
			gone = append(gone, res)
		})
	}
	if len(gone) == 2 {
		compare(t, "corosync-cfgtool -L without the folder", gone[0], gone[1])
		t.Logf("status %d, %q", gone[1].Code, gone[1].Stdout+gone[1].Stderr)
	}
}

func controlLog(t *testing.T, ctx context.Context, n *lab.Node) {
	do := func(args ...string) {
		t.Helper()
		if res, err := n.Exec(ctx, args...); err != nil {
			t.Fatalf("%v: %v %s", args, err, res.Stderr)
		}
	}
	set := func(key, value string) { t.Helper(); do("corosync-cmapctl", "-s", "logging."+key, "str", value) }
	debug := func(subsys string) int {
		return len(regexp.MustCompile(`(?m) debug +\[`+subsys+` *\]`).FindAllString(logText(n, logFile), -1))
	}
	ask := func() { t.Helper(); do("corosync-quorumtool", "-s"); do("corosync-cpgtool", "-n") }
	ask()
	if k := debug(`\w+`); k != 0 {
		t.Errorf("%d debug lines before they were asked for", k)
	}
	set("logger_subsys.QUORUM.subsys", "QUORUM")
	set("logger_subsys.QUORUM.debug", "on")
	testwait.For(t, 20*time.Second, "debug lines of QUORUM", func() bool { ask(); return debug("QUORUM") > 0 })
	if k := debug("CPG"); k != 0 {
		t.Errorf("%d debug lines of CPG, which were not asked for", k)
	}
	set("logger_subsys.QUORUM.debug", "off")
	set("debug", "on")
	testwait.For(t, 20*time.Second, "debug lines of CPG", func() bool { ask(); return debug("CPG") > 0 })
	before := debug("QUORUM")
	ask()
	if k := debug("QUORUM"); k != before {
		t.Errorf("debug lines of QUORUM, for which it is off: %d, then %d", before, k)
	}
	set("debug", "off")
	do("mv", logFile, logFile+".1")
	do("corosync-cfgtool", "-L")
	set("debug", "on")
	testwait.For(t, 20*time.Second, "lines in the new file", func() bool { ask(); return debug("CPG") > 0 })
	moved := logText(n, logFile+".1")
	ask()
	if logText(n, logFile+".1") != moved {
		t.Error("the moved file still grows")
	}
	set("logfile", "/var/log/corosync/other.log")
	testwait.For(t, 20*time.Second, "lines in another file", func() bool { ask(); return logText(n, "/var/log/corosync/other.log") != "" })
	set("to_logfile", "no")
	defer set("to_logfile", "yes")
	testwait.For(t, 20*time.Second, "no more lines", func() bool {
		was := logText(n, "/var/log/corosync/other.log")
		ask()
		return logText(n, "/var/log/corosync/other.log") == was
	})
}

// syslogScript gives a command a /dev of its own, in which /dev/log is a socket of
// the test's.
const syslogScript = `set -e
mkdir -p /run/dev && mount -t tmpfs none /run/dev && mkdir /run/dev/shm && touch /run/dev/null /run/dev/zero /run/dev/urandom /run/dev/random /run/dev/log
for d in shm null zero urandom random; do mount --bind /dev/$d /run/dev/$d; done
mount --bind /var/log/log.sock /run/dev/log
mount --rbind /run/dev /dev
exec timeout 20 /usr/sbin/corosync -t`

// TestSyslog: the datagrams for the system's log daemon, in each facility and
// priority and each form of lines, are the original's.
func TestSyslog(t *testing.T) {
	labtest.Long(t, "the unit test TestSyslogDatagrams")
	labtest.Corosync(t)
	ctx := labtest.Context(t, 4*time.Minute)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Corosync: lab.Debian}, {Corosync: lab.Ours}}})
	var listen [2]*net.UnixConn
	for i, n := range l.Members() {
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: n.Path("/var/log/log.sock"), Net: "unixgram"})
		must(t, err)
		defer conn.Close()
		must(t, os.Chmod(n.Path("/var/log/log.sock"), 0o666))
		listen[i] = conn
	}
	var sets [][]string
	for _, f := range []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "local0", "local7"} {
		sets = append(sets, []string{"syslog_facility: " + f})
	}
	for _, p := range []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"} {
		sets = append(sets, []string{"syslog_priority: " + p})
	}
	for _, s := range []string{"timestamp: on", "timestamp: off", "fileline: on", "function_name: on", "debug: on", "debug: trace"} {
		sets = append(sets, []string{s})
	}
	for _, set := range sets {
		for _, token := range []int{1000, 10} { // the second is refused
			must(t, l.WriteConf(lab.Conf{Totem: []string{fmt.Sprintf("token: %d", token)}, Logging: append([]string{"to_syslog: yes"}, set...)}))
			var got [2]string
			for i, n := range l.Members() {
				res, _ := n.Exec(ctx, "unshare", "-m", "sh", "-c", syslogScript) // its status is that of the check
				if want := map[int]int{1000: 0, 10: 8}[token]; res.Code != want {
					t.Fatalf("%s, %v: status %d, want %d: %s", n.Name(), set, res.Code, want, res.Stderr)
				}
				got[i] = datagrams(t, listen[i])
			}
			if got[0] != got[1] {
				t.Errorf("%v, token %d:\n%s\nof the original:\n%s", set, token, got[1], got[0])
			}
		}
	}
}

// datagrams reads what has come, with times, processes and places in the source
// made alike, and without what only ours says or numbers that are the builds'.
func datagrams(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	var b strings.Builder
	buf := make([]byte, 8192)
	for {
		must(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		k, err := conn.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return b.String()
		}
		must(t, err)
		line := string(buf[:k])
		if strings.Contains(line, "see "+confFile) || strings.Contains(line, "totemip_parse") {
			continue
		}
		for _, r := range []struct{ what, by string }{
			{`>\w+ +\d+ \d+:\d+:\d+ `, ">TIME "}, {`\[\d+\]: `, "[PID]: "}, {`\w+\.(c|go):\d+ `, "PLACE "}, {`\] \w+ (Coro|parse)`, "] FUNC $1"}, {`at main\.(c:\d+|go)\.`, "at MAIN."},
		} {
			line = regexp.MustCompile(r.what).ReplaceAllString(line, r.by)
		}
		b.WriteString(strings.TrimRight(line, "\x00\n") + "\n")
	}
}
