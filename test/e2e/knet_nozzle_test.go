package e2e

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// nozzleScript tells when it ran and whether the interface was up then; what it says
// and its status go to the log.
const nozzleScript = `#!/bin/sh
state=down
ip link show up | grep -q ' noz0:' && state=up
echo "$(basename $(dirname $0)) $state" >> /var/log/corosync/updown
echo "said by $(basename $(dirname $0))"
exit 3
`

// nozzleMixes: ours beside Debian's; in full count each alone, too.
func nozzleMixes() []mix {
	all := []mix{{name: "1of2", ours: []string{"n1"}, nodes: 2}, {name: "0of2", nodes: 2}, {name: "2of2", ours: []string{"n1", "n2"}, nodes: 2}}
	if want := os.Getenv("MIX"); want != "" {
		return slices.DeleteFunc(all, func(m mix) bool { return m.name != want })
	}
	if os.Getenv("E2E_LONG") == "" {
		return all[:1]
	}
	return all
}

// TestKnetNozzle: the virtual network interface comes, changes and goes with
// corosync.conf, has the original's addresses on either implementation, carries what
// programs send, and runs the administrator's scripts.
func TestKnetNozzle(t *testing.T) {
	for _, m := range nozzleMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 3*time.Minute)
			l := upMix(t, m, 1)
			for _, n := range l.Members() {
				for _, dir := range []string{"pre-up.d", "up.d", "down.d", "post-down.d"} {
					must(t, n.AddFile(lab.File{Path: "/etc/corosync/updown.d/" + dir + "/noz0", Mode: 0o755, Content: nozzleScript}))
				}
			}
			conf := knet(crypto("aes256", "sha256")...)
			section := func(lines ...string) { conf.Nozzle = append([]string{"name: noz0"}, lines...) }
			section("ipaddr: 10.62.9.0", "ipprefix: 24")
			startConf(t, ctx, l, conf)
			nozzleWorks(t, ctx, l, "54:54:01:00:00:%02x", "10.62.9.%d/24", "brd 10.62.9.255")
			for _, n := range l.Members() {
				if n.Corosync() == lab.Debian {
					continue // it hangs when a frame comes for an interface that is down
				}
				other := others(l, n)[0]
				_, err := n.Exec(ctx, "ip", "link", "set", "noz0", "down")
				must(t, err)
				if host := fmt.Sprintf("10.62.9.%d", n.ID()); ping(ctx, other, host) {
					t.Errorf("%s is reached over an interface that is down", host)
				}
				_, err = n.Exec(ctx, "ip", "link", "set", "noz0", "up")
				must(t, err)
				nozzleWorks(t, ctx, l, "54:54:01:00:00:%02x", "10.62.9.%d/24", "brd 10.62.9.255")
			}

			reload := func(lines ...string) {
				section(lines...)
				if lines == nil {
					conf.Nozzle = nil
				}
				must(t, l.WriteConf(conf))
				if _, err := l.Node("n2").Exec(ctx, "corosync-cfgtool", "-R"); err != nil {
					t.Fatal(err)
				}
			}
			made := 1
			// A new interface of ours greets the others at once; Debian's hangs if its own is
			// down just then.
			if m.name != "1of2" {
				made++
				reload("ipaddr: fd00:62::", "ipprefix: 64", "macaddr: 02:11:22:33:44:55")
				nozzleWorks(t, ctx, l, "02:11:22:33:00:%02x", "fd00:62::%d/64", "")
			}
			if made == 2 && os.Getenv("E2E_LONG") != "" {
				made = 3
				reload("ipaddr: 10.62.9.0", "ipprefix: 99")
				waitEach(t, ctx, l, "the old interface to be gone", func(n *lab.Node) bool { return !hasNozzle(ctx, n) })
				waitEach(t, ctx, l, "the bad prefix in the log", func(n *lab.Node) bool {
					return strings.Contains(strings.Join(nozzleLog(t, n), "\n"), "(got 99)")
				})
				reload("ipaddr: 10.62.0.0", "ipprefix: 16")
				nozzleWorks(t, ctx, l, "54:54:01:00:00:%02x", "10.62.0.%d/16", "brd 10.62.255.255")
			}
			reload()
			waitEach(t, ctx, l, "the interface to be gone", func(n *lab.Node) bool { return !hasNozzle(ctx, n) })
			waitEach(t, ctx, l, "the last script", func(n *lab.Node) bool { return strings.Count(nozzleRuns(t, n), "\n") == 4*made })
			// Logs are written beside the daemon's work: the interface may be gone before.
			waitEach(t, ctx, l, "its end to be logged", func(n *lab.Node) bool {
				said := strings.Join(nozzleLog(t, n), "\n")
				return strings.Count(said, "Removed nozzle device") == strings.Count(said, "Opened '")
			})
			nozzleTold(t, l, made)
		})
	}
}

// nozzleWorks waits until the interface of each node has its addresses and the other
// node is reached over it, in small packets and in some that are cut in pieces.
func nozzleWorks(t *testing.T, ctx context.Context, l *lab.Lab, mac, addr, brd string) {
	t.Helper()
	waitLinks(t, ctx, l, 1, "the link to be up", connected)
	last := ""
	waitEach(t, ctx, l, addr+" on noz0", func(n *lab.Node) bool {
		res, _ := n.Exec(ctx, "ip", "addr", "show", "noz0")
		last = res.Stdout
		return strings.Contains(last, "link/ether "+fmt.Sprintf(mac, n.ID())+" ") && strings.Contains(last, " "+fmt.Sprintf(addr, n.ID())+" "+brd) &&
			strings.Contains(last, ",UP,") && !strings.Contains(last, "tentative")
	}, &last)
	for _, from := range l.Members() {
		for _, to := range others(l, from) {
			host, _, _ := strings.Cut(fmt.Sprintf(addr, to.ID()), "/")
			waitEach(t, ctx, l, fmt.Sprintf("%s to reach %s", from.Name(), host), func(*lab.Node) bool {
				_, small := from.Exec(ctx, "ping", "-c", "1", "-W", "1", "-n", host)
				_, large := from.Exec(ctx, "ping", "-c", "1", "-W", "1", "-n", "-s", "20000", host)
				return small == nil && large == nil
			}, &last)
		}
	}
}

// waitEach waits until cond holds of each member. detail is added to the failure.
func waitEach(t *testing.T, ctx context.Context, l *lab.Lab, what string, cond func(*lab.Node) bool, detail ...*string) {
	t.Helper()
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, n := range l.Members() {
		if err := lab.Wait(wait, what, func() bool { return cond(n) }); err != nil {
			for _, d := range detail {
				what += "\n" + *d
			}
			t.Fatalf("%s: %v: %s", n.Name(), err, what)
		}
	}
}

func hasNozzle(ctx context.Context, n *lab.Node) bool {
	_, err := n.Exec(ctx, "ip", "link", "show", "noz0")
	return err == nil
}

// nozzleRuns is what the scripts noted.
func nozzleRuns(t *testing.T, n *lab.Node) string {
	t.Helper()
	text, err := os.ReadFile(n.Path("/var/log/corosync/updown"))
	must(t, err)
	return string(text)
}

// What the log says of the interface; the descriptor's number is anyone's.
var (
	nozzleLine = regexp.MustCompile(`(?m)^.* (\w+) +\[TOTEM \] (.*(?:[nN]ozzle|Opened '|said by).*)$`)
	openedOn   = regexp.MustCompile(` on fd \d+`)
)

func nozzleLog(t *testing.T, n *lab.Node) (out []string) {
	t.Helper()
	text, err := os.ReadFile(n.Path("/var/log/corosync/corosync.log"))
	must(t, err)
	for _, f := range nozzleLine.FindAllStringSubmatch(string(text), -1) {
		out = append(out, f[1]+" "+openedOn.ReplaceAllString(f[2], ""))
	}
	return out
}

// nozzleTold compares what scripts and log say: the same on both implementations. The
// original tries to take a channel away that it took away before, and says so.
func nozzleTold(t *testing.T, l *lab.Lab, made int) {
	t.Helper()
	runs := strings.Repeat("pre-up.d down\nup.d up\ndown.d up\npost-down.d down\n", made)
	var first []string
	for _, n := range l.Members() {
		if got := nozzleRuns(t, n); got != runs {
			t.Errorf("%s: scripts ran so:\n%swant:\n%s", n.Name(), got, runs)
		}
		own := fmt.Sprint(n.ID())
		said := slices.DeleteFunc(nozzleLog(t, n), func(s string) bool { return strings.Contains(s, "Can't find datafd") })
		for i := range said { // the node's own number ends its addresses
			said[i] = regexp.MustCompile(`([.:]|:0)`+own+`( |$)`).ReplaceAllString(said[i], "${1}ID$2")
		}
		if len(said) < 10*made-4 {
			t.Errorf("%s: %d lines about the interface", n.Name(), len(said))
		}
		// The original now and then does not tell what a script said.
		if scripts := strings.Count(strings.Join(said, "\n"), "said by "); scripts != 4*made && n.Corosync() == lab.Ours {
			t.Errorf("%s: the log tells of %d scripts of %d", n.Name(), scripts, 4*made)
		}
		said = slices.DeleteFunc(said, func(s string) bool { return strings.Contains(s, "said by ") || strings.Contains(s, " script failed") })
		if first == nil {
			first = said
		} else if !slices.Equal(said, first) {
			t.Errorf("logs differ:\n%s\n\n%s", strings.Join(first, "\n"), strings.Join(said, "\n"))
		}
	}
}
