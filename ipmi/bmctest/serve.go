package bmctest

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Fate is what happens to one packet on its way.
type Fate struct {
	Drop  bool
	Twice bool
	Delay time.Duration
}

// BMC serves a Core on a UDP socket. Safe for concurrent use.
type BMC struct {
	conn *net.UDPConn
	done chan struct{}

	mu     sync.Mutex
	core   *Core
	faults func(in bool, n int) Fate
	count  [2]int
}

// Listen serves a BMC on addr ("127.0.0.1:0" takes a free port) until Close.
func Listen(addr string, cfg Config) (*BMC, error) {
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("bmc: %w", err)
	}
	conn, err := net.ListenUDP("udp", at)
	if err != nil {
		return nil, fmt.Errorf("bmc: %w", err)
	}
	b := &BMC{conn: conn, core: NewCore(cfg), done: make(chan struct{})}
	go b.serve()
	return b, nil
}

// Addr is where the BMC listens.
func (b *BMC) Addr() *net.UDPAddr { return b.conn.LocalAddr().(*net.UDPAddr) }

// Close ends the BMC.
func (b *BMC) Close() error {
	err := b.conn.Close()
	<-b.done
	return err
}

// SetFaults decides the fate of every packet: in or out, and its number in
// that direction from 1. nil: all arrive. Not with Do held.
func (b *BMC) SetFaults(f func(in bool, n int) Fate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults, b.count = f, [2]int{}
}

// Do runs f while no packet is handled, to look at or change the core.
func (b *BMC) Do(f func(c *Core)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b.core)
}

// fate must be called with mu held.
func (b *BMC) fate(in bool) Fate {
	i := 0
	if in {
		i = 1
	}
	b.count[i]++
	if b.faults == nil {
		return Fate{}
	}
	return b.faults(in, b.count[i])
}

func (b *BMC) serve() {
	defer close(b.done)
	buf := make([]byte, 2048)
	for {
		n, peer, err := b.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return // closed: a UDP socket that listens has no other errors worth going on for
		}
		b.mu.Lock()
		var answer []byte
		way := b.fate(true)
		if !way.Drop {
			answer = b.core.Handle(time.Now(), buf[:n])
			if way.Twice {
				if again := b.core.Handle(time.Now(), buf[:n]); again != nil {
					answer = again
				}
			}
		}
		back := Fate{}
		if answer != nil {
			back = b.fate(false)
		}
		b.mu.Unlock()
		if answer == nil || back.Drop {
			continue
		}
		send := func() {
			b.conn.WriteToUDPAddrPort(answer, peer)
			if back.Twice {
				b.conn.WriteToUDPAddrPort(answer, peer)
			}
		}
		if wait := way.Delay + back.Delay; wait > 0 {
			time.AfterFunc(wait, send)
		} else {
			send()
		}
	}
}
