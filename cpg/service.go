package cpg

import (
	"errors"
	"fmt"
	"time"

	"github.com/pacesync/pacesync/cpg/group"
	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// leaveRetry is how soon a PROCLEAVE that totem had no room for is tried again.
const leaveRetry = 20 * time.Millisecond

// itersMax bounds the open iterations of one client; each holds a copy of the
// process list.
const itersMax = 64

// server is the daemon's engine: it moves messages between clients, the
// membership core and totem. Owned by the daemon's loop.
type server struct {
	host service.Host
	log  service.Log
	eng  *group.Engine

	sent     bool        // the round's DOWNLIST is out
	unsent   []wire.Proc // leaves of closed clients, oldest first
	nextIter uint64
	zc       zcFiles
	bad      uint64 // messages dropped because they made no sense

	// Buffers reused for every message, so that the way from client to totem and
	// from totem to clients allocates nothing.
	buf        []byte
	to         []*group.Client
	mcast      [wire.McastSize]byte
	partial    [wire.PartialMcastSize]byte
	deliver    [wire.DeliverSize]byte
	deliverPar [wire.PartialDeliverSize]byte
}

// client is the state of a connection.
type client struct {
	group.Client
	conn  service.Conn
	iters []iteration
	zc    []zcBuffer
}

type iteration struct {
	handle uint64
	items  []wire.Item
	next   int // len(items): the end, which is told once; then it starts over
}

// NewEngine makes the engine of service 2. log may be nil.
func NewEngine(host service.Host, log service.Log) *service.Engine {
	if log == nil {
		log = func(service.Level, string) {}
	}
	s := &server{host: host, log: log, eng: group.New(host.NodeID())}
	return &service.Engine{
		ID:             service.CPG,
		Name:           "corosync_cpg",
		Title:          "corosync cluster closed process group service v1.01",
		Socket:         "cpg",
		Short:          "cpg",
		Priority:       1,
		AllowInquorate: true,
		Lib:            s.lib(),
		Exec:           s.exec(),
		Sync:           s,
		Opened:         s.opened,
		Closed:         s.closed,
	}
}

func (s *server) opened(c service.Conn) {
	cl := &client{conn: c}
	cl.Tag = cl
	c.SetState(cl)
	s.eng.Open(&cl.Client)
	s.log(service.LevelDebug, fmt.Sprintf("%#x connected, process %d", c.Handle(), c.PID()))
}

func (s *server) closed(c service.Conn) {
	cl, ok := c.State().(*client)
	if !ok {
		return
	}
	s.log(service.LevelDebug, fmt.Sprintf("%#x is gone", c.Handle()))
	s.zcFreeAll(cl)
	if p := s.eng.Close(&cl.Client); p != nil {
		s.sendLeave(*p)
	}
	s.flush()
}

// sendLeave multicasts the end of a process, later if there is no room now:
// peers would keep the process for ever (upstream loses the message).
func (s *server) sendLeave(p wire.Proc) {
	s.unsent = append(s.unsent, p)
	if len(s.unsent) == 1 {
		s.retryLeaves()
	}
}

func (s *server) retryLeaves() {
	for len(s.unsent) > 0 {
		if s.host.Mcast(s.unsent[0].Append(s.buf[:0]), nil) != nil {
			s.host.After(leaveRetry, s.retryLeaves)
			return
		}
		s.unsent = s.unsent[1:]
	}
}

// flush sends the core's events to their clients.
func (s *server) flush() {
	for _, ev := range s.eng.Take() {
		switch {
		case ev.Confchg != nil:
			s.buf = ev.Confchg.Append(s.buf[:0])
		case ev.Totem != nil:
			s.buf = ev.Totem.Append(s.buf[:0])
		}
		for _, c := range ev.To {
			c.Tag.(*client).conn.Event(s.buf, nil)
		}
	}
}

// exec is the table of messages between nodes.
func (s *server) exec() []service.ExecFn {
	return []service.ExecFn{
		wire.ExecProcJoin:     {Name: "procjoin", Deliver: s.onProc, MinSize: wire.ProcSize},
		wire.ExecProcLeave:    {Name: "procleave", Deliver: s.onProc, MinSize: wire.ProcSize},
		wire.ExecJoinList:     {Name: "joinlist", Deliver: s.onJoinList, MinSize: wire.JoinListSize},
		wire.ExecMcast:        {Name: "mcast", Deliver: s.onMcast, MinSize: wire.McastSize},
		wire.ExecDownListOld:  {Name: "downlist-old", Deliver: func(uint32, []byte, bool) {}, MinSize: mar.ReqSize},
		wire.ExecDownList:     {Name: "downlist", Deliver: s.onDownList, MinSize: wire.DownListSize},
		wire.ExecPartialMcast: {Name: "partial-mcast", Deliver: s.onPartialMcast, MinSize: wire.PartialMcastSize},
	}
}

// drop counts a message that makes no sense and logs the 1st, 2nd, 4th, … one.
func (s *server) drop(from uint32, err error) {
	s.bad++
	if s.bad&(s.bad-1) == 0 {
		s.log(service.LevelWarning, fmt.Sprintf("message from node %d dropped: %v (%d so far)", from, err, s.bad))
	}
}

func (s *server) onProc(from uint32, msg []byte, swapped bool) {
	p, err := wire.ParseProc(msg, swapped)
	if err != nil {
		s.drop(from, err)
		return
	}
	what := "procjoin"
	if p.Leave {
		what = "procleave"
	}
	s.log(service.LevelDebug, fmt.Sprintf("got %s message from cluster node %d for pid %d", what, from, p.PID))
	if p.Leave {
		s.eng.ProcLeave(from, &p)
	} else if s.eng.ProcJoin(from, &p) {
		s.sendLeave(wire.Proc{Leave: true, Group: p.Group, PID: p.PID, Reason: wire.ReasonProcDown})
	}
	s.flush()
}

func (s *server) onJoinList(from uint32, msg []byte, swapped bool) {
	l, err := wire.ParseJoinList(msg, swapped)
	if err != nil {
		s.drop(from, err)
		return
	}
	s.log(service.LevelDebug, fmt.Sprintf("got joinlist message from node %d", from))
	s.eng.GotJoinList(from, l)
}

func (s *server) onDownList(from uint32, msg []byte, swapped bool) {
	d, err := wire.ParseDownList(msg, swapped)
	if err != nil {
		s.drop(from, err)
		return
	}
	s.log(service.LevelDebug, fmt.Sprintf("downlist left_list: %d received", len(d.Left)))
	s.eng.GotDownList(from)
}

func (s *server) onMcast(from uint32, msg []byte, swapped bool) {
	m, err := wire.ParseMcast(msg, swapped)
	if err != nil {
		s.drop(from, err)
		return
	}
	if !s.audience(from, &m.Group) {
		return
	}
	d := wire.Deliver{Group: m.Group, Node: from, PID: m.PID, Data: m.Data}
	d.PutHeader(&s.deliver)
	for _, c := range s.to {
		c.Tag.(*client).conn.Event(s.deliver[:], m.Data)
	}
}

func (s *server) onPartialMcast(from uint32, msg []byte, swapped bool) {
	m, err := wire.ParsePartialMcast(msg, swapped)
	if err != nil {
		s.drop(from, err)
		return
	}
	if !s.audience(from, &m.Group) {
		return
	}
	d := wire.PartialDeliver{Group: m.Group, Total: m.Total, Node: from, PID: m.PID, Part: m.Part, Data: m.Data}
	d.PutHeader(&s.deliverPar)
	for _, c := range s.to {
		c.Tag.(*client).conn.Event(s.deliverPar[:], m.Data)
	}
}

// audience fills s.to with the clients that get a message.
func (s *server) audience(from uint32, name *wire.Name) bool {
	var known bool
	s.to, known = s.eng.Audience(from, name, s.to[:0])
	if !known {
		s.log(service.LevelWarning, "Unknown node -> we will not deliver message")
	}
	return len(s.to) > 0
}

// SyncInit implements service.Syncer.
func (s *server) SyncInit(trans, members []uint32, ring service.RingID) {
	s.sent = false
	s.eng.SyncInit(trans, members, ring)
}

// SyncProcess implements service.Syncer: DOWNLIST always, JOINLIST if there is
// a local process.
func (s *server) SyncProcess() bool {
	if !s.sent {
		d := s.eng.DownList()
		s.buf = d.Append(s.buf[:0])
		if s.host.Mcast(s.buf, nil) != nil {
			return false
		}
		s.sent = true
	}
	list := s.eng.JoinList()
	if len(list) == 0 {
		return true
	}
	s.buf = wire.AppendJoinList(s.buf[:0], list)
	return s.host.Mcast(s.buf, nil) == nil
}

// SyncActivate implements service.Syncer.
func (s *server) SyncActivate() {
	d := s.eng.DownList()
	s.log(service.LevelDebug, fmt.Sprintf("my downlist: members(old:%d left:%d)", d.OldMembers, len(d.Left)))
	s.eng.SyncActivate()
	s.flush()
}

// SyncAbort implements service.Syncer.
func (s *server) SyncAbort() { s.eng.SyncAbort() }

// errName says whether a request failed to parse for its name's length.
func errName(err error) bool {
	var count *mar.CountError
	return errors.As(err, &count)
}
