package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// ringSockets are the options of a daemon's UDP sockets that others can see, in lines.
func ringSockets(t *testing.T, n *lab.Node) []string {
	t.Helper()
	pid := n.Daemon(lab.PartCorosync)
	pidfd, err := unix.PidfdOpen(pid, 0)
	must(t, err)
	defer unix.Close(pidfd)
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	must(t, err)
	var out []string
	for _, e := range fds {
		var num int
		fmt.Sscan(e.Name(), &num)
		fd, err := unix.PidfdGetfd(pidfd, num, 0)
		if err != nil {
			continue // closed meanwhile
		}
		if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err == nil && kind == unix.IPPROTO_UDP {
			out = append(out, socketOptions(fd))
		}
		unix.Close(fd)
	}
	slices.Sort(out)
	return out
}

func socketOptions(fd int) string {
	var b strings.Builder
	for _, o := range []struct {
		name      string
		level, no int
	}{
		{"tos", unix.IPPROTO_IP, unix.IP_TOS}, {"priority", unix.SOL_SOCKET, unix.SO_PRIORITY},
		{"rcvbuf", unix.SOL_SOCKET, unix.SO_RCVBUF}, {"sndbuf", unix.SOL_SOCKET, unix.SO_SNDBUF},
		{"mtu-discover", unix.IPPROTO_IP, unix.IP_MTU_DISCOVER}, {"freebind", unix.IPPROTO_IP, unix.IP_FREEBIND},
		{"recverr", unix.IPPROTO_IP, unix.IP_RECVERR}, {"reuseaddr", unix.SOL_SOCKET, unix.SO_REUSEADDR},
	} {
		v, err := unix.GetsockoptInt(fd, o.level, o.no)
		fmt.Fprintf(&b, "%s %#x %v ", o.name, v, err)
	}
	return b.String()
}

// TestKnetSockets: the sockets of knet have the original's options; totem.ip_dscp,
// which 3.1.7 doesn't know, changes the mark of packets, over udpu too, and a mark
// that is none hinders nothing.
func TestKnetSockets(t *testing.T) {
	labtest.Long(t, "TestDSCP in totem/link")
	labtest.Corosync(t)
	ctx := labtest.Context(t, 2*time.Minute)
	l := labtest.Up(t, lab.Options{Networks: 2, Nodes: []lab.NodeSpec{{Corosync: lab.Ours}, {}}})
	ours, original := l.Node("n1"), l.Node("n2")
	startConf(t, ctx, l, knet())
	a, b := ringSockets(t, ours), ringSockets(t, original)
	if len(a) != 2 || !slices.Equal(a, b) || !strings.HasPrefix(a[0], "tos 0x10 ") {
		t.Errorf("sockets of ours:\n%s\nof the original:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	for _, c := range []struct {
		conf lab.Conf
		want string
	}{
		{knet("ip_dscp: ef"), "tos 0xb8 "}, {knet("ip_dscp: fast"), "tos 0x10 "}, {lab.Conf{Totem: []string{"ip_dscp: 0x0a"}}, "tos 0x28 "},
	} {
		for _, n := range l.Members() {
			must(t, n.Stop(ctx, lab.PartCorosync))
		}
		startConf(t, ctx, l, c.conf)
		if got := ringSockets(t, ours); len(got) != 2 || slices.ContainsFunc(got, func(s string) bool { return !strings.HasPrefix(s, c.want) }) {
			t.Errorf("%v: sockets:\n%s", c.conf.Totem, strings.Join(got, "\n"))
		}
	}
}

// TestKnetUnprivileged: without the right to large socket buffers the daemon ends, as
// the original does, and says what is missing; with allow_knet_handle_fallback both
// serve with smaller ones.
func TestKnetUnprivileged(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	labtest.Corosync(t)
	unprivileged := clientProgram(t, "unprivileged")
	ctx := labtest.Context(t, 2*time.Minute)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Corosync: lab.Ours}, {}}})
	start := func(ctx context.Context, n *lab.Node, args ...string) lab.Result {
		res, _ := n.Exec(ctx, append([]string{"timeout", "20", unprivileged, "/usr/sbin/corosync"}, args...)...)
		return res
	}
	must(t, l.WriteConf(knet()))
	for _, n := range l.Members() {
		res := start(ctx, n, "-f")
		t.Logf("%s: status %d", n.Name(), res.Code)
		if res.Code != 15 {
			t.Errorf("%s: status %d, want 15\n%s", n.Name(), res.Code, res.Stderr)
		}
	}
	logged(t, l.Node("n1"), "CAP_NET_ADMIN")
	logged(t, l.Node("n1"), "allow_knet_handle_fallback")

	conf := knet()
	conf.System = []string{"allow_knet_handle_fallback: yes"}
	must(t, l.WriteConf(conf))
	for _, n := range l.Members() {
		if res := start(ctx, n); res.Code != 0 {
			t.Fatalf("%s: status %d\n%s", n.Name(), res.Code, res.Stderr)
		}
	}
	must(t, l.WaitRing(ctx, l.Members()...))
	for _, n := range l.Members() {
		logged(t, n, "knet_handle_new failed, trying unprivileged")
		for _, s := range ringSockets(t, n) {
			if strings.Contains(s, "rcvbuf 0x1000000 ") {
				t.Errorf("%s has large buffers without the right to: the test shows nothing", n.Name())
			}
		}
	}
}
