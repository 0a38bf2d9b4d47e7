package cfg

import (
	"slices"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Phases of a change of key: all nodes have loaded the new one; then they use
// it; then they forget the old one.
const (
	cryptoActivate = 1
	cryptoCleanup  = 2
)

// oldKeyLimit bounds how long the old key is kept for nodes that still use it.
const oldKeyLimit = 30 * time.Second

// keyChange knows who uses the new key. The original drops the old one with its own
// second phase; a node whose messages wait behind others then still seals with it,
// and is out of the ring. We keep it until all who were there at the reload have
// begun to use the new one.
type keyChange struct {
	nodes []uint32      // members at the reload that have not begun
	ended bool          // our own second phase has come
	limit service.Timer // runs while ended
}

// reloaded begins anew, unless a change has not ended.
func (k *keyChange) reloaded(members []uint32) {
	if !k.ended {
		k.nodes = slices.Clone(members)
	}
}

// overtaken forgets a change that has not ended: the next one has taken the old
// key's place.
func (k *keyChange) overtaken() {
	if k.ended {
		k.ended = false
		k.limit.Stop()
	}
}

// leave only those nodes that are members.
func (k *keyChange) remain(members []uint32) {
	k.nodes = slices.DeleteFunc(k.nodes, func(n uint32) bool { return !slices.Contains(members, n) })
}

func (s *Service) sendCrypto(phase uint32) error {
	b, m := mar.Extend(nil, cryptoSize)
	mar.PutReq(m, mar.ID(service.CFG, execCrypto), cryptoSize)
	mar.PutU32(m, 16, phase)
	return s.host.Mcast(b, nil)
}

// deliverCrypto acts on our own messages: each node moves through the phases by
// itself. Those of others tell when nobody needs the old key any more.
func (s *Service) deliverCrypto(from uint32, msg []byte, swapped bool) {
	phase := mar.View{B: msg, Swapped: swapped}.U32(16)
	s.key.nodes = slices.DeleteFunc(s.key.nodes, func(n uint32) bool { return n == from })
	if from == s.host.NodeID() {
		s.logf(service.LevelDebug, "Crypto reconfiguration phase %d", phase)
		switch phase {
		case cryptoActivate:
			s.daemon.CryptoPhase(cryptoActivate)
			s.retry(func() error { return s.sendCrypto(cryptoCleanup) })
		case cryptoCleanup:
			s.key.overtaken()
			s.key.ended, s.key.limit = true, s.host.After(oldKeyLimit, s.dropOldKey)
		}
	}
	s.dropUnusedKey()
}

// confchg: who is gone needs no key.
func (s *Service) confchg(transitional bool, members, _, _ []uint32, _ service.RingID) {
	if !transitional {
		s.key.remain(members)
		s.dropUnusedKey()
	}
}

func (s *Service) dropUnusedKey() {
	if s.key.ended && len(s.key.nodes) == 0 {
		s.key.limit.Stop()
		s.dropOldKey()
	}
}

func (s *Service) dropOldKey() {
	s.key.ended = false
	s.daemon.CryptoPhase(cryptoCleanup)
}
