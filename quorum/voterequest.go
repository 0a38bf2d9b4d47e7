package quorum

import (
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/wire"
)

// lib is the table of votequorum's library requests. None needs room in totem's
// queue beforehand; those that multicast check the engine's own.
func (s *voteServer) lib() []service.LibFn {
	fn := func(size int, serve func(*voteClient, []byte)) service.LibFn {
		return service.LibFn{Flow: service.FlowNotRequired, MinSize: size, Handle: func(c service.Conn, msg []byte) {
			serve(c.State().(*voteClient), msg)
			s.run()
		}}
	}
	// status makes a request whose answer is nothing but a status.
	status := func(size int, serve func(msg []byte) service.Error) service.LibFn {
		return fn(size, func(c *voteClient, msg []byte) {
			result := service.ErrTryAgain
			if len(s.unsent) < unsentMax {
				result = serve(msg)
			}
			s.status(c, result)
		})
	}
	return []service.LibFn{
		wire.VoteReqGetInfo:           fn(wire.MinVoteU32Req, s.getInfo),
		wire.VoteReqSetExpected:       status(wire.MinVoteU32Req, s.setExpected),
		wire.VoteReqSetVotes:          status(wire.VoteSetVotesReqSize, s.setVotes),
		wire.VoteReqTrackStart:        fn(wire.MinVoteTrackStartReq, s.trackStart),
		wire.VoteReqTrackStop:         fn(mar.ReqSize, s.trackStop),
		wire.VoteReqQdeviceRegister:   fn(wire.MinQdeviceNameReq, s.register),
		wire.VoteReqQdeviceUnregister: status(wire.MinQdeviceNameReq, s.unregister),
		wire.VoteReqQdeviceUpdate:     status(wire.MinQdeviceUpdateReq, s.rename),
		wire.VoteReqQdevicePoll:       status(wire.QdevicePollReqSize, s.poll),
		wire.VoteReqQdeviceMasterWins: status(wire.MinQdeviceMasterReq, s.masterWins),
	}
}

func (s *voteServer) status(c *voteClient, status service.Error) {
	s.buf = mar.AppendStatus(s.buf[:0], wire.VoteResStatus, status)
	c.conn.Reply(s.buf, nil)
}

func (s *voteServer) getInfo(c *voteClient, msg []byte) {
	id, err := wire.ParseVoteU32Req(msg)
	info, status := s.core.Info(id)
	if err != nil {
		status = service.ErrInvalidParam
	}
	s.buf = info.Append(s.buf[:0], status)
	c.conn.Reply(s.buf, nil)
}

func (s *voteServer) setExpected(msg []byte) service.Error {
	votes, err := wire.ParseVoteU32Req(msg)
	if err != nil {
		return service.ErrInvalidParam
	}
	return s.core.SetExpected(votes)
}

func (s *voteServer) setVotes(msg []byte) service.Error {
	r, err := wire.ParseVoteSetVotesReq(msg)
	if err != nil {
		return service.ErrInvalidParam
	}
	return s.core.SetVotes(r.Node, r.Votes)
}

func (s *voteServer) trackStart(c *voteClient, msg []byte) {
	r, err := wire.ParseVoteTrackStartReq(msg)
	status := service.OK
	if err != nil {
		status = service.ErrInvalidParam
	}
	if r.Flags&(wire.TrackCurrent|wire.TrackChanges) != 0 {
		l := s.core.NodeListEvent()
		l.Context = r.Context
		s.buf = l.Append(s.buf[:0])
		c.conn.Event(s.buf, nil)
		q := s.core.QuorumEvent()
		q.Context = r.Context
		s.buf = q.Append(s.buf[:0])
		c.conn.Event(s.buf, nil)
	}
	switch {
	case c.tracking:
		status = service.ErrExist
	case r.Flags&(wire.TrackChanges|wire.TrackChangesOnly) != 0:
		c.tracking, c.context = true, r.Context
		s.trackers = append(s.trackers, c)
	}
	s.status(c, status)
}

func (s *voteServer) trackStop(c *voteClient, _ []byte) {
	if !c.tracking {
		s.status(c, service.ErrNotExist)
		return
	}
	s.untrack(c)
	s.status(c, service.OK)
}

// register is answered when the message comes back, unless refused at once.
func (s *voteServer) register(c *voteClient, msg []byte) {
	name, err := wire.ParseQdeviceNameReq(msg)
	switch {
	case err != nil:
		s.status(c, service.ErrInvalidParam)
	case len(s.unsent) >= unsentMax:
		s.status(c, service.ErrTryAgain)
	default:
		status, pending := s.core.Register(name)
		if pending {
			s.device = c.conn
		} else {
			s.status(c, status)
		}
	}
}

func (s *voteServer) unregister(msg []byte) service.Error {
	name, err := wire.ParseQdeviceNameReq(msg)
	if err != nil {
		return service.ErrInvalidParam
	}
	return s.core.Unregister(name)
}

func (s *voteServer) rename(msg []byte) service.Error {
	r, err := wire.ParseQdeviceUpdateReq(msg)
	if err != nil {
		return service.ErrInvalidParam
	}
	return s.core.Rename(r.Old, r.New)
}

func (s *voteServer) poll(msg []byte) service.Error {
	r, err := wire.ParseQdevicePollReq(msg)
	if err != nil {
		return service.ErrInvalidParam
	}
	return s.core.Poll(s.host.Now(), &r)
}

func (s *voteServer) masterWins(msg []byte) service.Error {
	r, err := wire.ParseQdeviceMasterWinsReq(msg)
	if err != nil {
		return service.ErrInvalidParam
	}
	return s.core.MasterWins(&r)
}
