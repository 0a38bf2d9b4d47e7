package cfg

import (
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Keys that tell clients of a reload.
const (
	keyPreparing  = "config.totemconfig_reload_in_progress"
	keyInProgress = "config.reload_in_progress"
	keyStatus     = "config.reload_status"
)

// maxReloads bounds the reloads that wait behind one that is being prepared;
// more are answered with ErrTryAgain, as each reads the same file.
const maxReloads = 64

// reloadQueue holds the reloads of this node in the order of their messages.
// Invariant: while it is not empty, its first is being prepared.
type reloadQueue struct{ waiting []reloadRequest }

// reloadRequest is a delivered request; client is 0 when another node's.
type reloadRequest struct {
	from   uint32
	client uint64
}

// reloadConfig tells all nodes to read their files.
func (s *Service) reloadConfig(c service.Conn, _ []byte) {
	b, m := mar.Extend(nil, reloadSize)
	mar.PutReq(m, mar.ID(service.CFG, execReload), reloadSize)
	mar.PutU32(m, 16, s.host.NodeID())
	mar.PutU64(m, 24, c.Handle())
	if err := s.host.Mcast(b, nil); err != nil {
		s.reply(c, wire.ResReloadConfig, code(err))
	}
}

// deliverReload queues the work: the file is read and checked outside of the
// loop, so that neither a slow disk nor a slow name server delays the token.
func (s *Service) deliverReload(from uint32, msg []byte, swapped bool) {
	r := reloadRequest{from: from}
	if from == s.host.NodeID() {
		r.client = mar.View{B: msg, Swapped: swapped}.U64(24)
	}
	s.logf(service.LevelNotice, "Config reload requested by node %d", from)
	_, members := s.host.Ring()
	s.key.reloaded(members)
	if len(s.reload.waiting) >= maxReloads {
		s.answerReload(r, service.ErrTryAgain)
		return
	}
	s.reload.waiting = append(s.reload.waiting, r)
	if len(s.reload.waiting) == 1 {
		s.prepareReload()
	}
}

func (s *Service) prepareReload() {
	_ = s.m.Set(keyPreparing, cmap.U8(1))
	s.daemon.Prepare(config.Fixed(s.m), s.daemon.Config(), s.finishReload)
}

// finishReload makes a checked configuration live, or says why not, and tells
// the client that asked. Nothing of a refused file is applied.
func (s *Service) finishReload(r *config.Reload) {
	status := service.OK
	for _, text := range r.Notices {
		s.log(service.LevelNotice, text)
	}
	for _, text := range r.Warnings {
		s.log(service.LevelWarning, text)
	}
	for _, text := range r.Errors {
		s.log(service.LevelError, text)
	}
	if r.Config == nil {
		status = service.ErrInvalidParam
	} else {
		status = s.commitReload(r)
	}
	_ = s.m.Set(keyStatus, cmap.I32(int32(status)))
	_ = s.m.Set(keyPreparing, cmap.U8(0))
	if _, shown := s.m.U8(keyInProgress); shown {
		_ = s.m.Set(keyInProgress, cmap.U8(0))
	}
	if status == service.OK && r.CryptoChanged {
		s.key.overtaken()
		s.retry(func() error { return s.sendCrypto(cryptoActivate) })
	}
	req := s.reload.waiting[0]
	s.reload.waiting = s.reload.waiting[1:]
	s.answerReload(req, status)
	if len(s.reload.waiting) > 0 {
		s.prepareReload()
	}
}

func (s *Service) commitReload(r *config.Reload) service.Error {
	_ = s.m.Set(keyInProgress, cmap.U8(1))
	if err := r.Commit(s.m); err != nil {
		s.logf(service.LevelError, "Error making new config live. cmap database may be inconsistent: %v", err)
		return code(err)
	}
	s.daemon.Commit(r.Config)
	return service.OK
}

func (s *Service) answerReload(r reloadRequest, status service.Error) {
	if c := s.conns[r.client]; c != nil {
		s.reply(c, wire.ResReloadConfig, status)
	}
}

// retryPause is how soon a message is tried again that the full send queue did
// not take.
const retryPause = 10 * time.Millisecond

// retry sends a message that nobody waits for, until it is taken.
func (s *Service) retry(send func() error) {
	if send() == nil {
		return
	}
	s.host.After(retryPause, func() { s.retry(send) })
}
