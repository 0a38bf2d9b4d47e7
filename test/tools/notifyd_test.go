package tools

import (
	"encoding/asn1"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// heard is what one corosync-notifyd said: lines on standard error, traps at its
// manager, signals on the bus.
type heard struct {
	mu      sync.Mutex
	lines   strings.Builder
	traps   []string
	signals []string
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lines.Write(p)
}

// notices are its events as lines, without those about programs that are not ours
// and without libqb's remarks.
func (h *heard) notices() (out []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for line := range strings.Lines(h.lines.String()) {
		if !strings.HasPrefix(line, "[debug]") && guests(line) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	slices.Sort(out)
	return out
}

// guests says whether an event of a program is of the guest's: others come and go
// while the two programs start.
func guests(event string) bool {
	return !regexp.MustCompile(`0x[0-9a-f]+\.[0-9]+\.`).MatchString(event) || strings.Contains(event, ".client")
}

func (h *heard) sorted(list *[]string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(slices.Values(*list))
}

// listen takes traps at a port of the node.
func (h *heard) listen(t *testing.T, n *lab.Node) string {
	t.Helper()
	var manager net.PacketConn
	err := n.InNet(func() (err error) {
		manager, err = net.ListenPacket("udp4", "127.0.0.1:0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { manager.Close() })
	go func() {
		var buf [4096]byte
		for {
			n, _, err := manager.ReadFrom(buf[:])
			if err != nil {
				return
			}
			text, err := describeTrap(buf[:n])
			if err != nil {
				text = fmt.Sprintf("%v: %x", err, buf[:n])
			}
			h.mu.Lock()
			h.traps = append(h.traps, text)
			h.mu.Unlock()
		}
	}()
	return manager.LocalAddr().String()
}

// describeTrap is the whole message but for its id and the time: the bytes of
// everything else.
func describeTrap(b []byte) (string, error) {
	var msg struct {
		Version, Community, PDU asn1.RawValue
	}
	if rest, err := asn1.Unmarshal(b, &msg); err != nil || len(rest) > 0 {
		return "", fmt.Errorf("not a message: %v, %d bytes too many", err, len(rest))
	}
	text := fmt.Sprintf("%x %x %x", msg.Version.FullBytes, msg.Community.FullBytes, msg.PDU.FullBytes[0])
	var id, status, index, list asn1.RawValue
	rest := msg.PDU.Bytes
	for _, into := range []*asn1.RawValue{&id, &status, &index, &list} {
		var err error
		if rest, err = asn1.Unmarshal(rest, into); err != nil {
			return "", err
		}
	}
	text += fmt.Sprintf(" %x %x", status.FullBytes, index.FullBytes)
	for i, rest := 0, list.Bytes; len(rest) > 0; i++ {
		var binding struct {
			ID    asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		var err error
		if rest, err = asn1.Unmarshal(rest, &binding); err != nil {
			return "", err
		}
		value := fmt.Sprintf("%x", binding.Value.FullBytes)
		if i == 0 {
			value = value[:4] // a time: type and length
		}
		text += fmt.Sprintf(" %v=%s", binding.ID, value)
	}
	return text, nil
}

// startBus starts a D-Bus of the test's own and notes the signals on it.
func (h *heard) startBus(t *testing.T, socket string) {
	t.Helper()
	address := "unix:path=" + socket
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--address="+address)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var conn *dbus.Conn
	testwait.For(t, 20*time.Second, "the bus to serve", func() bool {
		c, err := dbus.Connect(address)
		conn = c
		return err == nil
	})
	t.Cleanup(func() { conn.Close() })
	if err := conn.AddMatchSignal(dbus.WithMatchInterface("org.corosync")); err != nil {
		t.Fatal(err)
	}
	signals := make(chan *dbus.Signal, 1000)
	conn.Signal(signals)
	go func() {
		for s := range signals {
			text := fmt.Sprintf("%s %s %v %v", s.Path, s.Name, dbus.SignatureOf(s.Body...), s.Body)
			if !strings.HasPrefix(s.Name, "org.corosync.") || !guests(text) {
				continue
			}
			h.mu.Lock()
			h.signals = append(h.signals, text)
			h.mu.Unlock()
		}
	}()
}

// TestNotifyd runs Debian's corosync-notifyd and ours side by side: of a program
// that comes and goes and of a node that is killed and returns they say the same
// in the log, in bytes of traps and in signals.
func TestNotifyd(t *testing.T) {
	labtest.Corosync(t)
	labtest.Need(t, "/usr/sbin/corosync-notifyd", "/usr/bin/dbus-daemon")
	daemons := []lab.Impl{lab.Ours, lab.Debian}
	if os.Getenv("E2E_LONG") == "" {
		daemons = daemons[:1]
	}
	var original []*heard
	for _, daemon := range daemons {
		t.Run(daemon.String(), func(t *testing.T) { original = append(original, notifyd(t, daemon)) })
	}
	if len(original) == 2 {
		t.Run("original on both daemons", func(t *testing.T) { compareHeard(t, original[1], original[0], connectionMask) })
	}
}

// connectionMask hides what tells one connection from another: a process id and an
// address, in text or as bytes of a trap.
func connectionMask(s string) string {
	s = regexp.MustCompile(`0x[0-9a-f]+\.[0-9]+\.`).ReplaceAllString(s, "PLACE.PID.")
	return s
}

// notifyd returns what the original said.
func notifyd(t *testing.T, daemon lab.Impl) *heard {
	bin := t.TempDir()
	goBuild(t, filepath.Join(bin, "pacesync"), "github.com/pacesync/pacesync/cmd/pacesync")
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Corosync: daemon}, {Corosync: lab.Ours}}, Networks: 2, Bin: bin})
	s := &scene{t: t, lab: l, node: l.Node("n1"), ctx: labtest.Context(t, 3*time.Minute)}
	s.installTools()
	s.must(l.WriteConf(lab.Conf{Transport: "knet", Totem: []string{"token: 1000"}}))
	s.must(l.StartRing(s.ctx, l.Nodes()...))
	testwait.For(t, serveLimit, "both links", func() bool {
		res, err := s.node.Exec(s.ctx, "sh", "-c", "for k in 0 1; do corosync-cmapctl -m stats -g stats.knet.node2.link$k.connected; done")
		return err == nil && strings.Count(res.Stdout, "= 1") == 2
	})
	programs := []string{"/usr/sbin/corosync-notifyd", "/run/lab/tools/corosync-notifyd"}
	if r := s.shell(s.node, systemPath, "cmp -s "+strings.Join(programs, " ")); r.status != 1 {
		t.Fatalf("the original is not the original: %v", r)
	}
	var said [2]*heard
	for i, program := range programs {
		h := &heard{}
		said[i] = h
		bus := fmt.Sprintf("bus%d", i)
		h.startBus(t, filepath.Join(l.Shared(), bus))
		cmd, err := s.node.Command(s.ctx, "env", "-i", "PATH="+systemPath, "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/lab/"+bus,
			program, "-f", "-o", "-n", "-d", "-c", "a secret", "-m", h.listen(t, s.node))
		s.must(err)
		cmd.Stderr = h
		s.must(cmd.Start())
		t.Cleanup(func() { _ = cmd.Cancel(); _ = cmd.Wait() })
	}
	expect := func(what string, lines ...string) {
		t.Helper()
		testwait.For(t, serveLimit, what, func() bool { return said[0].all(lines) && said[1].all(lines) })
	}
	expect("the start", "is now quorate")
	s.guest("join", "one")()
	expect("a program", ".client is now connected to corosync", ".client is now disconnected from corosync")
	n2 := l.Node("n2")
	s.kill(n2)
	expect("a node's end", "n1[1] has lost quorum", "[2] ip:"+n2.Addr(1)+" left", "link 0 to node 2 is now disconnected", "link 1 to node 2 is now disconnected")
	s.must(n2.Start(s.ctx, lab.PartCorosync))
	expect("its return", "[2] ip:"+n2.Addr(1)+" joined", "link 0 to node 2 is now operational", "link 1 to node 2 is now operational")
	// The same number of lines, traps and signals, each the same.
	testwait.For(t, serveLimit, "as many events from both", func() bool {
		return slices.Equal(said[0].counts(), said[1].counts()) && strings.Count(strings.Join(said[0].notices(), "\n"), "is now quorate") == 2
	})
	compareHeard(t, said[0], said[1], func(s string) string { return s })
	return said[0]
}

// compareHeard says where what two programs said differs, mask applied.
func compareHeard(t *testing.T, one, other *heard, mask func(string) string) {
	t.Helper()
	for what, of := range map[string]func(h *heard) []string{
		"lines": (*heard).notices, "traps": func(h *heard) []string { return h.sorted(&h.traps) }, "signals": func(h *heard) []string { return h.sorted(&h.signals) },
	} {
		var said [2][]string
		for i, h := range [2]*heard{one, other} {
			for _, s := range of(h) {
				said[i] = append(said[i], mask(s))
			}
			slices.Sort(said[i])
		}
		if !slices.Equal(said[0], said[1]) {
			t.Errorf("%s\noriginal:\n%s\nother:\n%s", what, strings.Join(said[0], "\n"), strings.Join(said[1], "\n"))
		}
		if len(said[0]) < 9 {
			t.Errorf("only %d %s:\n%s", len(said[0]), what, strings.Join(said[0], "\n"))
		}
	}
}

// all says whether each of these was among the lines.
func (h *heard) all(texts []string) bool {
	lines := strings.Join(h.notices(), "\n")
	for _, text := range texts {
		if !strings.Contains(lines, text) {
			return false
		}
	}
	return true
}

// counts are the numbers of lines, traps and signals.
func (h *heard) counts() []int {
	return []int{len(h.notices()), len(h.sorted(&h.traps)), len(h.sorted(&h.signals))}
}
