package quorum

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/vote"
	"github.com/pacesync/pacesync/quorum/wire"
)

// sendRetry is how soon messages that totem had no room for are tried again.
const sendRetry = 20 * time.Millisecond

// unsentMax bounds the messages that wait for room; above it, requests that
// multicast are refused.
const unsentMax = 64

// voteServer is the engine of service 5: it feeds the vote core and carries out
// its effects. Upstream: exec/votequorum.c.
type voteServer struct {
	host   service.Host
	log    service.Log
	cmap   *cmap.Map
	store  BarrierStore
	quorum *quorumServer
	core   *vote.Vote

	trackers []*voteClient
	device   service.Conn // whose registration is pending
	unsent   [][]byte     // oldest first
	retry    service.Timer
	deadline time.Time
	timer    service.Timer
	bad      uint64
	buf      []byte
}

type voteClient struct {
	conn     service.Conn
	tracking bool
	context  uint64
}

func (s *voteServer) engine() *service.Engine {
	return &service.Engine{
		ID:             service.Votequorum,
		Name:           "corosync_votequorum",
		LoadedBy:       "corosync_quorum",
		Title:          "corosync vote quorum service v1.0",
		Socket:         "votequorum",
		Short:          "votequorum",
		Priority:       2,
		AllowInquorate: true,
		Lib:            s.lib(),
		Exec:           s.exec(),
		Sync:           s,
		Start:          s.start,
		Stop:           s.stop,
		Opened:         func(c service.Conn) { c.SetState(&voteClient{conn: c}) },
		Closed:         s.closed,
	}
}

func (s *voteServer) start() error {
	s.quorum.announce()
	c := ReadConfig(s.cmap)
	if (c.ExpectedVotesTracking || c.AllowDownscale) && s.store != nil {
		var err error
		if c.TrackingBarrier, err = s.store.Load(); err != nil {
			s.log(service.LevelWarning, err.Error())
			s.quorum.failed()
			return errors.New("Unable to load ev_tracking file!") //nolint:staticcheck // upstream's text
		}
	}
	core, err := vote.New(s.host.NodeID(), c)
	s.core = core
	s.run()
	if err != nil {
		s.quorum.failed()
		return err
	}
	for _, key := range [...]string{
		"allow_downscale", "wait_for_all", "last_man_standing", "last_man_standing_window",
		"expected_votes_tracking", "auto_tie_breaker", "auto_tie_breaker_node",
	} {
		s.cmap.SetReadOnly("quorum."+key, false, true)
	}
	const all = cmap.Added | cmap.Modified | cmap.Deleted | cmap.Prefix
	s.cmap.Track("nodelist.", all, s.changed)
	s.cmap.Track("quorum.", all, s.changed)
	s.cmap.Track(keyReloading, cmap.Added|cmap.Modified, s.changed)
	return nil
}

func (s *voteServer) stop() {
	if s.core == nil {
		return // never started
	}
	s.core.Leave()
	s.run()
}

const (
	keyReloading = "config.totemconfig_reload_in_progress"
	keyCancelWFA = "quorum.cancel_wait_for_all"
)

// changed reads the configuration again: at the end of a reload that
// succeeded, or after a change of a single key.
func (s *voteServer) changed(ch cmap.Change) {
	if on, ok := s.cmap.U8(keyReloading); ok && on != 0 {
		return
	}
	switch ch.Key {
	case keyReloading:
		if v, ok := s.cmap.Get("config.reload_status"); ok {
			if x, _ := v.AsInt(); service.Error(x) != service.OK {
				return
			}
		}
	case keyCancelWFA:
		if on, _ := s.cmap.U8(keyCancelWFA); on != 0 {
			_ = s.cmap.Set(keyCancelWFA, cmap.U8(0)) // comes back here and does nothing
			s.core.CancelWaitForAll()
			s.run()
		}
		return
	}
	s.core.Reload(ReadConfig(s.cmap))
	s.run()
}

// run carries out the core's effects and sets the timer to its deadline.
func (s *voteServer) run() {
	for _, e := range s.core.Take() {
		s.do(e)
	}
	if at := s.core.Deadline(); !at.Equal(s.deadline) {
		if s.timer != nil {
			s.timer.Stop()
			s.timer = nil
		}
		s.deadline = at
		if !at.IsZero() {
			s.timer = s.host.After(at.Sub(s.host.Now()), s.expired)
		}
	}
}

func (s *voteServer) expired() {
	s.timer, s.deadline = nil, time.Time{}
	s.core.Expire(s.host.Now())
	s.run()
}

func (s *voteServer) do(e vote.Effect) {
	switch e := e.(type) {
	case vote.SendNodeInfo:
		s.send(e.NodeInfo.Append(nil))
	case vote.SendReconfigure:
		s.send(e.Reconfigure.Append(nil))
	case vote.SendDeviceReg:
		s.send(e.QdeviceReg.Append(nil))
	case vote.SendRename:
		s.send(e.QdeviceReconfigure.Append(nil))
	case vote.Decided:
		s.quorum.decided(&e)
	case vote.TellQuorum:
		s.tell(func(b []byte, context uint64) []byte {
			e.Context = context
			return e.Append(b)
		})
	case vote.TellExpected:
		s.tell(func(b []byte, context uint64) []byte {
			return (&wire.VoteExpected{Context: context, Expected: e.Expected}).Append(b)
		})
	case vote.TellNodeList:
		s.tell(func(b []byte, context uint64) []byte {
			return (&wire.VoteNodeList{Context: context, Ring: e.Ring, Members: e.Members}).Append(b)
		})
	case vote.Registered:
		if s.device != nil {
			s.buf = mar.AppendStatus(s.buf[:0], wire.VoteResStatus, e.Status)
			s.device.Reply(s.buf, nil)
			s.device = nil
		}
	case vote.SetKey:
		value := cmap.U32(e.Value)
		if e.Type == vote.KeyU8 {
			value = cmap.U8(uint8(e.Value))
		}
		_ = s.cmap.Set("runtime.votequorum."+e.Name, value) // own keys are valid
	case vote.SaveBarrier:
		if s.store == nil {
			break
		}
		if err := s.store.Save(e.Value); err != nil {
			s.log(service.LevelWarning, fmt.Sprintf("Unable to update ev_tracking_barrier on disk data!!! (%v)", err))
		}
	case vote.Log:
		s.log(e.Level, e.Text)
	default:
		panic(fmt.Sprintf("votequorum: unknown effect %T", e))
	}
}

// send multicasts, later if there is no room now: a NODEINFO that is lost would
// leave peers with a wrong picture (upstream loses it).
func (s *voteServer) send(msg []byte) {
	s.unsent = append(s.unsent, msg)
	if len(s.unsent) == 1 {
		s.flush()
	}
}

func (s *voteServer) flush() {
	for len(s.unsent) > 0 {
		if s.host.Mcast(s.unsent[0], nil) != nil {
			if s.retry == nil {
				s.retry = s.host.After(sendRetry, func() {
					s.retry = nil
					s.flush()
				})
			}
			return
		}
		s.unsent = s.unsent[1:]
	}
}

// tell sends an event to all trackers, each with its own context.
func (s *voteServer) tell(encode func(b []byte, context uint64) []byte) {
	for _, c := range s.trackers {
		s.buf = encode(s.buf[:0], c.context)
		c.conn.Event(s.buf, nil)
	}
}

func (s *voteServer) closed(c service.Conn) {
	if s.device == c {
		s.device = nil
	}
	if cl, ok := c.State().(*voteClient); ok {
		s.untrack(cl)
	}
}

func (s *voteServer) untrack(c *voteClient) {
	c.tracking = false
	s.trackers = slices.DeleteFunc(s.trackers, func(x *voteClient) bool { return x == c })
}

// SyncInit implements service.Syncer.
func (s *voteServer) SyncInit(_, members []uint32, ring service.RingID) {
	s.core.SyncInit(s.host.Now(), members, ring)
	s.run()
}

// SyncProcess implements service.Syncer. It is not done while a message waits
// for room or the quorum device has not voted for the new ring.
func (s *voteServer) SyncProcess() bool {
	done := s.core.SyncProcess()
	s.run()
	s.flush()
	return done && len(s.unsent) == 0
}

// SyncActivate implements service.Syncer.
func (s *voteServer) SyncActivate() {
	s.core.SyncActivate()
	s.run()
}

// SyncAbort implements service.Syncer.
func (s *voteServer) SyncAbort() {}

// exec is the table of messages between nodes.
func (s *voteServer) exec() []service.ExecFn {
	return []service.ExecFn{
		wire.ExecNodeInfo: {Name: "nodeinfo", MinSize: wire.NodeInfoSize, Deliver: func(from uint32, b []byte, swapped bool) {
			m, err := wire.ParseNodeInfo(b, swapped)
			s.got(from, err, func() { s.core.GotNodeInfo(from, &m) })
		}},
		wire.ExecReconfigure: {Name: "reconfigure", MinSize: wire.MinReconfigureSize, Deliver: func(from uint32, b []byte, swapped bool) {
			m, err := wire.ParseReconfigure(b, swapped)
			s.got(from, err, func() { s.core.GotReconfigure(from, &m) })
		}},
		wire.ExecQdeviceReg: {Name: "qdevice-reg", MinSize: wire.MinQdeviceRegSize, Deliver: func(from uint32, b []byte, swapped bool) {
			m, err := wire.ParseQdeviceReg(b, swapped)
			s.got(from, err, func() { s.core.GotDeviceReg(from, &m) })
		}},
		wire.ExecQdeviceReconfigure: {Name: "qdevice-reconfigure", MinSize: wire.MinQdeviceReconfigure, Deliver: func(from uint32, b []byte, _ bool) {
			m, err := wire.ParseQdeviceReconfigure(b)
			s.got(from, err, func() { s.core.GotRename(from, &m) })
		}},
	}
}

// got hands a message to the core, or counts one that makes no sense and logs
// the 1st, 2nd, 4th, … one.
func (s *voteServer) got(from uint32, err error, handle func()) {
	if err != nil {
		s.bad++
		if s.bad&(s.bad-1) == 0 {
			s.log(service.LevelWarning, fmt.Sprintf("message from node %d dropped: %v (%d so far)", from, err, s.bad))
		}
		return
	}
	handle()
	s.run()
}
