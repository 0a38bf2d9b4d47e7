// Package link is the sockets under the Totem ring: it moves datagrams between
// this node and the configured others and knows nothing of their content.
//
// Its caller is the corosync daemon's loop, which owns every value here.
// Upstream: exec/totemudpu.c, exec/totemudp.c, exec/totemip.c and libknet's
// sockets. Unlike there, an interface that goes down is never replaced by
// 127.0.0.1 (a node that talks to itself is a ring of one anyway): sends fail and
// are counted until the interface is back.
package link

import (
	"fmt"

	"github.com/pacesync/pacesync/internal/corosync/loop"
)

// UDPU is unicast UDP: what goes to all nodes is sent to each by itself.
type UDPU struct {
	datagrams
	rxfd int      // bound to the local address and port; receives everything and sends the token
	txfd int      // bound to the local address and any port; sends what goes to all nodes
	all  [][]byte // queued for every other node, in order
}

// OpenUDPU binds the sockets. The error names the address when that is not on
// this machine.
func OpenUDPU(cfg UDPConfig) (*UDPU, error) {
	u := &UDPU{rxfd: -1, txfd: -1, all: make([][]byte, 0, txBatch)}
	u.start(cfg)
	if err := u.open(); err != nil {
		return nil, err
	}
	return u, nil
}

func (u *UDPU) open() error {
	local := u.cfg.Local.Addr
	var err error
	if u.rxfd, err = u.datagrams.open(local, u.cfg.Port, nil); err == nil {
		u.txfd, err = u.datagrams.open(local, 0, nil)
	}
	if err != nil {
		u.Close()
		return fmt.Errorf("totem: udpu: bind %w", err)
	}
	return nil
}

// Attach watches for incoming datagrams.
func (u *UDPU) Attach(l *loop.Loop, readable func()) error {
	u.loop, u.readable = l, readable
	return u.watch(u.rxfd)
}

// Detach ends the watch.
func (u *UDPU) Detach() { u.unwatch(u.rxfd) }

// Reopen makes the sockets anew, at the place where the node's address is now. After
// an error there are none, until a Reopen that works.
func (u *UDPU) Reopen(local Interface) error {
	u.Detach()
	u.Close()
	u.cfg.Local = local
	u.Follow(u.cfg)
	if err := u.open(); err != nil {
		return err
	}
	return u.watch(u.rxfd)
}

// Close frees the sockets.
func (u *UDPU) Close() { closeAll(&u.rxfd, &u.txfd) }

// Receive reads what has arrived, at most one batch, and returns the datagrams.
// They are valid until the next Receive. more says that there may be others.
func (u *UDPU) Receive() (packets [][]byte, more bool) {
	// Errors but EAGAIN (ECONNREFUSED from ICMP) concern datagrams we sent and are
	// no reason to stop.
	n, _ := u.rx.read(u.rxfd, 0, rxBatch)
	if u.cfg.AnySource {
		return u.sift(n, anybody), n == rxBatch
	}
	return u.sift(n, u.known), n == rxBatch
}

// SendAll queues data for every other node. data must stay as it is until Flush.
func (u *UDPU) SendAll(data []byte) {
	if len(u.all) == cap(u.all) {
		u.Flush()
	}
	u.all = append(u.all, data)
}

// SendTo queues data for one node; false when the nodelist has no such node.
// data must stay as it is until Flush.
func (u *UDPU) SendTo(node uint32, data []byte) bool {
	p := u.peer(node)
	if p == nil {
		return false
	}
	u.spread()
	u.room(u.rxfd)
	u.tx.add(u.rxfd, data, &p.sa)
	return true
}

// spread queues what goes to all: for one peer after the other, so that the kernel
// can take the datagrams of each as one message.
func (u *UDPU) spread() {
	for i := range u.peers {
		same := false
		for _, data := range u.all {
			same = u.room(u.txfd) && same
			u.tx.addJoined(u.txfd, data, &u.peers[i].sa, same)
			same = true
		}
	}
	clear(u.all) // let the collector have the datagrams
	u.all = u.all[:0]
}

// Flush hands the queued datagrams to the kernel, those for one node in their order.
func (u *UDPU) Flush() {
	u.spread()
	u.send()
}
