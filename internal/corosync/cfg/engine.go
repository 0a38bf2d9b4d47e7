// Package cfg is the configuration and control service (service 1): the state
// of links and nodes, killing a node, shutdown with the consent of trackers, reload of
// corosync.conf, reopening of logs. corosync-cfgtool, Pacemaker and pcs are its
// clients.
//
// The daemon registers the engine and offers what it needs as Daemon. All of
// it belongs to the loop.
//
// Upstream: exec/cfg.c, man corosync_cfg_*(3), corosync-cfgtool(8).
package cfg

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Daemon is what the engine asks of the process around it. All functions that
// are handed over are called on the loop, later, never from within the call.
type Daemon interface {
	// Config is the running configuration.
	Config() *config.Config
	// Prepare reads the file again on a worker (config.Prepare) and returns the
	// outcome.
	Prepare(kept *cmap.Map, prev *config.Config, done func(*config.Reload))
	// Commit makes a configuration the running one: timers, nodes, links.
	Commit(next *config.Config)
	// CryptoPhase activates (1) the new key and algorithms or drops (2) the old.
	CryptoPhase(phase uint32)
	// ReopenLogs opens the log files anew.
	ReopenLogs(done func(error))
	// NodeStatus is the state of a node and its links; false: knet has no such node.
	NodeStatus(node uint32) (wire.NodeStatus, bool)
}

// Service is the cfg engine. Owned by the loop.
type Service struct {
	host   service.Host
	daemon Daemon
	m      *cmap.Map
	log    service.Log
	conns  map[uint64]service.Conn // clients that are connected, by handle

	shutdown shutdown
	reload   reloadQueue
	key      keyChange
}

// NewService makes the engine.
func NewService(h service.Host, d Daemon, m *cmap.Map, log service.Log) *Service {
	return &Service{host: h, daemon: d, m: m, log: log, conns: map[uint64]service.Conn{}}
}

// Engine describes the service to the daemon (cfg.c: cfg_service_engine).
func (s *Service) Engine() *service.Engine {
	free := func(min int, h func(service.Conn, []byte)) service.LibFn {
		return service.LibFn{Flow: service.FlowNotRequired, MinSize: min, Handle: h}
	}
	flow := func(min int, h func(service.Conn, []byte)) service.LibFn {
		return service.LibFn{Flow: service.FlowRequired, MinSize: min, Handle: h}
	}
	return &service.Engine{
		ID: service.CFG, Name: "corosync_cfg", Title: "corosync configuration service",
		Socket: "cfg", Short: "cfg", Priority: 1, AllowInquorate: true,
		Lib: []service.LibFn{
			wire.ReqRingStatusGet:   flow(mar.ReqSize, s.ringStatus),
			wire.ReqRingReenable:    flow(mar.ReqSize, s.ringReenable),
			wire.ReqKillNode:        flow(wire.KillReqSize, s.killNode),
			wire.ReqTryShutdown:     flow(wire.NumberReqSize, s.tryShutdown),
			wire.ReqReplyToShutdown: flow(wire.NumberReqSize, s.replyToShutdown),
			wire.ReqGetNodeAddrs:    free(wire.NumberReqSize, s.nodeAddrs),
			wire.ReqLocalGet:        free(mar.ReqSize, s.localGet),
			wire.ReqReloadConfig:    flow(mar.ReqSize, s.reloadConfig),
			wire.ReqReopenLogFiles:  free(mar.ReqSize, s.reopenLogs),
			wire.ReqNodeStatusGet:   free(wire.NodeStatusReqSize, s.nodeStatus),
			wire.ReqTrackStart:      flow(wire.TrackReqSize, s.trackStart),
			wire.ReqTrackStop:       flow(mar.ReqSize, s.trackStop),
		},
		Exec: []service.ExecFn{
			execRingReenable: {Name: "RINGREENABLE", MinSize: mar.ReqSize, Deliver: func(uint32, []byte, bool) {}},
			execKillNode:     {Name: "KILLNODE", MinSize: killSize, Deliver: s.deliverKill},
			execShutdown:     {Name: "SHUTDOWN", MinSize: mar.ReqSize, Deliver: s.deliverShutdown},
			execReload:       {Name: "RELOAD_CONFIG", MinSize: reloadSize, Deliver: s.deliverReload},
			execCrypto:       {Name: "CRYPTO_RECONFIG", MinSize: cryptoSize, Deliver: s.deliverCrypto},
		},
		Stop:    s.shutdown.stop,
		Opened:  func(c service.Conn) { s.conns[c.Handle()] = c },
		Closed:  s.closed,
		Confchg: s.confchg,
	}
}

func (s *Service) closed(c service.Conn) {
	delete(s.conns, c.Handle())
	s.untrack(c)
}

func (s *Service) logf(level service.Level, format string, args ...any) {
	s.log(level, fmt.Sprintf(format, args...))
}

// reply answers with a bare status, if the client is still there.
func (s *Service) reply(c service.Conn, id int32, status service.Error) {
	c.Reply(mar.AppendStatus(nil, id, status), nil)
}

// code is the result code of an error.
func code(err error) service.Error {
	var e service.Error
	switch {
	case err == nil:
		return service.OK
	case errors.As(err, &e):
		return e
	}
	return service.ErrLibrary
}

// addresses are a node's links and addresses (totemsrp.c: totemsrp_ifaces_get).
func (s *Service) addresses(node uint32) (links []int, addrs []netip.Addr) {
	for i, l := range s.daemon.Config().Links {
		if !l.Configured {
			continue
		}
		for _, m := range l.Members {
			if m.NodeID == node {
				links, addrs = append(links, i), append(addrs, m.Addr)
			}
		}
	}
	return links, addrs
}

func (s *Service) ringStatus(c service.Conn, _ []byte) {
	links, addrs := s.addresses(s.host.NodeID())
	rings := make([]wire.Ring, len(links))
	for i, link := range links {
		rings[i] = wire.Ring{Name: fmt.Sprintf("%d %s", link, addrs[i]), State: s.ringState(link)}
	}
	c.Reply(wire.AppendRingStatusRes(nil, rings, service.OK), nil)
}

// ringState is one character for each node of the nodelist on a link, by node id: n for
// this node, else 1 enabled + 2 connected + 4 by the peer's own connect; OK for
// transports without links (totemknet.c: totemknet_ifaces_get).
func (s *Service) ringState(link int) string {
	c := s.daemon.Config()
	if c.Transport != config.Knet {
		return "OK"
	}
	nodes := slices.SortedFunc(slices.Values(c.Nodes), func(a, b config.Node) int { return cmp.Compare(a.ID, b.ID) })
	var out []byte
	for _, n := range nodes {
		if n.ID == s.host.NodeID() {
			out = append(out, 'n')
			continue
		}
		st, known := s.daemon.NodeStatus(n.ID)
		if !known {
			out = append(out, 'd')
			continue
		}
		l := &st.Links[link]
		out = append(out, '0'+bit(l.Enabled)+bit(l.Connected)<<1+bit(l.DynConnected)<<2)
	}
	return string(out)
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func (s *Service) ringReenable(c service.Conn, _ []byte) {
	s.reply(c, wire.ResRingReenable, service.ErrNotSupported)
}

func (s *Service) localGet(c service.Conn, _ []byte) {
	c.Reply(wire.AppendLocalGetRes(nil, s.host.NodeID()), nil)
}

// Address families of C.
const (
	afInet  = 2
	afInet6 = 10
)

// nodeAddrs answers with a node's addresses; 0 is this node. The original leaves
// out an address that begins with two zero bytes.
func (s *Service) nodeAddrs(c service.Conn, msg []byte) {
	node, err := wire.ParseNumberReq(msg)
	if node == 0 {
		node = s.host.NodeID()
	}
	_, addrs := s.addresses(node)
	var res wire.NodeAddrs
	for i, a := range addrs {
		var slot [16]byte
		copy(slot[:], a.AsSlice())
		res.Addrs = append(res.Addrs, slot)
		if i == 0 {
			res.Family = afInet6
			if a.Is4() {
				res.Family = afInet
			}
		}
	}
	status := service.OK
	if err != nil || len(addrs) == 0 {
		status = service.ErrNotExist
	}
	c.Reply(res.Append(nil, status), nil)
}

func (s *Service) nodeStatus(c service.Conn, msg []byte) {
	req, err := wire.ParseNodeStatusReq(msg)
	switch {
	case err != nil:
		c.Reply(wire.AppendNodeStatusRefusal(nil, 0, service.ErrInvalidParam), nil)
		return
	case req.Version != wire.StatusVersionV1:
		c.Reply(wire.AppendNodeStatusRefusal(nil, 0, service.ErrNotSupported), nil)
		return
	}
	st, known := s.daemon.NodeStatus(req.Node)
	if !known {
		c.Reply(wire.AppendNodeStatusRefusal(nil, 0, service.ErrFailedOperation), nil)
		return
	}
	st.Version, st.Node = wire.StatusVersionV1, req.Node
	c.Reply(st.Append(nil, service.OK), nil)
}

// reopenLogs answers once the files are open.
func (s *Service) reopenLogs(c service.Conn, _ []byte) {
	h := c.Handle()
	s.logf(service.LevelDebug, "Reopening logging files")
	s.daemon.ReopenLogs(func(err error) {
		if err != nil {
			s.logf(service.LevelWarning, "Unable to reopen log file: %v", err)
		}
		if c := s.conns[h]; c != nil {
			s.reply(c, wire.ResReopenLogFiles, service.FromErrno(err)) // such as NOT_EXIST
		}
	})
}
