package cfg

import (
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// defaultShutdownTimeout is how long trackers may take to answer
// (cfg.c: DEFAULT_SHUTDOWN_TIMEOUT; cmap key cfg.shutdown_timeout).
const defaultShutdownTimeout = 5000

// vote is what a tracker has said about the shutdown in progress.
type vote uint8

const (
	unasked vote = iota // came by itself or is the one who asks
	open
	yes
	no
)

// tracker is a client that is asked before a shutdown.
type tracker struct {
	conn service.Conn
	vote vote
}

// shutdown is the attempt of one client to end the daemon. Trackers stand in
// reverse order of their coming, as in the original, which asks them in that order.
type shutdown struct {
	trackers []*tracker
	by       service.Conn // nil: no attempt
	flags    wire.ShutdownFlags
	timer    service.Timer
	// others counts the answers of clients that do not track: each stands for one of
	// a tracker, so that a process may be asked on one connection and answer on another.
	othersYes, othersNo int
}

func (d *shutdown) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (d *shutdown) find(c service.Conn) *tracker {
	for _, t := range d.trackers {
		if t.conn.Handle() == c.Handle() {
			return t
		}
	}
	return nil
}

// count is the number of trackers with a vote.
func (d *shutdown) count(v vote) (n int) {
	for _, t := range d.trackers {
		if t.vote == v {
			n++
		}
	}
	return n
}

func (s *Service) trackStart(c service.Conn, _ []byte) {
	d := &s.shutdown
	if d.find(c) == nil {
		t := &tracker{conn: c}
		d.trackers = append([]*tracker{t}, d.trackers...)
		if d.by != nil {
			t.vote = open
			s.ask(t, service.OK)
		}
	}
	s.reply(c, wire.ResTrackStart, service.OK)
}

func (s *Service) trackStop(c service.Conn, _ []byte) {
	s.untrack(c)
	s.reply(c, wire.ResTrackStop, service.OK)
}

// untrack forgets a client: who asked for the shutdown calls it off by going, and
// a tracker that goes agrees.
func (s *Service) untrack(c service.Conn) {
	d := &s.shutdown
	if d.by != nil && d.by.Handle() == c.Handle() {
		d.stop()
		d.by = nil
	}
	for i, t := range d.trackers {
		if t.conn.Handle() == c.Handle() {
			d.trackers = append(d.trackers[:i:i], d.trackers[i+1:]...)
			s.decide(false)
			return
		}
	}
}

func (s *Service) ask(t *tracker, status service.Error) {
	b := wire.AppendTestShutdown(nil, s.shutdown.flags)
	mar.PutU32(b, 16, uint32(status))
	t.conn.Event(b, nil)
}

// tryShutdown starts an attempt. Its answer comes when the trackers have voted.
func (s *Service) tryShutdown(c service.Conn, msg []byte) {
	d := &s.shutdown
	flags, err := wire.ParseNumberReq(msg)
	switch {
	case err != nil:
		s.reply(c, wire.ResTryShutdown, service.ErrInvalidParam)
		return
	case wire.ShutdownFlags(flags) == wire.ShutdownImmediate:
		s.reply(c, wire.ResTryShutdown, code(s.sendShutdown()))
		return
	case d.by != nil:
		s.reply(c, wire.ResTryShutdown, service.ErrExist)
		return
	}
	d.by, d.flags = c, wire.ShutdownFlags(flags)
	d.othersYes, d.othersNo = 0, 0
	for _, t := range d.trackers {
		t.vote = unasked
		if t.conn.Handle() != c.Handle() {
			t.vote = open
		}
	}
	if d.count(open) == 0 {
		s.decide(false)
		return
	}
	wait, ok := s.m.U32("cfg.shutdown_timeout")
	if !ok {
		wait = defaultShutdownTimeout
	}
	d.timer = s.host.After(time.Duration(wait)*time.Millisecond, s.shutdownTimeout)
	for _, t := range d.trackers {
		if t.vote == open {
			s.ask(t, service.OK)
		}
	}
}

// shutdownTimeout counts those who did not answer as against it, and tells all
// trackers that the time is over.
func (s *Service) shutdownTimeout() {
	s.shutdown.timer = nil
	s.decide(true)
	for _, t := range s.shutdown.trackers {
		s.ask(t, service.ErrTimeout)
	}
}

func (s *Service) replyToShutdown(c service.Conn, msg []byte) {
	d := &s.shutdown
	answer, err := wire.ParseNumberReq(msg)
	if d.by == nil || err != nil {
		s.reply(c, wire.ResReplyToShutdown, service.ErrAccess)
		return
	}
	agrees := wire.ShutdownAnswer(answer) != wire.ShutdownNo
	switch t := d.find(c); {
	case t != nil && agrees:
		t.vote = yes
	case t != nil:
		t.vote = no
	case agrees:
		d.othersYes++
	default:
		d.othersNo++
	}
	s.decide(false)
	s.reply(c, wire.ResReplyToShutdown, service.OK)
}

// decide ends the attempt once as many have answered as were asked, or the time is over.
func (s *Service) decide(timeout bool) {
	d := &s.shutdown
	asked := d.count(open) + d.count(yes) + d.count(no)
	agree, against := d.count(yes)+d.othersYes, d.count(no)+d.othersNo
	if d.by == nil || agree+against < asked && !timeout {
		return
	}
	d.stop()
	c := d.by
	d.by = nil
	status := service.OK
	if agree < asked && d.flags != wire.ShutdownRegardless {
		status = service.ErrBusy
	} else {
		status = code(s.sendShutdown())
	}
	s.logf(service.LevelDebug, "shutdown decision is: (yes count: %d, no count: %d) flags=%x", agree, against, d.flags)
	s.reply(c, wire.ResTryShutdown, status)
}
