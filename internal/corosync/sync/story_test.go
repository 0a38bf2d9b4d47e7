package sync_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/pacesync/pacesync/cpg"
	cpgwire "github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
	"github.com/pacesync/pacesync/quorum"
	quorumwire "github.com/pacesync/pacesync/quorum/wire"
)

// TestStories runs the sync layer, cpg, votequorum and quorum of several nodes
// together on a perfect totem (servicetest.Bus) through the stories of
// testdata. The output is what operators see in the log (notice and above) and
// what library clients are told, in order; with -rewrite it is written anew.
//
//	nodes 1 2 3 [key=value…]   starts nodes with these quorum.* settings, alone
//	ring (1 2) (3)             membership change and everything that follows
//	ring (1 2) then (1 2 3)    the second change interrupts the first one's round
//	stop 3                     ends a node in order, once its messages are out
//	kill 3                     ends a node; nobody knows until the next ring
//	client NAME node=1         a process that tracks quorum (model 1), votequorum, cpg
//	client NAME node=1 model=0 the same with quorum model 0
//	join|leave|mcast|close NAME [group=g] [flags=1] [data=x]
//	members group=g node=1     cpg members as a node knows them
//	info node=1                votequorum's view
//	setexpected|setvotes …     requests to votequorum
//	qdevice NAME register|poll|unregister|… as the device of NAME's node
//	set node=1 key=value       changes a key of the configuration map
//	advance 10s                time passes
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &story{t: t, maps: map[uint32]*cmap.Map{}, procs: map[string]*process{}}
		s.bus = servicetest.NewBus(t, nil)
		s.bus.Completed = func(n *servicetest.BusNode) { s.logf("%d MAIN   completed", n.ID) }
		datadriven.RunTest(t, path, s.run)
	})
}

type story struct {
	t     *testing.T
	bus   *servicetest.Bus
	maps  map[uint32]*cmap.Map
	procs map[string]*process
	lines []string
}

func (s *story) logf(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

// process is a client process: one connection to each service.
type process struct {
	s               *story
	name            string
	n               *servicetest.BusNode
	pid             uint32
	cpg, quorum, vq *conn
	group           cpgwire.Name
}

// conn shows what a client is told at the moment it is.
type conn struct {
	*servicetest.Conn
	p   *process
	svc service.ID
}

func (c *conn) Event(hdr, body []byte) {
	c.p.s.logf("%d   %s: %s", c.p.n.ID, c.p.name, describe(c.svc, append(append([]byte{}, hdr...), body...)))
}

func (c *conn) Reply(hdr, body []byte) {
	_, _, err := servicetest.Header(append(append([]byte{}, hdr...), body...))
	c.Conn.Reply(hdr, body)
	if err != service.OK {
		c.p.s.logf("%d   %s: %v", c.p.n.ID, c.p.name, err)
	}
}

func addresses(list []cpgwire.Address) string {
	var out []string
	for _, a := range list {
		x := fmt.Sprintf("%d/%d", a.Node, a.PID)
		if a.Reason != 0 {
			x += ":" + a.Reason.String()
		}
		out = append(out, x)
	}
	return "(" + strings.Join(out, " ") + ")"
}

func describe(svc service.ID, b []byte) string {
	id, _, _ := servicetest.Header(b)
	switch {
	case svc == service.CPG && id == cpgwire.EventConfchg:
		c, err := cpgwire.ParseConfchg(b)
		return fmt.Sprintf("cpg %v members=%s left=%s joined=%s%s", c.Group, addresses(c.Members), addresses(c.Left), addresses(c.Joined), bad(err))
	case svc == service.CPG && id == cpgwire.EventTotemConfchg:
		c, err := cpgwire.ParseTotemConfchg(b)
		return fmt.Sprintf("cpg totem ring=%d.%d members=%d%s", c.Ring.Rep, c.Ring.Seq, c.Members, bad(err))
	case svc == service.CPG && id == cpgwire.EventDeliver:
		d, err := cpgwire.ParseDeliver(b)
		return fmt.Sprintf("cpg %v message %q of %d/%d%s", d.Group, d.Data, d.Node, d.PID, bad(err))
	case svc == service.Quorum && id == quorumwire.EventNodeListV1:
		l, err := quorumwire.ParseNodeList(b)
		return fmt.Sprintf("quorum nodelist ring=%d.%d members=%d joined=%d left=%d%s", l.Ring.Rep, l.Ring.Seq, l.Members, l.Joined, l.Left, bad(err))
	case svc == service.Quorum && id == quorumwire.EventQuorumV1:
		n, err := quorumwire.ParseNotifyV1(b)
		return fmt.Sprintf("quorum quorate=%v ring=%d.%d members=%d%s", n.Quorate, n.Ring.Rep, n.Ring.Seq, n.Members, bad(err))
	case svc == service.Quorum && id == quorumwire.EventNotifyV0:
		n, err := quorumwire.ParseNotifyV0(b)
		return fmt.Sprintf("quorum v0 quorate=%v seq=%d members=%d%s", n.Quorate, n.Ring.Seq, n.Members, bad(err))
	case svc == service.Votequorum && id == quorumwire.VoteEventQuorum:
		q, err := quorumwire.ParseVoteQuorum(b)
		out := fmt.Sprintf("vq quorate=%v", q.Quorate)
		for _, n := range q.Nodes {
			out += fmt.Sprintf(" %d:%v", n.Node, n.State)
		}
		return out + bad(err)
	case svc == service.Votequorum && id == quorumwire.VoteEventNodeList:
		l, err := quorumwire.ParseVoteNodeList(b)
		return fmt.Sprintf("vq nodelist ring=%d.%d members=%d%s", l.Ring.Rep, l.Ring.Seq, l.Members, bad(err))
	case svc == service.Votequorum && id == quorumwire.VoteEventExpected:
		e, err := quorumwire.ParseVoteExpected(b)
		return fmt.Sprintf("vq expected votes=%d%s", e.Expected, bad(err))
	}
	return fmt.Sprintf("service %d event %d", svc, id)
}

func bad(err error) string {
	if err != nil {
		return " BAD: " + err.Error()
	}
	return ""
}

// start makes the engines of a node.
func (s *story) start(id uint32, keys []datadriven.CmdArg) {
	m := cmap.NewMap()
	s.maps[id] = m
	_ = m.Set("quorum.provider", cmap.Str("corosync_votequorum"))
	for _, k := range keys {
		s.set(m, k.Key, k.Vals[0])
	}
	s.bus.Start(id, func(h service.Host) []*service.Engine {
		log := func(subsys string) service.Log {
			return func(level service.Level, text string) {
				if level <= service.LevelInfo {
					s.logf("%d %-6s %s", id, subsys, text)
				}
			}
		}
		q := quorum.NewEngines(h, quorum.Options{Map: m, QuorumLog: log("QUORUM"), VoteLog: log("VOTEQ")})
		return append(q.List(), cpg.NewEngine(h, log("CPG")))
	})
}

// set stores a key below quorum. with the type that the parser of
// corosync.conf gives it.
func (s *story) set(m *cmap.Map, key, value string) {
	v := cmap.Str(value)
	if x, err := strconv.ParseUint(value, 10, 32); err == nil {
		switch key {
		case "expected_votes", "votes", "last_man_standing_window", "device.votes", "device.timeout", "device.sync_timeout":
			v = cmap.U32(uint32(x))
		case "auto_tie_breaker_node", "provider":
		default:
			v = cmap.U8(uint8(x))
		}
	}
	if err := m.Set("quorum."+key, v); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) run(t *testing.T, d *datadriven.TestData) string {
	s.t, s.lines = t, nil
	switch d.Cmd {
	case "nodes":
		var ids []uint32
		var keys []datadriven.CmdArg
		for _, a := range d.CmdArgs {
			if len(a.Vals) == 0 {
				ids = append(ids, number(t, a.Key))
			} else {
				keys = append(keys, a)
			}
		}
		for _, id := range ids {
			s.start(id, keys)
		}
		s.bus.Settle()
	case "ring":
		s.ring(d)
	case "kill":
		for _, a := range d.CmdArgs {
			s.bus.Kill(number(t, a.Key))
		}
	case "stop":
		id := number(t, d.CmdArgs[0].Key)
		for _, e := range s.bus.Node(id).Engines {
			if e.Stop != nil {
				e.Stop()
			}
		}
		s.bus.Settle()
		s.bus.Kill(id)
	case "advance":
		by, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range s.bus.Up() {
			s.bus.Node(id).Advance(by)
		}
		s.bus.Settle()
	case "set":
		m := s.maps[s.node(d).ID]
		for _, a := range d.CmdArgs {
			if a.Key != "node" {
				s.set(m, a.Key, a.Vals[0])
			}
		}
		s.bus.Settle()
	case "info":
		return s.info(s.node(d))
	default:
		s.client(d)
		s.bus.Settle()
	}
	if len(s.lines) == 0 {
		return "ok"
	}
	return strings.Join(s.lines, "\n")
}

func number(t *testing.T, s string) uint32 {
	x, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(x)
}

func (s *story) node(d *datadriven.TestData) *servicetest.BusNode {
	var id uint64
	d.ScanArgs(s.t, "node", &id)
	return s.bus.Node(uint32(id))
}

// ring parses "(1 2) (3) then:4 (1 2 3)": the second change comes after four
// token rotations, without a number after two.
func (s *story) ring(d *datadriven.TestData) {
	var words []string
	for _, a := range d.CmdArgs {
		words = append(words, a.Key)
	}
	var parts [][]uint32
	for i, w := range words {
		after, then := strings.CutPrefix(w, "then")
		if then {
			s.bus.Change(parts...)
			parts = nil
			rotations := 2
			if n, ok := strings.CutPrefix(after, ":"); ok {
				rotations = int(number(s.t, n))
			}
			for range rotations {
				s.bus.Rotate()
			}
			s.logf("- next change")
			continue
		}
		if strings.HasPrefix(w, "(") {
			parts = append(parts, nil)
		}
		last := &parts[len(parts)-1]
		*last = append(*last, number(s.t, strings.Trim(words[i], "()")))
	}
	s.bus.Change(parts...)
	s.bus.Settle()
}

// client serves the commands of client processes.
func (s *story) client(d *datadriven.TestData) {
	name := d.CmdArgs[0].Key
	arg := func(key, def string) string {
		for _, a := range d.CmdArgs {
			if a.Key == key {
				return a.Vals[0]
			}
		}
		return def
	}
	if d.Cmd == "client" {
		s.open(name, s.node(d), arg("model", "1"))
		return
	}
	p := s.procs[name]
	if p == nil {
		s.t.Fatalf("no client %q", name)
	}
	value := func(key string) uint32 { return number(s.t, arg(key, "0")) }
	switch d.Cmd {
	case "join":
		p.group = cpgwire.MustName(arg("group", "g"))
		p.request(p.cpg, (&cpgwire.JoinReq{Group: p.group, PID: p.pid, Flags: value("flags")}).Append(nil))
	case "leave":
		p.request(p.cpg, (&cpgwire.LeaveReq{Group: cpgwire.MustName(arg("group", string(p.group.Bytes()))), PID: p.pid}).Append(nil))
	case "mcast":
		m := cpgwire.McastReq{Guarantee: 2, Data: []byte(arg("data", "hello"))}
		var h [cpgwire.McastReqSize]byte
		m.PutHeader(&h)
		p.request(p.cpg, append(h[:], m.Data...))
	case "members":
		p.members(arg("group", "g"))
	case "close":
		p.close()
	case "setexpected":
		p.request(p.vq, quorumwire.AppendVoteSetExpectedReq(nil, value("votes")))
	case "setvotes":
		p.request(p.vq, (&quorumwire.VoteSetVotesReq{Votes: value("votes"), Node: value("of")}).Append(nil))
	case "qdevice":
		p.qdevice(d.CmdArgs[1].Key, arg)
	default:
		s.t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	}
}

func (s *story) open(name string, n *servicetest.BusNode, model string) {
	p := &process{s: s, name: name, n: n, pid: uint32(100 + len(s.procs))}
	s.procs[name] = p
	connect := func(svc service.ID) *conn {
		c := &conn{n.NewConn(), p, svc}
		n.Engine(svc).Opened(c)
		return c
	}
	p.cpg, p.quorum, p.vq = connect(service.CPG), connect(service.Quorum), connect(service.Votequorum)
	p.request(p.quorum, quorumwire.AppendModelGetTypeReq(nil, number(s.t, model)))
	const flags = quorumwire.TrackCurrent | quorumwire.TrackChanges
	p.request(p.quorum, quorumwire.AppendTrackStartReq(nil, flags))
	p.request(p.vq, (&quorumwire.VoteTrackStartReq{Context: 7, Flags: flags}).Append(nil))
}

// request serves one as the daemon would.
func (p *process) request(c *conn, msg []byte) {
	fn, _, _ := servicetest.Header(msg)
	lib := p.n.Engine(c.svc).Lib[fn]
	if lib.Flow == service.FlowRequired && p.n.Layer.Running() {
		p.s.logf("%d   %s: try again", p.n.ID, p.name)
		return
	}
	lib.Handle(c, msg)
}

func (p *process) members(group string) {
	p.request(p.cpg, (&cpgwire.MembershipReq{Group: cpgwire.MustName(group)}).Append(nil))
	r := p.cpg.TakeReplies()
	list, err := cpgwire.ParseMembershipRes(r[len(r)-1])
	p.s.logf("%d   %s: members %s%s", p.n.ID, p.name, addresses(list), bad(err))
}

func (p *process) close() {
	for _, c := range []*conn{p.cpg, p.quorum, p.vq} {
		p.n.Engine(c.svc).Closed(c)
	}
	delete(p.s.procs, p.name)
}

func (p *process) qdevice(what string, arg func(key, def string) string) {
	name := arg("name", "Qdevice")
	switch what {
	case "register":
		p.request(p.vq, quorumwire.AppendQdeviceNameReq(nil, quorumwire.VoteReqQdeviceRegister, name))
	case "unregister":
		p.request(p.vq, quorumwire.AppendQdeviceNameReq(nil, quorumwire.VoteReqQdeviceUnregister, name))
	case "rename":
		p.request(p.vq, (&quorumwire.QdeviceUpdateReq{Old: name, New: arg("to", "")}).Append(nil))
	case "poll":
		ring, _ := p.n.Ring()
		if arg("ring", "") == "old" {
			ring.Seq -= 4
		}
		p.request(p.vq, (&quorumwire.QdevicePollReq{Name: name, Cast: arg("vote", "1") == "1", Ring: ring}).Append(nil))
	case "master-wins":
		p.request(p.vq, (&quorumwire.QdeviceMasterWinsReq{Name: name, Allow: arg("allow", "1") == "1"}).Append(nil))
	default:
		p.s.t.Fatalf("unknown qdevice command %q", what)
	}
}

// info is GETINFO of the node and, of what it knows of others, the states.
func (s *story) info(n *servicetest.BusNode) string {
	c := n.Connect(service.Votequorum)
	defer n.Disconnect(service.Votequorum, c)
	n.Request(service.Votequorum, c, quorumwire.AppendVoteGetInfoReq(nil, 0))
	i, err := quorumwire.ParseVoteInfo(c.TakeReplies()[0])
	flags := ""
	for bit, name := range []string{"2node", "quorate", "wfa", "lms", "atb", "downscale", "qdev-registered", "qdev-alive", "qdev-vote", "qdev-master-wins"} {
		if i.Flags&(1<<bit) != 0 {
			flags += " " + name
		}
	}
	return fmt.Sprintf("node %d %v votes=%d expected=%d highest=%d total=%d quorum=%d qdevice=%d %q flags:%s%s",
		i.Node, i.State, i.Votes, i.Expected, i.HighestExpected, i.TotalVotes, i.Quorum, i.QdeviceVotes, i.QdeviceName, flags, bad(err))
}
