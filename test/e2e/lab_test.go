package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// ping says whether a packet comes through and back.
func ping(ctx context.Context, from *lab.Node, addr string) bool {
	_, err := from.Exec(ctx, "ping", "-c", "1", "-W", "1", "-n", addr)
	return err == nil
}

// arrives says whether a datagram from one node reaches another: the kernel
// there counts it as one that no program waits for.
func arrives(t *testing.T, ctx context.Context, from, to *lab.Node) bool {
	t.Helper()
	count := func() string {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/snmp", to.PID()))
		if err != nil {
			t.Fatal(err)
		}
		_, udp, _ := strings.Cut(string(b), "\nUdp: ") // the line of names
		_, udp, _ = strings.Cut(udp, "\nUdp: ")
		return strings.Fields(udp)[1] // NoPorts
	}
	before := count()
	if _, err := from.Exec(ctx, "bash", "-c", "echo x > /dev/udp/"+to.Addr(0)+"/9999"); err != nil {
		t.Fatal(err)
	}
	wait, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	return lab.Wait(wait, "the datagram", func() bool { return count() != before }) == nil
}

// TestLabNetwork: cables, cuts one way, both ways and per network, loss, links.
func TestLabNetwork(t *testing.T) {
	labtest.Need(t)
	l := labtest.Up(t, lab.Options{Networks: 2, Nodes: []lab.NodeSpec{{}, {}, {Host: true}}})
	ctx := labtest.Context(t, time.Minute)
	n1, n2, h := l.Node("n1"), l.Node("n2"), l.Node("h1")
	check := func(what string, from *lab.Node, to string, want bool) {
		t.Helper()
		if got := ping(ctx, from, to); got != want {
			t.Errorf("%s: %s reaches %s: %v, want %v", what, from.Name(), to, got, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check("fresh", n1, n2.Addr(0), true)
	check("fresh", n1, n2.Addr(1), true)
	check("fresh", h, n1.Addr(0), true)

	must(l.CutNet("n1", "n2", 0))
	check("net 0 cut", n1, n2.Addr(0), false)
	check("net 0 cut", n1, n2.Addr(1), true)
	check("net 0 cut", h, n2.Addr(0), true)

	must(l.Heal())
	must(l.Cut("n1", lab.Any))
	check("n1 isolated", n1, n2.Addr(1), false)
	check("n1 isolated", h, n1.Addr(0), false)
	check("n1 isolated", h, n2.Addr(0), true)
	must(l.HealBetween("n1", "h1"))
	check("healed with a wildcard fault left", h, n2.Addr(0), true)

	must(l.Heal())
	must(l.CutOneWay("n1", "n2"))
	if arrives(t, ctx, n1, n2) || !arrives(t, ctx, n2, n1) || !arrives(t, ctx, n1, h) {
		t.Error("cut one way n1 -> n2: want only that direction cut")
	}
	must(l.Heal())
	check("healed", n1, n2.Addr(0), true)
	must(l.Loss(100))
	check("all lost", n1, n2.Addr(0), false)
	must(l.Heal())
	must(n2.Link(0, false))
	check("link down", n1, n2.Addr(0), false)
	must(n2.Link(0, true))
	testwait.For(t, 5*time.Second, "the link to come back", func() bool { return ping(ctx, n1, n2.Addr(0)) })
}

// TestLabCables: MTU of cables, a black hole for large packets, interfaces and
// addresses that go and come.
func TestLabCables(t *testing.T) {
	labtest.Need(t)
	l := labtest.Up(t, lab.Options{Networks: 2, Nodes: []lab.NodeSpec{{}, {}}})
	ctx := labtest.Context(t, time.Minute)
	n1, n2 := l.Node("n1"), l.Node("n2")
	fits := func(network, size int) bool { // size: of the whole packet, which nobody may cut
		_, err := n1.Exec(ctx, "ping", "-c", "1", "-W", "1", "-n", "-M", "do", "-s", strconv.Itoa(size-28), n2.Addr(network))
		return err == nil
	}
	for _, c := range []struct {
		what  string
		do    func() error
		sizes [2]int // the first fits on network 0, the second does not
	}{
		{"as made", func() error { return nil }, [2]int{1500, 1501}},
		{"jumbo", func() error { return l.SetMTU(0, 9000) }, [2]int{9000, 9001}},
		{"largest", func() error { return l.SetMTU(lab.AllNetworks, 65520) }, [2]int{65520, 65521}},
		{"n2's cable small", func() error { return n2.SetMTU(0, 1300) }, [2]int{1300, 1400}},
		{"all small", func() error { return l.SetMTU(0, 1300) }, [2]int{1300, 1301}},
		{"black hole", func() error {
			return errors.Join(l.SetMTU(0, 1500), l.AddFaults(lab.Fault{From: "n1", To: "n2", Net: 0, Percent: 100, KeepARP: true, Larger: 1200}))
		}, [2]int{1200, 1201}},
	} {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		if !fits(0, c.sizes[0]) || fits(0, c.sizes[1]) {
			t.Errorf("%s: want packets of %d bytes to pass and those of %d not to", c.what, c.sizes[0], c.sizes[1])
		}
	}
	if !fits(1, 65520) {
		t.Error("the other network has not kept its MTU")
	}
	for _, c := range []struct {
		what string
		do   func() error
		want bool
	}{
		{"interface down", func() error { return errors.Join(l.Heal(), n2.SetInterface(0, false)) }, false},
		{"interface up", func() error { return n2.SetInterface(0, true) }, true},
		{"address gone", func() error { return n2.SetAddr(0, false) }, false},
		{"address back", func() error { return n2.SetAddr(0, true) }, true},
	} {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		if c.want {
			testwait.For(t, 10*time.Second, c.what, func() bool { return ping(ctx, n1, n2.Addr(0)) })
		} else if ping(ctx, n1, n2.Addr(0)) {
			t.Errorf("%s: n2 still answers", c.what)
		}
	}
	if err := n1.InNet(func() error {
		_, err := net.InterfaceByName("eth1")
		return err
	}); err != nil {
		t.Errorf("on n1's network: %v", err)
	}
	if err := n1.SetMTU(0, 20); err == nil {
		t.Error("an MTU of 20 was accepted")
	}
}

// TestLabNode: a node has its own name, processes, disk and memory; the power
// switch ends everything on it and keeps its disk.
func TestLabNode(t *testing.T) {
	labtest.Need(t)
	script := lab.File{Path: "/usr/sbin/fence_for_test", Mode: 0o755, Content: "#!/bin/sh\necho here\n"}
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{}, {}}, Files: []lab.File{script}})
	ctx := labtest.Context(t, time.Minute)
	n1 := l.Node("n1")
	sh := func(command string) string {
		t.Helper()
		res, err := n1.Exec(ctx, "sh", "-c", command)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(res.Stdout)
	}
	if got := sh("hostname; /usr/sbin/fence_for_test; ls /dev/shm | wc -l; cat /proc/1/comm"); got != "n1\nhere\n0\nsleep" {
		t.Errorf("inside n1: %q", got)
	}
	if _, err := os.Stat("/usr/sbin/fence_for_test"); err == nil {
		t.Error("the file of the node is on the machine")
	}
	sh("echo kept > /var/lib/corosync/x; echo lost > /run/x; echo lost > /dev/shm/x")
	sh("setsid sleep 1000 >/dev/null 2>&1 & setsid sh -c 'trap \"\" TERM; sleep 1001' >/dev/null 2>&1 &")
	count := func() int {
		n := 0
		for _, p := range n1.Ps() {
			if p.Name == "sleep" {
				n++
			}
		}
		return n
	}
	testwait.For(t, 5*time.Second, "two sleepers beside PID 1", func() bool { return count() == 3 })
	before := n1.Ps()
	if err := n1.PowerOff(ctx); err != nil {
		t.Fatal(err)
	}
	for _, p := range before {
		if b, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/cmdline"); err == nil && len(b) > 0 {
			t.Errorf("process %d %s lives after the power went off", p.PID, p.Name)
		}
	}
	if n1.On() || len(n1.Ps()) != 0 {
		t.Error("the node is still on")
	}
	if _, err := n1.Exec(ctx, "true"); err == nil || !strings.Contains(err.Error(), "switched off") {
		t.Errorf("a command on a dead node: got %v", err)
	}
	if err := n1.PowerOn(ctx); err != nil {
		t.Fatal(err)
	}
	for range 10 { // PID 1 still executes one program after the other when PowerOn returns
		if err := errors.Join(n1.PowerOff(ctx), n1.PowerOn(ctx)); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if !n1.On() {
				t.Fatal("the node is off just after it was switched on")
			}
		}
	}
	if got := sh("cat /var/lib/corosync/x; ls /run/x /dev/shm/x 2>/dev/null | wc -l"); got != "kept\n0" {
		t.Errorf("after the boot: %q", got)
	}
	if !ping(ctx, l.Node("n2"), n1.Addr(0)) {
		t.Error("no network after the boot")
	}
}

// TestLabDownClears: Down ends all processes and may be repeated; a lab whose
// folder is gone is still found.
func TestLabDownClears(t *testing.T) {
	labtest.Need(t)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{}}})
	pid := l.Node("n1").PID()
	if err := os.RemoveAll(l.Dir()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := lab.DownLeftover(l.Name()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat("/proc/" + strconv.Itoa(pid) + "/ns/net"); err == nil {
		if b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ"); strings.Contains(string(b), l.Name()) {
			t.Error("PID 1 of the node is still there")
		}
	}
	if _, err := lab.Open(l.Name()); err == nil {
		t.Error("the lab can still be opened")
	}
}
