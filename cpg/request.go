package cpg

import (
	"fmt"
	"slices"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// lib is the table of library requests (cpg.c: cpg_lib_engine).
func (s *server) lib() []service.LibFn {
	fn := func(flow service.FlowControl, size int, serve func(*client, []byte)) service.LibFn {
		return service.LibFn{Flow: flow, MinSize: size, Handle: func(c service.Conn, msg []byte) {
			serve(c.State().(*client), msg)
			if len(s.eng.Take()) > 0 {
				panic("cpg: a request caused events")
			}
		}}
	}
	const need, free = service.FlowRequired, service.FlowNotRequired
	// The library does not look at the result of a zero-copy allocation, so that
	// is served at any time; upstream refuses it during a sync.
	return []service.LibFn{
		wire.ReqJoin:         fn(need, wire.JoinReqSize, s.join),
		wire.ReqLeave:        fn(need, wire.LeaveReqSize, s.leave),
		wire.ReqMcast:        fn(need, wire.McastReqSize, s.mcastReq),
		wire.ReqMembership:   fn(free, wire.MembershipReqSize, s.membership),
		wire.ReqLocalGet:     fn(free, mar.ReqSize, s.localGet),
		wire.ReqIterInit:     fn(free, wire.IterInitReqSize, s.iterInit),
		wire.ReqIterNext:     fn(free, wire.IterHandleReqSize, s.iterNext),
		wire.ReqIterFinalize: fn(free, wire.IterHandleReqSize, s.iterFinalize),
		wire.ReqFinalize:     fn(need, mar.ReqSize, s.finalize),
		wire.ReqZCAlloc:      fn(free, wire.ZCAllocReqSize, s.zcAlloc),
		wire.ReqZCFree:       fn(free, wire.ZCFreeReqSize, s.zcFree),
		wire.ReqZCExecute:    fn(need, wire.ZCExecuteReqSize, s.zcExecute),
		wire.ReqPartialMcast: fn(need, wire.PartialMcastReqSize, s.partialReq),
	}
}

func (s *server) status(c *client, id int32, status service.Error) {
	s.buf = mar.AppendStatus(s.buf[:0], id, status)
	c.conn.Reply(s.buf, nil)
}

func (s *server) join(c *client, msg []byte) {
	r, err := wire.ParseJoinReq(msg)
	if err != nil {
		status := service.ErrInvalidParam
		if errName(err) {
			status = service.ErrNameTooLong
		}
		s.status(c, wire.ResJoin, status)
		return
	}
	p, status := s.eng.Join(&c.Client, &r)
	s.status(c, wire.ResJoin, s.announce(c, p, status))
}

func (s *server) leave(c *client, msg []byte) {
	r, err := wire.ParseLeaveReq(msg)
	if err != nil {
		s.status(c, wire.ResLeave, service.ErrInvalidParam)
		return
	}
	p, status := s.eng.Leave(&c.Client, &r)
	s.status(c, wire.ResLeave, s.announce(c, p, status))
}

// announce multicasts a join or leave that the core granted.
func (s *server) announce(c *client, p *wire.Proc, status service.Error) service.Error {
	if p == nil {
		return status
	}
	s.buf = p.Append(s.buf[:0])
	if s.host.Mcast(s.buf, nil) != nil {
		s.eng.Undo(&c.Client)
		return service.ErrTryAgain
	}
	return status
}

// mcastReq is never answered: what is wrong with it goes to the log.
func (s *server) mcastReq(c *client, msg []byte) {
	r, err := wire.ParseMcastReq(msg)
	if err != nil {
		s.log(service.LevelError, fmt.Sprintf("*** %#x sent a bad multicast request: %v", c.conn.Handle(), err))
		return
	}
	status := c.MayMcast()
	if status == service.OK {
		m := wire.Mcast{Group: c.Group(), PID: c.PID(), Source: s.source(c), Data: r.Data}
		m.PutHeader(&s.mcast)
		if s.host.Mcast(s.mcast[:], r.Data) != nil {
			status = service.ErrTryAgain // the daemon looked for room before
		}
	}
	if status != service.OK {
		s.cannotMcast(c, status)
	}
}

func (s *server) cannotMcast(c *client, status service.Error) {
	s.log(service.LevelError, fmt.Sprintf("*** %#x can't mcast to group %s state:%d, error:%d",
		c.conn.Handle(), c.Group(), c.State(), int32(status)))
}

func (s *server) source(c *client) wire.Source {
	return wire.Source{Node: s.host.NodeID(), Conn: c.conn.Handle()}
}

func (s *server) partialReq(c *client, msg []byte) {
	r, err := wire.ParsePartialMcastReq(msg)
	if err != nil {
		s.status(c, wire.ResPartialMcast, service.ErrInvalidParam)
		return
	}
	status := c.MayMcastPart(r.Part)
	if status == service.OK {
		m := wire.PartialMcast{Group: c.Group(), Total: r.Total, PID: c.PID(), Part: r.Part, Source: s.source(c), Data: r.Data}
		m.PutHeader(&s.partial)
		if s.host.Mcast(s.partial[:], r.Data) != nil {
			status = service.ErrTryAgain
		}
	}
	if status != service.OK {
		s.cannotMcast(c, status)
	}
	s.status(c, wire.ResPartialMcast, status)
}

func (s *server) membership(c *client, msg []byte) {
	r, err := wire.ParseMembershipReq(msg)
	status := service.OK
	var members []wire.Address
	if err != nil {
		status = service.ErrInvalidParam
	} else {
		members = s.eng.Members(r.Group)
	}
	s.buf = wire.AppendMembershipRes(s.buf[:0], members, status)
	c.conn.Reply(s.buf, nil)
}

func (s *server) localGet(c *client, _ []byte) {
	s.buf = wire.AppendLocalGetRes(s.buf[:0], s.host.NodeID())
	c.conn.Reply(s.buf, nil)
}

func (s *server) iterInit(c *client, msg []byte) {
	r, err := wire.ParseIterInitReq(msg)
	status := service.OK
	var handle uint64
	switch {
	case err != nil:
		status = service.ErrInvalidParam
	case len(c.iters) >= itersMax:
		status = service.ErrNoMemory
	default:
		s.nextIter++
		handle = s.nextIter
		c.iters = append(c.iters, iteration{handle: handle, items: s.eng.Iterate(&r)})
	}
	s.buf = wire.AppendIterInitRes(s.buf[:0], handle, status)
	c.conn.Reply(s.buf, nil)
}

// iteration finds an iteration of the client, -1 if there is none: handles of
// others are not valid.
func (c *client) iteration(msg []byte) int {
	h, err := wire.ParseIterHandleReq(msg)
	if err != nil {
		return -1
	}
	return slices.IndexFunc(c.iters, func(it iteration) bool { return it.handle == h })
}

func (s *server) iterNext(c *client, msg []byte) {
	var item wire.Item
	status := service.OK
	switch i := c.iteration(msg); {
	case i < 0:
		status = service.ErrLibrary
	case c.iters[i].next == len(c.iters[i].items):
		status = service.ErrNoSections
		c.iters[i].next = 0
	default:
		item = c.iters[i].items[c.iters[i].next]
		c.iters[i].next++
	}
	s.buf = wire.AppendIterNextRes(s.buf[:0], &item, status)
	c.conn.Reply(s.buf, nil)
}

func (s *server) iterFinalize(c *client, msg []byte) {
	i := c.iteration(msg)
	if i < 0 {
		s.status(c, wire.ResIterFinalize, service.ErrLibrary)
		return
	}
	c.iters = slices.Delete(c.iters, i, i+1)
	s.status(c, wire.ResIterFinalize, service.OK)
}

func (s *server) finalize(c *client, _ []byte) {
	s.eng.Finalize(&c.Client)
	s.status(c, wire.ResFinalize, service.OK)
}

var _ service.Syncer = (*server)(nil)
