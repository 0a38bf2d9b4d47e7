package daemon

import (
	"errors"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/totem/pg"
)

// host is what the services see of the daemon: service.Host. Owned by the loop.
type host struct{ d *Daemon }

var _ service.Host = host{}

// NodeID is the local node.
func (h host) NodeID() uint32 { return h.d.self }

// Mcast sends to all nodes in total order, in the services' group.
func (h host) Mcast(hdr, body []byte) error {
	h.d.registry.sent(hdr)
	return mcastError(h.d.node.Mcast(pg.GroupService, hdr, body))
}

// mcastError turns the ring's refusals into library codes.
func mcastError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pg.ErrTooBig):
		return service.ErrTooBig
	default:
		return service.ErrTryAgain
	}
}

// Room says whether a message of n bytes would be taken now.
func (h host) Room(n int) bool { return h.d.node.Room(n) }

// Now is the loop's clock.
func (h host) Now() time.Time { return h.d.loop.Now() }

// After calls fn once d has passed.
func (h host) After(d time.Duration, fn func()) service.Timer { return h.d.loop.After(d, fn) }

// Ring is the current ring and its members.
func (h host) Ring() (service.RingID, []uint32) { return h.d.ring, h.d.members }

// Shutdown ends the daemon after the current turn.
func (h host) Shutdown(status int, leave bool) { h.d.shutdown(status, leave) }
