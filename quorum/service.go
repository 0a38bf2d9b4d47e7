package quorum

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/vote"
	"github.com/pacesync/pacesync/quorum/wire"
)

const providerVote = "corosync_votequorum"

// quorumServer is the engine of service 3: it tells clients who is in the ring
// and what the provider decided. Upstream: exec/vsf_quorum.c.
type quorumServer struct {
	log       service.Log
	provider  string // "" or providerVote
	listeners []func(bool)

	primary bool
	ring    service.RingID // of the provider's last decision
	view    []uint32

	last    service.RingID // of the last sync round
	members []uint32
	old     []uint32 // members of the last activated round
	joined  []uint32
	left    []uint32

	trackers []*quorumClient
	buf      []byte
}

type quorumClient struct {
	conn     service.Conn
	model    uint32
	tracking bool
}

func (s *quorumServer) engine() *service.Engine {
	const free = service.FlowNotRequired
	fn := func(what string, size int, serve func(*quorumClient, []byte)) service.LibFn {
		return service.LibFn{Flow: free, MinSize: size, Handle: func(c service.Conn, msg []byte) {
			s.log(service.LevelDebug, fmt.Sprintf("got %s request on %#x", what, c.Handle()))
			serve(c.State().(*quorumClient), msg)
		}}
	}
	return &service.Engine{
		ID:             service.Quorum,
		Name:           "corosync_quorum",
		Title:          "corosync cluster quorum service v0.1",
		Socket:         "quorum",
		Short:          "quorum",
		Priority:       1,
		AllowInquorate: true,
		Lib: []service.LibFn{
			wire.ReqGetQuorate:   fn("quorate", mar.ReqSize, s.getQuorate),
			wire.ReqTrackStart:   fn("trackstart", wire.MinTrackStartReq, s.trackStart),
			wire.ReqTrackStop:    fn("trackstop", mar.ReqSize, s.trackStop),
			wire.ReqGetType:      fn("quorum_type", mar.ReqSize, s.getType),
			wire.ReqModelGetType: fn("quorum_model_type", wire.MinTrackStartReq, s.modelGetType),
		},
		Sync:  s,
		Start: s.start,
		Opened: func(c service.Conn) {
			c.SetState(&quorumClient{conn: c, model: wire.ModelV0})
		},
		Closed: func(c service.Conn) {
			if cl, ok := c.State().(*quorumClient); ok {
				s.untrack(cl)
			}
		},
	}
}

// start refuses a provider that does not exist. That of votequorum was started
// before, by its own engine.
func (s *quorumServer) start() error {
	if s.provider == "" || s.provider == providerVote {
		return nil
	}
	s.announce()
	s.failed()
	return errors.New(errProvider)
}

const errProvider = "Invalid quorum provider" // upstream's text

func (s *quorumServer) announce() {
	s.log(service.LevelNotice, "Using quorum provider "+s.provider)
}

func (s *quorumServer) failed() {
	s.log(service.LevelCrit, fmt.Sprintf("Quorum provider: %s failed to initialize.", s.provider))
}

// decided takes the provider's decision (vsf_quorum.c: quorum_api_set_quorum).
func (s *quorumServer) decided(d *vote.Decided) {
	switch {
	case d.Quorate && !s.primary:
		s.log(service.LevelNotice, "This node is within the primary component and will provide service.")
	case !d.Quorate && s.primary:
		s.log(service.LevelNotice, "This node is within the non-primary component and will NOT provide any services.")
	}
	s.primary, s.ring, s.view = d.Quorate, d.Ring, slices.Clone(d.Members)
	s.logList("Members", s.view)
	for _, fn := range s.listeners {
		fn(s.primary)
	}
	for _, c := range s.trackers {
		s.sendQuorum(c)
	}
}

// logList logs node ids, as many to a line as upstream's buffer holds; a line
// that goes on ends in a backslash. Upstream leaves the beginning of the next
// id before it.
func (s *quorumServer) logList(what string, ids []uint32) {
	const lineMax = 63
	i := 0
	for {
		var line strings.Builder
		for ; i < len(ids); i++ {
			item := fmt.Sprintf(" %d", ids[i])
			if line.Len()+len(item) > lineMax {
				break
			}
			line.WriteString(item)
		}
		more := ""
		if i < len(ids) {
			more = "\\"
		}
		s.log(service.LevelNotice, fmt.Sprintf("%s[%d]:%s%s", what, len(ids), line.String(), more))
		if more == "" {
			return
		}
	}
}

// SyncInit implements service.Syncer: who left and who joined since the last
// completed round.
func (s *quorumServer) SyncInit(trans, members []uint32, ring service.RingID) {
	s.last, s.members = ring, slices.Clone(members)
	s.left, s.joined = nil, nil
	for _, n := range s.old {
		if !slices.Contains(trans, n) || !slices.Contains(members, n) {
			s.left = append(s.left, n)
		}
	}
	for _, n := range members {
		if !slices.Contains(s.old, n) || slices.Contains(s.left, n) {
			s.joined = append(s.joined, n)
		}
	}
	s.logList("Sync members", s.members)
	if len(s.joined) > 0 {
		s.logList("Sync joined", s.joined)
	}
	if len(s.left) > 0 {
		s.logList("Sync left", s.left)
	}
}

// SyncProcess implements service.Syncer: nothing to send.
func (s *quorumServer) SyncProcess() bool { return true }

// SyncActivate implements service.Syncer.
func (s *quorumServer) SyncActivate() {
	s.old = s.members
	for _, c := range s.trackers {
		s.sendNodeList(c, true)
	}
}

// SyncAbort implements service.Syncer.
func (s *quorumServer) SyncAbort() {}

// sendNodeList tells a model 1 client of the ring.
func (s *quorumServer) sendNodeList(c *quorumClient, changes bool) {
	if c.model != wire.ModelV1 {
		return
	}
	l := wire.NodeList{Ring: s.last, Members: s.members}
	if changes {
		l.Joined, l.Left = s.joined, s.left
	}
	s.buf = l.Append(s.buf[:0])
	c.conn.Event(s.buf, nil)
}

func (s *quorumServer) sendQuorum(c *quorumClient) {
	n := wire.Notify{Quorate: s.primary, Ring: s.ring, Members: s.view}
	if c.model == wire.ModelV1 {
		s.buf = n.AppendV1(s.buf[:0])
	} else {
		s.buf = n.AppendV0(s.buf[:0])
	}
	c.conn.Event(s.buf, nil)
}

func (s *quorumServer) reply(c *quorumClient, b []byte) {
	s.buf = b
	c.conn.Reply(b, nil)
}

func (s *quorumServer) getQuorate(c *quorumClient, _ []byte) {
	s.reply(c, wire.AppendQuorateRes(s.buf[:0], s.primary))
}

func (s *quorumServer) trackStart(c *quorumClient, msg []byte) {
	flags, err := wire.ParseTrackStartReq(msg)
	status := service.OK
	if err != nil {
		status = service.ErrInvalidParam
	}
	if flags&(wire.TrackCurrent|wire.TrackChanges) != 0 {
		s.sendNodeList(c, false)
		s.sendQuorum(c)
	}
	switch {
	case c.tracking:
		status = service.ErrExist
	case flags&(wire.TrackChanges|wire.TrackChangesOnly) != 0:
		c.tracking = true
		s.trackers = append(s.trackers, c)
	}
	s.reply(c, mar.AppendStatus(s.buf[:0], wire.ResTrackStart, status))
}

func (s *quorumServer) trackStop(c *quorumClient, _ []byte) {
	s.untrack(c)
	s.reply(c, mar.AppendStatus(s.buf[:0], wire.ResTrackStop, service.OK))
}

func (s *quorumServer) untrack(c *quorumClient) {
	c.tracking = false
	s.trackers = slices.DeleteFunc(s.trackers, func(x *quorumClient) bool { return x == c })
}

// kind is the type of quorum: free without a provider.
func (s *quorumServer) kind() uint32 {
	if s.provider == "" {
		return wire.TypeFree
	}
	return wire.TypeSet
}

func (s *quorumServer) getType(c *quorumClient, _ []byte) {
	s.reply(c, wire.AppendTypeRes(s.buf[:0], wire.ResGetType, s.kind(), service.OK))
}

func (s *quorumServer) modelGetType(c *quorumClient, msg []byte) {
	model, err := wire.ParseModelGetTypeReq(msg)
	status := service.OK
	if err != nil || model > wire.ModelV1 {
		s.log(service.LevelError, fmt.Sprintf("quorum_model_type request for unsupported model %d", model))
		status = service.ErrInvalidParam
	} else {
		c.model = model
	}
	s.reply(c, wire.AppendTypeRes(s.buf[:0], wire.ResModelGetType, s.kind(), status))
}
