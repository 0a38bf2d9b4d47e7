package pg

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// TestStories plays totem/testdata/*.txt: a few nodes on a network without
// faults but those that the story makes. Rewrite with `go test ./totem/pg
// -run TestStories -rewrite`, and commit a change only if you understand it.
//
//	nodes ids=(1,2,3) [token=1s] [seqstart=0xfffffff0] [mtu=300] [failrecv=5]
//	                      start a cluster; the answer is what happens until it has formed
//	                      [sendjoin=80ms] [heartbeat=3]
//	advance 500ms [quiet] let time pass; show: with every packet
//	advance until=formed|state ids=(1,2)   until these are in one ring; or until GATHER is entered
//	submit 1 TEXT         node 1 multicasts a text; size=N fills it up
//	drop from=1 to=2 type=mcast|token|… count=3   lose the next so many (from, to, type: any)
//	partition (1,2) (3)   nothing goes between the groups
//	heal                  everything goes again
//	kill, restart, leave, pause, resume N
//	state                 what each node is in
//	check                 invariants, and the same deliveries in the same ring
func TestStories(t *testing.T) {
	datadriven.Walk(t, filepath.Join("..", "testdata", "stories"), func(t *testing.T, path string) {
		s := &story{t: t}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.t, s.d = t, d
			s.lines = nil
			if answer := s.do(); answer != "" {
				s.lines = append(s.lines, answer)
			}
			if len(s.lines) == 0 {
				return "ok\n"
			}
			return strings.Join(s.lines, "\n") + "\n"
		})
	})
}

// story is one file being played.
type story struct {
	t     testing.TB
	d     *datadriven.TestData
	c     *cluster
	lines []string
	drops []*dropRule
	parts [][]wire.NodeID
	begin time.Time
	show  bool
}

type dropRule struct {
	from, to wire.NodeID
	typ      string
	count    int
}

func (s *story) do() string {
	switch s.d.Cmd {
	case "nodes":
		s.nodes()
	case "advance":
		s.advance()
	case "submit":
		return s.submit()
	case "drop":
		r := &dropRule{count: 1}
		s.scanID("from", &r.from)
		s.scanID("to", &r.to)
		s.d.MaybeScanArgs(s.t, "type", &r.typ)
		s.d.MaybeScanArgs(s.t, "count", &r.count)
		s.drops = append(s.drops, r)
	case "partition":
		s.parts = nil
		for _, a := range s.d.CmdArgs {
			s.parts = append(s.parts, parseIDs(a.Key+strings.Join(a.Vals, " ")))
		}
	case "heal":
		s.parts, s.drops = nil, nil
	case "kill":
		s.arg().eng = nil
	case "restart":
		n := s.arg()
		n.view, n.paused = nil, false
		n.start()
	case "leave":
		s.arg().step(srp.Event{Kind: srp.EvLeave})
	case "pause":
		s.arg().paused = true
	case "resume":
		s.arg().paused = false
	case "state":
		return s.state()
	case "check":
		return s.check()
	default:
		s.d.Fatalf(s.t, "unknown verb %s", s.d.Cmd)
	}
	return ""
}

func parseIDs(text string) []wire.NodeID {
	var ids []wire.NodeID
	for _, f := range strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
		n, _ := strconv.Atoi(f)
		ids = append(ids, wire.NodeID(n))
	}
	return ids
}

func (s *story) ids(key string) []wire.NodeID {
	for _, a := range s.d.CmdArgs {
		if a.Key == key {
			return parseIDs(strings.Join(a.Vals, " "))
		}
	}
	return nil
}

func (s *story) scanID(key string, id *wire.NodeID) {
	if ids := s.ids(key); len(ids) == 1 {
		*id = ids[0]
	}
}

// arg is the node that the verb is about.
func (s *story) arg() *testNode { return s.c.node(parseIDs(s.d.CmdArgs[0].Key)[0]) }

func (s *story) nodes() {
	var cfg srp.Config
	var token, seq string
	s.d.MaybeScanArgs(s.t, "token", &token)
	s.d.MaybeScanArgs(s.t, "seqstart", &seq)
	s.d.MaybeScanArgs(s.t, "mtu", &cfg.NetMTU)
	s.d.MaybeScanArgs(s.t, "failrecv", &cfg.FailRecvConst)
	s.d.MaybeScanArgs(s.t, "heartbeat", &cfg.HeartbeatFailuresAllowed)
	var sendJoin string
	if s.d.MaybeScanArgs(s.t, "sendjoin", &sendJoin); sendJoin != "" {
		cfg.SendJoin, _ = time.ParseDuration(sendJoin)
	}
	if token != "" {
		cfg.Token, _ = time.ParseDuration(token)
	}
	if seq != "" {
		n, err := strconv.ParseUint(seq, 0, 32)
		if err != nil {
			s.t.Fatal(err)
		}
		cfg.SeqStart, cfg.TokenSeqStart = wire.Seq(n), wire.Seq(n)
	}
	ids := s.ids("ids")
	s.c = newCluster(s.t, cfg, ids...)
	s.c.check = true
	s.c.lost = s.lost
	s.c.trace = func(n *testNode, t srp.Trace) { s.note(n, t.String()) }
	s.begin = s.c.now
	for _, n := range s.c.nodes {
		n.told = func(text string) { s.note(n, "deliver "+text) }
		n.start()
	}
	s.c.until(30*time.Second, "formed", func() bool { return s.c.formed(ids...) })
	if s.quiet() {
		s.lines = nil
	}
}

func (s *story) quiet() bool { return s.flag("quiet") }

func (s *story) flag(name string) bool {
	return slices.ContainsFunc(s.d.CmdArgs, func(a datadriven.CmdArg) bool { return a.Key == name })
}

func (s *story) note(n *testNode, text string) {
	s.lines = append(s.lines, fmt.Sprintf("%7.1fms %d: %s", float64(s.c.now.Sub(s.begin).Microseconds())/1000, n.id, text))
}

func (s *story) advance() {
	var until string
	s.show = s.flag("show")
	defer func() { s.show = false }()
	s.d.MaybeScanArgs(s.t, "until", &until)
	switch until {
	case "":
		d, err := time.ParseDuration(s.d.CmdArgs[0].Key)
		if err != nil {
			s.t.Fatal(err)
		}
		s.c.run(d)
	case "formed":
		s.c.until(60*time.Second, "formed", func() bool { return s.c.formed(s.ids("ids")...) })
	default:
		s.c.until(60*time.Second, until, func() bool {
			for _, id := range s.ids("ids") {
				if n := s.c.node(id); !strings.EqualFold(n.eng.State().String(), until) {
					return false
				}
			}
			return true
		})
	}
	if s.quiet() {
		s.lines = nil
	}
}

func (s *story) submit() string {
	size := 0
	s.d.MaybeScanArgs(s.t, "size", &size)
	text := []byte(s.d.CmdArgs[1].Key)
	for len(text) < size {
		text = append(text, '.')
	}
	if err := s.arg().submit(text); err != nil {
		return err.Error()
	}
	return ""
}

// lost plays the partition and the drops.
func (s *story) lost(from, to wire.NodeID, data []byte) bool {
	if s.show {
		var m wire.Message
		if err := m.Parse(data); err != nil {
			s.t.Fatal(err)
		}
		s.note(s.c.node(from), fmt.Sprintf("-> %d %s", to, &m))
	}
	for _, p := range s.parts {
		if slices.Contains(p, from) != slices.Contains(p, to) {
			return true
		}
	}
	typ, _ := wire.PeekType(data)
	for _, r := range s.drops {
		if r.count > 0 && (r.from == 0 || r.from == from) && (r.to == 0 || r.to == to) &&
			(r.typ == "" || strings.EqualFold(r.typ, typ.String())) {
			r.count--
			return true
		}
	}
	return false
}

func (s *story) state() string {
	var out []string
	for _, n := range s.c.nodes {
		if n.eng == nil {
			out = append(out, fmt.Sprintf("%d: dead", n.id))
			continue
		}
		ring, members := n.eng.Ring()
		out = append(out, fmt.Sprintf("%d: %s ring %s members %s", n.id, n.eng.State(), ring, wire.List(members)))
	}
	return strings.Join(out, "\n")
}

// check compares, ring by ring, what the nodes delivered from its view on.
func (s *story) check() string {
	byRing := map[string]string{}
	for _, n := range s.c.nodes {
		ring, got := "", []string{}
		note := func() {
			text := strings.Join(got, "|")
			if first, ok := byRing[ring]; ok && ring != "" && !strings.HasPrefix(first, text) && !strings.HasPrefix(text, first) {
				s.lines = append(s.lines, fmt.Sprintf("node %d in ring %s: %s, another: %s", n.id, ring, text, first))
			} else if len(text) > len(first) {
				byRing[ring] = text
			}
		}
		for _, line := range n.up {
			switch {
			case strings.HasPrefix(line, "view "):
				note()
				ring, got = strings.Fields(line)[1], nil
			case strings.HasPrefix(line, "trans ") || line == "synced":
			default:
				got = append(got, line)
			}
		}
		note()
	}
	return ""
}
