package daemon

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/qbipc"
	"github.com/pacesync/pacesync/totem/pg"
)

// cpgMcast is the one library request without an answer.
const cpgMcast = 2

// clients is the library side of the daemon: a server per service socket, who
// may connect, and when requests are served (ipc_glue.c). Owned by the loop.
type clients struct {
	d       *Daemon
	servers [8]*qbipc.Server
	ready   bool // a sync has been completed: connections are accepted
	level   pg.Level
	full    bool // too few descriptors are left for more clients
	active  uint64
	closed  uint64
	notes   map[uint64]*note               // by the client's handle
	refusal [qbipc.ResponseHeaderSize]byte // answer to a request that is not served
}

// note is what the daemon remembers of a client beyond its connection's counters.
type note struct {
	conn              *qbipc.Conn
	service           service.ID
	procName          string
	invalid, overload uint64
}

// socket serves one library socket: qbipc.Handler for one engine.
type socket struct {
	c *clients
	e *service.Engine
}

// crowded is how many bytes of unread events make a client's multicasts wait: a
// quarter of what it would be dropped at.
const crowded = qbipc.DefaultMaxQueue / 4

// open makes the library socket of an engine that has one.
func (c *clients) open(e *service.Engine) error {
	if len(e.Lib) == 0 {
		return nil
	}
	s, err := qbipc.NewServer(qbipc.OnLoop(c.d.loop), qbipc.Options{
		Name: e.Socket, Handler: socket{c, e}, Sockets: c.d.cfg.System.IPCSocket, MaxMsg: pg.MaxMessage, Crowded: crowded, Log: c.logLine,
	})
	if err != nil {
		return err
	}
	c.servers[e.ID] = s
	return nil
}

// logLine writes a line of the IPC layer, under the name that libqb's lines have.
func (c *clients) logLine(level qbipc.Level, text string) {
	switch level {
	case qbipc.LogError:
		c.d.log.qb.Error("%s", text)
	case qbipc.LogWarning:
		c.d.log.qb.Warning("%s", text)
	case qbipc.LogInfo:
		c.d.log.qb.Info("%s", text)
	default:
		c.d.log.qb.Debug("%s", text)
	}
}

// close ends a service's socket and its clients.
func (c *clients) close(e *service.Engine) {
	if s := c.servers[e.ID]; s != nil {
		c.d.log.qb.Info("withdrawing server sockets")
		s.Close()
		c.servers[e.ID] = nil
	}
}

// Accept decides on a new connection: EAGAIN before the first sync is done,
// EACCES for users without a grant (ipc_glue.c: cs_ipcs_connection_accept).
func (s socket) Accept(p *qbipc.Peer) error {
	c := s.c
	if !c.ready {
		c.d.log.main.Debug("Denied connection, corosync is not ready")
		return unix.EAGAIN
	}
	if c.fewFiles(p.FreeFiles - spareFiles) {
		return unix.EMFILE
	}
	if p.UID == 0 || p.GID == 0 || c.granted("uid", p.UID) || c.granted("gid", p.GID) {
		return nil
	}
	c.d.log.main.Error("Denied connection attempt from %d:%d", p.UID, p.GID)
	return unix.EACCES
}

// spareFiles are descriptors that clients do not get: the ring's sockets, logs, what a
// reload opens (libqb loop_poll.c: POLL_FDS_USED_MISC).
const spareFiles = 50

// fewFiles says whether clients are refused for lack of descriptors, and tells when that
// changes (libqb loop_poll.c: qb_poll_fds_usage_check_, ipc_glue.c: cs_ipcs_low_fds_event).
func (c *clients) fewFiles(left int) bool {
	switch {
	case !c.full && left <= 1:
		c.full = true
		c.d.log.main.Warning("refusing new connections (fds_available:%d)", max(left, 0))
	case c.full && left > 2:
		c.full = false
		c.d.log.main.Notice("allowing new connections (fds_available:%d)", left)
	}
	return c.full
}

// granted looks for a grant of corosync.conf (uidgid.config.) or of a client
// (uidgid., which Pacemaker sets for its group).
func (c *clients) granted(kind string, id uint32) bool {
	suffix := kind + "." + strconv.FormatUint(uint64(id), 10)
	for _, prefix := range [...]string{"uidgid.", "uidgid.config."} {
		if v, ok := c.d.cmap.U8(prefix + suffix); ok && v == 1 {
			return true
		}
	}
	return false
}

// Opened tells the engine of a new client.
func (s socket) Opened(conn *qbipc.Conn) {
	s.c.active++
	n := &note{conn: conn, service: s.e.ID, procName: procName(conn.PID())}
	s.c.notes[conn.Handle()] = n
	s.c.d.engines.stats.AddConn(s.e.ID, conn.PID(), conn.Handle(), n.stats)
	if s.e.Opened != nil {
		s.e.Opened(conn)
	}
}

// Closed tells the engine that a client is gone.
func (s socket) Closed(conn *qbipc.Conn) {
	s.c.active--
	s.c.closed++
	delete(s.c.notes, conn.Handle())
	s.c.d.engines.stats.RemoveConn(s.e.ID, conn.PID(), conn.Handle())
	if s.e.Closed != nil {
		s.e.Closed(conn)
	}
}

// stats is what stats.ipcs shows of the client.
func (n *note) stats() cmap.ConnStats {
	st := n.conn.Stats()
	return cmap.ConnStats{
		Queueing: st.Queueing, Queued: st.Queued, Sent: st.Sent,
		InvalidRequest: n.invalid, Overload: n.overload, ProcName: n.procName,
		Requests: st.Requests, Responses: st.Responses, Dispatched: st.Events,
		SendRetries: st.SendRetries, RecvRetries: st.RecvRetries,
		FlowControl: uint32(st.FlowControl), FlowControlCount: st.FlowControlCount,
	}
}

// clearStats sets the counters of all clients to zero.
func (c *clients) clearStats() {
	c.closed = 0
	for _, n := range c.notes {
		n.invalid, n.overload = 0, 0
		n.conn.ClearStats()
	}
}

// procName is the name of a process, as stats.ipcs shows it; "" when it is gone.
func procName(pid uint32) string {
	b, err := os.ReadFile("/proc/" + strconv.FormatUint(uint64(pid), 10) + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}

// verdict is what becomes of a library request.
type verdict uint8

const (
	serve   verdict = iota
	invalid         // INVALID_PARAM: no such request, or its size cannot be
	later           // TRY_AGAIN: the queue is full or a sync runs
)

// admit decides on a request (main.c: corosync_sending_allowed).
func (c *clients) admit(e *service.Engine, id int32, size int) verdict {
	if size > pg.MaxMessage || id < 0 || int(id) >= len(e.Lib) || size < e.Lib[id].MinSize {
		return invalid
	}
	if !e.AllowInquorate && !c.d.quorate() {
		return later
	}
	if e.Lib[id].Flow == service.FlowNotRequired {
		return serve
	}
	if c.d.syncing || !c.d.node.Room(size) {
		return later
	}
	return serve
}

// Message serves one request of a client, or refuses it (ipc_glue.c:
// cs_ipcs_msg_process). After a refused one the client's next ones wait for the
// next turn of the loop.
func (s socket) Message(conn *qbipc.Conn, msg []byte) (more bool) {
	c, e := s.c, s.e
	id := int32(binary.NativeEndian.Uint32(msg))
	async := e.ID == service.CPG && id == cpgMcast
	switch c.admit(e, id, len(msg)) {
	case serve:
		e.Lib[id].Handle(conn, msg)
		return true
	case invalid:
		c.notes[conn.Handle()].invalid++
		if async {
			c.d.log.main.Info("*** cs_ipcs_msg_process() invalid message! size:%d error:%d", len(msg), int32(service.ErrInvalidParam))
		} else {
			c.refuse(conn, service.ErrInvalidParam)
		}
	case later:
		c.notes[conn.Handle()].overload++
		if async {
			c.d.log.main.Warning("*** cs_ipcs_msg_process() (%d:%d - 1) Resource temporarily unavailable!", e.ID, id)
		} else {
			c.refuse(conn, service.ErrTryAgain)
		}
	}
	return false
}

// refuse answers with the header alone.
func (c *clients) refuse(conn *qbipc.Conn, code service.Error) {
	qbipc.PutResponseHeader(c.refusal[:], 0, len(c.refusal), int32(code))
	conn.Reply(c.refusal[:], nil)
}

// updateFlow tells all clients whether and how fast they may send (ipc_glue.c:
// cs_ipcs_check_for_flow_control).
func (c *clients) updateFlow() {
	c.level = c.d.node.QueueLevel()
	for _, e := range c.d.registry.order {
		if s := c.servers[e.ID]; s != nil {
			s.SetRate(c.rate(e))
		}
	}
}

// rate is how eagerly a service's requests are read.
func (c *clients) rate(e *service.Engine) qbipc.Rate {
	switch {
	case !e.AllowInquorate && !c.d.quorate():
		return qbipc.RateOff
	case c.level == pg.LevelCritical, c.d.syncing && e.ID != service.Votequorum:
		return qbipc.RateOff2
	case c.level == pg.LevelLow:
		return qbipc.RateFast
	case c.level == pg.LevelGood:
		return qbipc.RateNormal
	default:
		return qbipc.RateSlow
	}
}

// turn looks whether the ring's queue has changed its level; the loop calls it
// at the end of each turn.
func (c *clients) turn() (more bool) {
	if c.d.node.QueueLevel() != c.level {
		c.updateFlow()
	}
	return false
}
