package e2e

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// startCase is a start that fails: what the shell does before it, what is in the
// file in place of "token: 1000", and the command, "/usr/sbin/corosync -f" without one.
type startCase struct {
	what, before, totem, rest, command string
	status                             int
	// apart: the words differ, as docs/compatibility.md says.
	apart bool
}

func startCases() []startCase {
	return []startCase{
		{what: "no file", command: "/usr/sbin/corosync -f -c /etc/corosync/none", status: 8},
		{what: "unknown option", command: "/usr/sbin/corosync -x", status: 1},
		{what: "option without its value", command: "/usr/sbin/corosync -c", status: 1},
		{what: "-h", command: "/usr/sbin/corosync -h", status: 1},
		{what: "obsolete option", command: "/usr/sbin/corosync -p", status: 1},
		{what: "no key", before: "rm /etc/corosync/authkey", totem: "transport: knet\n  crypto_hash: sha256", status: 8},
		{what: "user of uidgid.d", before: "mkdir -p /etc/corosync/uidgid.d; echo 'uidgid { \n uid: no.body\n}' >/etc/corosync/uidgid.d/x", status: 8},
		{what: "syntax in uidgid.d", before: "mkdir -p /etc/corosync/uidgid.d; echo 'uidgid {' >/etc/corosync/uidgid.d/x", status: 8},
		{what: "log file that is a folder", rest: "logging {\n  to_logfile: yes\n  logfile: /var/log\n}\n", status: 7},
		{what: "log file in no folder", rest: "logging {\n  to_logfile: yes\n  logfile: /var/log/none/x.log\n}\n", status: 7},
		{what: "no state directory", rest: "system {\n  state_dir: /var/lib/none\n}\n", status: 16},
		{what: "priority", rest: "system {\n  sched_rr: no\n  priority: abc\n}\n", status: 8},
		{what: "priority in the background", rest: "system {\n  sched_rr: no\n  priority: abc\n}\n", command: "/usr/sbin/corosync", status: 8},
		{what: "lock file that is a folder", before: "mkdir -p /run/corosync.pid", status: 17, apart: true},
		{what: "ring id that is a folder", before: "mkdir -p /var/lib/corosync/ringid_1", status: 21, apart: true},
		{what: "provider", rest: "quorum {\n  provider: nothing\n}\n", status: 20},
		{what: "device and two_node", rest: "quorum {\n  provider: corosync_votequorum\n  two_node: 1\n  device {\n    model: net\n  }\n}\n", status: 20},
		{what: "no state directory with -t", rest: "system {\n  state_dir: /var/lib/none\n}\n", command: "/usr/sbin/corosync -t", status: 16},
		{what: "a user", command: "setpriv --reuid=65534 --regid=65534 --clear-groups /usr/sbin/corosync -f", status: 17, apart: true},
	}
}

// TestStartRefused: starts that fail end with the original's status and words, and
// leave no socket or lock behind.
func TestStartRefused(t *testing.T) {
	labtest.Long(t, "TestDaemonRefusals")
	labtest.Corosync(t)
	ctx := labtest.Context(t, 5*time.Minute)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Corosync: lab.Debian}, {Corosync: lab.Ours}}})
	for _, c := range startCases() {
		t.Run(c.what, func(t *testing.T) {
			var said [2]string
			for i, n := range l.Members() {
				code, text := refusedStart(t, ctx, l, n, c)
				if code != c.status {
					t.Errorf("%s: status %d, want %d", n.Name(), code, c.status)
				}
				said[i] = text
			}
			if said[0] != said[1] && !c.apart {
				t.Errorf("ours:\n%s\nthe original's:\n%s", said[1], said[0])
			}
			t.Logf("\n%s", said[1])
		})
	}
}

// refusedStart starts a node's daemon, which is the first in a nodelist of its own,
// and cleans up.
func refusedStart(t *testing.T, ctx context.Context, l *lab.Lab, n *lab.Node, c startCase) (code int, said string) {
	t.Helper()
	must(t, l.WriteConf(lab.Conf{}, n)) // the key too
	totem := c.totem
	if totem == "" {
		totem = "transport: udpu"
	}
	text := fmt.Sprintf("totem {\n  version: 2\n  %s\n}\nnodelist {\n  node {\n    name: %s\n    nodeid: 1\n    ring0_addr: %s\n  }\n}\n%slogging {\n  to_syslog: no\n  timestamp: off\n}\n",
		totem, n.Name(), n.Addr(0), c.rest)
	must(t, os.WriteFile(n.Path(confFile), []byte(text), 0o644))
	command := c.command
	if command == "" {
		command = "/usr/sbin/corosync -f"
	}
	res, _ := n.Exec(ctx, "sh", "-c", c.before+"\ntimeout -k 1 20 "+command) // its status is looked at
	left, _ := n.Exec(ctx, "sh", "-c", `ls -d /dev/shm/qb-* 2>/dev/null; pgrep -x corosync`)
	if left.Stdout != "" {
		t.Errorf("%s: left behind: %s", n.Name(), left.Stdout)
	}
	_, _ = n.Exec(ctx, "sh", "-c", "rm -rf /run/corosync.pid /var/lib/corosync/ringid_* /etc/corosync/uidgid.d")
	return res.Code, ownWords(res.Stderr, n)
}

// ownWords leaves out what only ours says (places in files), and makes the rest
// independent of the node and the build.
func ownWords(text string, n *lab.Node) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if regexp.MustCompile(`\] (see )?/etc/corosync/\S+:\d+: |^see /|built-in features|totemip_parse|RLIMIT_MEMLOCK`).MatchString(line) {
			continue
		}
		line = strings.ReplaceAll(line, n.Addr(0), "ADDR")
		line = regexp.MustCompile(`at \w+\.(c:\d+|go)\.`).ReplaceAllString(line, "at MAIN.")
		b.WriteString(line)
	}
	return b.String()
}
