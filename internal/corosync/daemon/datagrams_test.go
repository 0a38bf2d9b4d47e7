package daemon

import (
	"errors"
	"io"
	"net/netip"
	"slices"
	"testing"
	"time"

	cfgwire "github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/logsys"
	"github.com/pacesync/pacesync/internal/corosync/loop"
	"github.com/pacesync/pacesync/totem/link"
)

// fakeLink notes when its sockets are made anew; the first time that fails.
type fakeLink struct {
	datagramLink
	reopened []time.Time
	told     chan link.Interface
}

func (f *fakeLink) Reopen(here link.Interface) error {
	f.reopened = append(f.reopened, time.Now())
	if len(f.reopened) == 1 {
		return errors.New("not yet")
	}
	f.told <- here
	return nil
}

// TestInterfaceComesBack: an interface that went down is looked for every downcheck
// ms, and so is one whose address cannot be used yet; it is the loopback's, which
// is there.
func TestInterfaceComesBack(t *testing.T) {
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	logs := logsys.New(logsys.Options{Stderr: io.Discard})
	defer logs.Close()
	const downcheck = 60 * time.Millisecond
	cfg := &config.Config{Totem: config.Totem{Downcheck: downcheck}}
	cfg.Links[0].Local = netip.MustParseAddr("127.0.0.1")
	cfg.Links[0].Members = []config.Member{{NodeID: 1, Addr: cfg.Links[0].Local}, {NodeID: 2, Addr: netip.MustParseAddr("127.0.0.2")}}
	fake := &fakeLink{told: make(chan link.Interface, 1)}
	n := &datagramNet{datagramLink: fake, bind: cfg.Links[0].Local, here: link.Interface{Index: 1, Addr: cfg.Links[0].Local, Up: true},
		d: &Daemon{loop: l, cfg: cfg, log: newLoggers(logs), members: []uint32{1, 2}}}
	n.retry = l.NewTimer(n.look)
	enabled := []bool{linkEnabled(t, n)}
	ended := make(chan error, 1)
	go func() { ended <- l.Run() }()
	start := time.Now()
	l.Post(func() {
		n.found(link.Interface{})
		enabled = append(enabled, linkEnabled(t, n))
	})
	select {
	case here := <-fake.told:
		if here.Addr != n.bind || !here.Up {
			t.Errorf("reopened at %+v", here)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the interface was not looked for")
	}
	l.Stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	first, second := fake.reopened[0].Sub(start), fake.reopened[1].Sub(fake.reopened[0])
	if len(fake.reopened) != 2 || first < downcheck-5*time.Millisecond || second < downcheck-5*time.Millisecond {
		t.Errorf("tried %d times, after %v and %v; want %v between", len(fake.reopened), first, second, downcheck)
	}
	if enabled = append(enabled, linkEnabled(t, n)); !slices.Equal(enabled, []bool{true, false, true}) {
		t.Errorf("link enabled before, while the interface was down, and after: %v", enabled)
	}
}

// linkEnabled is what tools are told of the link to node 2, which is in the ring.
func linkEnabled(t *testing.T, n *datagramNet) bool {
	st, known := n.status(2)
	l := st.Links[0]
	if !known || !st.Reachable || !l.Connected || l.Source != "127.0.0.2" || l.MTU == 0 {
		t.Errorf("node 2: %+v, %v", st, known)
	}
	if st, known := n.status(9); !known || st != (cfgwire.NodeStatus{}) {
		t.Errorf("node 9, of which nothing is known: %+v, %v", st, known)
	}
	return l.Enabled
}

// TestNetMTU: the ring gets values that it can work with.
func TestNetMTU(t *testing.T) {
	for _, c := range []struct {
		netmtu uint32
		want   int
	}{{1500, 1410}, {65536, 65446}, {256, 166}, {90, 166}, {1, 166}, {1<<32 - 1, 65446}} {
		if got := netMTU(&config.Config{NetMTU: c.netmtu}); got != c.want {
			t.Errorf("netmtu %d: %d, want %d", c.netmtu, got, c.want)
		}
	}
}
