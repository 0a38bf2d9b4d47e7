package notifyd

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/applet/applettest"
)

func TestOptions(t *testing.T) {
	for args, want := range map[string]string{
		"-h": usage, "--help": usage, "-x": "corosync-notifyd: invalid option -- 'x'\n" + usage,
		"-m":    "corosync-notifyd: option requires an argument -- 'm'\n" + usage,
		"":      "no event type enabled, see corosync-notifyd -h, exiting.\n",
		"-f -n": "no event type enabled, see corosync-notifyd -h, exiting.\n",
		"-o":    "[error] configured to print to stdout and run in the background, exiting\n",
	} {
		applettest.Check(t, Run, "corosync-notifyd", applettest.Case{Args: args, Status: 1, Stderr: want})
	}
}

// TestManager: the forms of the manager's address, and that a manager that is not
// there costs no more than its trap.
func TestManager(t *testing.T) {
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	for _, manager := range []string{udp.LocalAddr().String(), "udp:" + udp.LocalAddr().String(), "tcp:" + tcp.Addr().String()} {
		var said bytes.Buffer
		trapper := newTrapper(&logger{stderr: &said}, manager, "c")
		trapper.node(member{name: "n", id: 1, addr: "a", state: "joined"})
		got := make([]byte, 2000)
		n := 0
		if strings.HasPrefix(manager, "tcp") {
			conn, err := tcp.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			n, err = conn.Read(got)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		} else {
			_ = udp.SetReadDeadline(time.Now().Add(20 * time.Second))
			if n, err = udp.Read(got); err != nil {
				t.Fatalf("%s: %v, %s", manager, err, said.String())
			}
		}
		if n < 50 || got[0] != berSequence || said.Len() > 0 {
			t.Errorf("%s: %d bytes %x, said %q", manager, n, got[:n], said.String())
		}
		trapper.close()
	}
	var said bytes.Buffer
	trapper := newTrapper(&logger{stderr: &said}, "nosuch.invalid", "")
	trapper.quorum(origin{"n", 1}, true)
	if !strings.Contains(said.String(), "[error] Could not create snmp transport: manager \"nosuch.invalid\" (option -m) has no address") {
		t.Errorf("said %q", said.String())
	}
}

// TestLines: the words of every event.
func TestLines(t *testing.T) {
	var said bytes.Buffer
	l := &logger{stderr: &said}
	o := origin{"n1", 1}
	l.node(member{"n2", 2, "10.0.0.2", "joined"})
	l.quorum(o, true)
	l.quorum(o, false)
	l.client(o, client{"0x1.2.x", connected})
	l.client(o, client{"0x1.2.x", disconnected})
	l.link(o, link{2, 1, operational})
	want := `[notice] n2[2] ip:10.0.0.2 joined
[notice] n1[1] is now quorate
[notice] n1[1] has lost quorum
[notice] n1[1] 0x1.2.x is now connected to corosync
[notice] n1[1] 0x1.2.x is now disconnected from corosync
[notice] n1[1] link 1 to node 2 is now operational
`
	if said.String() != want {
		t.Errorf("said\n%s", said.String())
	}
}
