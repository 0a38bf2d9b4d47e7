package cfg

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/config/configtest"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
)

const confFile = "/etc/corosync/corosync.conf"

// twoNodes is a file with the given lines in its totem section.
func twoNodes(totem string) string {
	return "totem {\n version: 2\n transport: udpu\n cluster_name: demo\n" + totem + "\n}\n" +
		"nodelist {\n node {\n  name: n1\n  nodeid: 1\n  ring0_addr: 10.0.0.1\n }\n node {\n  name: n2\n  nodeid: 2\n  ring0_addr: 10.0.0.2\n }\n}\n" +
		"quorum {\n provider: corosync_votequorum\n two_node: 1\n}\n"
}

// fakeDaemon is a Daemon whose worker runs when the test says so.
type fakeDaemon struct {
	env     *configtest.Env
	conf    *config.Config
	pending []func() // work of the worker
	commits int
	phases  []uint32
	reopen  error
}

func (d *fakeDaemon) Config() *config.Config { return d.conf }
func (d *fakeDaemon) Prepare(kept *cmap.Map, prev *config.Config, done func(*config.Reload)) {
	d.pending = append(d.pending, func() { done(config.Prepare(d.env, confFile, kept, prev)) })
}
func (d *fakeDaemon) Commit(next *config.Config) { d.conf = next; d.commits++ }
func (d *fakeDaemon) CryptoPhase(phase uint32)   { d.phases = append(d.phases, phase) }
func (d *fakeDaemon) ReopenLogs(done func(error)) {
	d.pending = append(d.pending, func() { done(d.reopen) })
}

// NodeStatus knows two nodes, and only the second is connected.
func (d *fakeDaemon) NodeStatus(node uint32) (st wire.NodeStatus, known bool) {
	if node != 1 && node != 2 {
		return st, false
	}
	st.Reachable = node == 2
	st.Links[0] = wire.Link{Enabled: true, Connected: st.Reachable, MTU: 1410, Source: fmt.Sprintf("10.0.0.%d", node)}
	return st, true
}

// work lets the worker finish everything.
func (d *fakeDaemon) work() {
	for len(d.pending) > 0 {
		f := d.pending[0]
		d.pending = d.pending[1:]
		f()
	}
}

// node is one node of a test cluster.
type node struct {
	host *servicetest.Host
	d    *fakeDaemon
	m    *cmap.Map
	log  []string
}

// cluster starts nodes 1 and 2 in one ring.
func cluster(t *testing.T) (*servicetest.Cluster, map[uint32]*node) {
	t.Helper()
	c := servicetest.NewCluster(t)
	nodes := map[uint32]*node{}
	for id := uint32(1); id <= 2; id++ {
		n := &node{host: servicetest.NewHost(id)}
		n.d = &fakeDaemon{env: &configtest.Env{Host: fmt.Sprintf("n%d", id), Files: map[string]string{confFile: twoNodes("token: 1000")}}}
		var err error
		if n.m, err = config.Parse(n.d.env, confFile); err == nil {
			n.d.conf, err = config.Derive(n.m, n.d.env)
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = n.m.Set("runtime.members.1.status", cmap.Str("joined"))
		_ = n.m.Set("runtime.members.2.status", cmap.Str("joined"))
		_ = n.m.Set("runtime.members.3.status", cmap.Str("left"))
		log := func(l service.Level, s string) {
			if l <= service.LevelInfo {
				n.log = append(n.log, s)
			}
		}
		c.Add(n.host, NewService(n.host, n.d, n.m, log).Engine())
		nodes[id] = n
	}
	c.Partition([]uint32{1, 2})
	return c, nodes
}

// answer is the result code of the only reply so far; 0 without one.
func answer(t *testing.T, c *servicetest.Conn) service.Error {
	t.Helper()
	out := c.TakeReplies()
	if len(out) > 1 {
		t.Fatalf("%d answers", len(out))
	}
	if len(out) == 0 {
		return 0
	}
	_, size, code := servicetest.Header(out[0])
	if int(size) != len(out[0]) {
		t.Errorf("answer of %d bytes says %d", len(out[0]), size)
	}
	return code
}

func TestRingAndNodeStatus(t *testing.T) {
	c, _ := cluster(t)
	conn := c.Connect(1, service.CFG)
	c.Request(1, service.CFG, conn, mar.AppendBare(nil, wire.ReqRingStatusGet))
	rings, err := wire.ParseRingStatusRes(conn.TakeReplies()[0])
	if err != nil || !slices.Equal(rings, []wire.Ring{{Name: "0 10.0.0.1", State: "OK"}}) {
		t.Errorf("rings: %v %v", rings, err)
	}
	for node := uint32(1); node <= 2; node++ {
		c.Request(1, service.CFG, conn, (&wire.NodeStatusReq{Node: node, Version: 1}).Append(nil))
		st, err := wire.ParseNodeStatusRes(conn.TakeReplies()[0])
		want, _ := (&fakeDaemon{}).NodeStatus(node)
		want.Version, want.Node = 1, node
		if err != nil || st != want {
			t.Errorf("node %d: %+v %v, want %+v", node, st, err, want)
		}
	}
	c.Request(1, service.CFG, conn, (&wire.NodeStatusReq{Node: 9, Version: 1}).Append(nil))
	if got := answer(t, conn); got != service.ErrFailedOperation {
		t.Errorf("node 9: %v", got)
	}
	c.Request(1, service.CFG, conn, (&wire.NodeStatusReq{Node: 1, Version: 2}).Append(nil))
	if msg := conn.TakeReplies()[0]; len(msg) != 32 {
		t.Errorf("unknown version: %d bytes", len(msg))
	}
	c.Request(1, service.CFG, conn, mar.AppendBare(nil, wire.ReqRingReenable))
	if got := answer(t, conn); got != service.ErrNotSupported {
		t.Errorf("reenable: %v", got)
	}
}

func TestAddressesAndOwnID(t *testing.T) {
	c, _ := cluster(t)
	conn := c.Connect(2, service.CFG)
	for _, x := range []struct {
		node uint32
		want string
		code service.Error
	}{{0, "10.0.0.2", service.OK}, {1, "10.0.0.1", service.OK}, {7, "", service.ErrNotExist}} {
		c.Request(2, service.CFG, conn, wire.AppendGetNodeAddrsReq(nil, x.node))
		msg := conn.TakeReplies()[0]
		_, _, code := servicetest.Header(msg)
		res, err := wire.ParseNodeAddrsRes(msg)
		got := ""
		if len(res.Addrs) == 1 && res.Family == 2 {
			b := res.Addrs[0]
			got = fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3])
		}
		if code != x.code || err != nil || got != x.want {
			t.Errorf("node %d: %v %v %q", x.node, code, err, got)
		}
	}
	c.Request(2, service.CFG, conn, mar.AppendBare(nil, wire.ReqLocalGet))
	if id, _ := wire.ParseNumberRes(conn.TakeReplies()[0]); id != 2 {
		t.Errorf("own id %d", id)
	}
}

func TestKillNode(t *testing.T) {
	c, nodes := cluster(t)
	conn := c.Connect(1, service.CFG)
	kill := func(id uint32) service.Error {
		c.Request(1, service.CFG, conn, (&wire.KillReq{Node: id, Reason: "test of it"}).Append(nil))
		return answer(t, conn)
	}
	for id, want := range map[uint32]service.Error{3: service.ErrNotExist, 8: service.ErrNotExist} {
		if got := kill(id); got != want {
			t.Errorf("kill %d: %v, want %v", id, got, want)
		}
	}
	if got := kill(2); got != service.OK {
		t.Errorf("kill 2: %v", got)
	}
	h := nodes[2].host
	if nodes[1].host.Ended || !h.Ended || h.Left || h.Status != -1 {
		t.Errorf("victim: ended %v, left the ring %v, status %d", h.Ended, h.Left, h.Status)
	}
	if !slices.Contains(nodes[2].log, "Killed by node 1 : test of it") {
		t.Errorf("log of the victim: %q", nodes[2].log)
	}
}

// votes starts a shutdown on node 1 with n trackers.
func votes(t *testing.T, c *servicetest.Cluster, n int, flags wire.ShutdownFlags) (by *servicetest.Conn, trackers []*servicetest.Conn) {
	t.Helper()
	for range n {
		tr := c.Connect(1, service.CFG)
		c.Request(1, service.CFG, tr, wire.AppendTrackStartReq(nil, 0))
		if got := answer(t, tr); got != service.OK {
			t.Errorf("trackstart: %v", got)
		}
		trackers = append(trackers, tr)
	}
	by = c.Connect(1, service.CFG)
	c.Request(1, service.CFG, by, wire.AppendTryShutdownReq(nil, flags))
	return by, trackers
}

func say(c *servicetest.Cluster, tr *servicetest.Conn, a wire.ShutdownAnswer) {
	c.Request(1, service.CFG, tr, wire.AppendReplyToShutdownReq(nil, a))
}

func TestShutdownAsksTrackers(t *testing.T) {
	for _, x := range []struct {
		name    string
		flags   wire.ShutdownFlags
		answers []wire.ShutdownAnswer // of the trackers, in order
		leave   bool                  // the last tracker goes instead of answering
		wait    time.Duration
		want    service.Error
		ends    bool
	}{
		{name: "nobody to ask", want: service.OK, ends: true},
		{name: "all agree", answers: []wire.ShutdownAnswer{1, 1}, want: service.OK, ends: true},
		{name: "one objects", answers: []wire.ShutdownAnswer{1, 0}, want: service.ErrBusy},
		{name: "objection does not count", flags: wire.ShutdownRegardless, answers: []wire.ShutdownAnswer{0, 1}, want: service.OK, ends: true},
		{name: "who goes agrees", answers: []wire.ShutdownAnswer{1}, leave: true, want: service.OK, ends: true},
		{name: "no answer in time", answers: []wire.ShutdownAnswer{1}, wait: 5 * time.Second, want: service.ErrBusy},
		{name: "no answer, regardless", flags: wire.ShutdownRegardless, answers: []wire.ShutdownAnswer{1}, wait: 5 * time.Second, want: service.OK, ends: true},
		{name: "at once", flags: wire.ShutdownImmediate, answers: []wire.ShutdownAnswer{}, want: service.OK, ends: true},
	} {
		t.Run(x.name, func(t *testing.T) {
			c, nodes := cluster(t)
			n := len(x.answers)
			if x.leave || x.wait > 0 {
				n++
			}
			by, trackers := votes(t, c, n, x.flags)
			for _, tr := range trackers {
				ev := tr.TakeEvents()
				if x.flags != wire.ShutdownImmediate && len(ev) != 1 {
					t.Fatalf("tracker was asked %d times", len(ev))
				}
			}
			if n > 0 && answer(t, by) != 0 {
				t.Error("answered before the votes")
			}
			for i, a := range x.answers {
				say(c, trackers[i], a)
				if got := answer(t, trackers[i]); got != service.OK {
					t.Errorf("vote %d: %v", i, got)
				}
			}
			if x.leave {
				c.Disconnect(1, service.CFG, trackers[n-1])
			}
			nodes[1].host.Advance(x.wait)
			c.Deliver()
			if got := answer(t, by); got != x.want {
				t.Errorf("answer %v, want %v", got, x.want)
			}
			if h := nodes[1].host; h.Ended != x.ends || h.Ended && (!h.Left || h.Status != 0) {
				t.Errorf("ended %v left %v status %d", h.Ended, h.Left, h.Status)
			}
			if x.ends && !slices.Contains(nodes[2].log, "Node 1 was shut down by sysadmin") {
				t.Errorf("node 2 logs %q", nodes[2].log)
			}
			if x.wait > 0 { // the trackers learn that the time is over
				ev := trackers[0].TakeEvents()
				if len(ev) != 1 {
					t.Fatalf("%d events after the time-out", len(ev))
				}
				if _, _, code := servicetest.Header(ev[0]); code != service.ErrTimeout {
					t.Errorf("event says %v", code)
				}
			}
			if nodes[1].host.Pending() != 0 {
				t.Error("timer left")
			}
		})
	}
}

// TestShutdownRepliesOfOthers: a client that does not track on this connection may
// answer for one that does; who answers twice has changed its mind.
func TestShutdownRepliesOfOthers(t *testing.T) {
	for _, x := range []struct {
		name     string
		trackers int
		own      []wire.ShutdownAnswer // of the first tracker
		others   []wire.ShutdownAnswer
		want     service.Error // 0: not decided
	}{
		{name: "no", trackers: 1, others: []wire.ShutdownAnswer{0}, want: service.ErrBusy},
		{name: "yes", trackers: 1, others: []wire.ShutdownAnswer{1}, want: service.OK},
		{name: "yes for one of two", trackers: 2, others: []wire.ShutdownAnswer{1}},
		{name: "both", trackers: 2, own: []wire.ShutdownAnswer{1}, others: []wire.ShutdownAnswer{1}, want: service.OK},
		{name: "one against", trackers: 2, own: []wire.ShutdownAnswer{1}, others: []wire.ShutdownAnswer{0}, want: service.ErrBusy},
		{name: "twice", trackers: 2, own: []wire.ShutdownAnswer{0, 1}},
	} {
		t.Run(x.name, func(t *testing.T) {
			c, _ := cluster(t)
			by, trackers := votes(t, c, x.trackers, wire.ShutdownRequest)
			for _, a := range x.own {
				say(c, trackers[0], a)
			}
			other := c.Connect(1, service.CFG)
			for _, a := range x.others {
				say(c, other, a)
				if got := answer(t, other); got != service.OK {
					t.Errorf("reply: %v", got)
				}
			}
			if got := answer(t, by); got != x.want {
				t.Errorf("answer %v, want %v", got, x.want)
			}
		})
	}
}

func TestShutdownOneAtATime(t *testing.T) {
	c, nodes := cluster(t)
	by, trackers := votes(t, c, 1, wire.ShutdownRequest)
	other := c.Connect(1, service.CFG)
	c.Request(1, service.CFG, other, wire.AppendTryShutdownReq(nil, wire.ShutdownRequest))
	if got := answer(t, other); got != service.ErrExist {
		t.Errorf("second attempt: %v", got)
	}
	// A tracker that comes now is asked too.
	late := c.Connect(1, service.CFG)
	c.Request(1, service.CFG, late, wire.AppendTrackStartReq(nil, 0))
	if len(late.TakeEvents()) != 1 {
		t.Error("newcomer was not asked")
	}
	// Who asked goes: called off.
	c.Disconnect(1, service.CFG, by)
	say(c, trackers[0], wire.ShutdownYes)
	if got := answer(t, trackers[0]); got != service.ErrAccess {
		t.Errorf("vote without an attempt: %v", got)
	}
	if nodes[1].host.Ended || nodes[1].host.Pending() != 0 {
		t.Error("attempt goes on without its client")
	}
}

// watch records every change of the map as "KIND KEY".
func watch(m *cmap.Map) *[]string {
	var out []string
	m.Track("", cmap.Added|cmap.Modified|cmap.Deleted|cmap.Prefix, func(c cmap.Change) {
		out = append(out, fmt.Sprintf("%d %s %v", c.Kind, c.Key, c.New))
	})
	return &out
}

func TestReloadOnEveryNode(t *testing.T) {
	c, nodes := cluster(t)
	for _, n := range nodes {
		n.d.env.Files[confFile] = strings.Replace(twoNodes("token: 2000"), " two_node: 1\n", "", 1)
	}
	changes := watch(nodes[1].m)
	conn := c.Connect(1, service.CFG)
	c.Request(1, service.CFG, conn, mar.AppendBare(nil, wire.ReqReloadConfig))
	if answer(t, conn) != 0 {
		t.Fatal("answered before the file was read")
	}
	for _, n := range nodes {
		n.d.work()
	}
	if got := answer(t, conn); got != service.OK {
		t.Errorf("answer: %v", got)
	}
	want := []string{
		"4 config.totemconfig_reload_in_progress 1", "4 config.reload_in_progress 1", "1 quorum.two_node ",
		"2 runtime.config.totem.consensus 2400", "2 runtime.config.totem.hold 370",
		"2 runtime.config.totem.token 2000", "2 runtime.config.totem.token_retransmit 476",
		"2 totem.token 2000", "4 config.reload_status 1", "2 config.totemconfig_reload_in_progress 0", "2 config.reload_in_progress 0",
	}
	got := slices.DeleteFunc(*changes, func(s string) bool { return strings.Contains(s, "knet_ping") })
	if !slices.Equal(got, want) {
		t.Errorf("changes:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for id, n := range nodes {
		if n.d.commits != 1 || n.d.conf.Totem.Token != 2*time.Second || n.d.conf.NodeID != id || n.d.conf.Quorum.TwoNode {
			t.Errorf("node %d: %d commits, %+v", id, n.d.commits, n.d.conf.Totem)
		}
		if !slices.Contains(n.log, "Config reload requested by node 1") {
			t.Errorf("node %d logs %q", id, n.log)
		}
	}
}

// TestReloadRefusedLeavesNoTrace: the original deletes keys before it looks at
// the rest of the file, and leaves an "in progress" flag behind.
func TestReloadRefusedLeavesNoTrace(t *testing.T) {
	for _, x := range []struct{ name, file, log string }{
		{"syntax", "totem {\n", "Unable to reload config file: parser error: " + confFile + ":1: Missing closing brace"},
		{"value", strings.Replace(twoNodes("token: 10"), " two_node: 1\n", "", 1),
			"Configuration is not valid: parse error in config: The token timeout parameter (10 ms) may not be less than (30 ms)."},
		{"moved address", strings.Replace(twoNodes(""), "10.0.0.2", "10.0.0.9", 1),
			"Cannot configure new interface definitions: To reconfigure an interface it must be deleted and recreated. A working interface needs to be available to corosync at all times"},
		{"own node gone", strings.Replace(twoNodes(""), "name: n1", "name: zz", 1), "Configuration is not valid: parse error in config: No valid name found for local host"},
		{"own id changed", strings.Replace(twoNodes(""), "nodeid: 1", "nodeid: 5", 1), "Configuration is not valid: parse error in config: nodeid of the local node is 1 and cannot become 5 at run-time"},
		{"crypto", twoNodes("crypto_cipher: aes256"), "Crypto configuration is not valid: crypto_cipher requires crypto_hash with value other than none"},
	} {
		t.Run(x.name, func(t *testing.T) {
			c, nodes := cluster(t)
			n := nodes[1]
			n.d.env.Files[confFile] = x.file
			changes := watch(n.m)
			conn := c.Connect(1, service.CFG)
			c.Request(1, service.CFG, conn, mar.AppendBare(nil, wire.ReqReloadConfig))
			n.d.work()
			if got := answer(t, conn); got != service.ErrInvalidParam {
				t.Errorf("answer: %v", got)
			}
			if x.name == "value" && !slices.Contains(n.log, "see "+confFile+":5: totem.token: 10") {
				t.Errorf("nothing tells the line: %q", n.log)
			}
			if !slices.Contains(n.log, x.log) {
				t.Errorf("log %q\nlacks %q", n.log, x.log)
			}
			want := []string{"4 config.totemconfig_reload_in_progress 1", "4 config.reload_status 7", "2 config.totemconfig_reload_in_progress 0"}
			if !slices.Equal(*changes, want) {
				t.Errorf("changes: %q", *changes)
			}
			if n.d.commits != 0 {
				t.Error("committed")
			}
		})
	}
}

func TestReloadKeepsWhatOnlyARestartChanges(t *testing.T) {
	c, nodes := cluster(t)
	n := nodes[1]
	n.d.env.Files[confFile] = strings.NewReplacer("transport: udpu", "transport: knet\n ip_version: ipv4", "cluster_name: demo\n", "").Replace(twoNodes("")) +
		"totem {\n interface {\n  linknumber: 0\n  mcastport: 5555\n }\n}\nsystem {\n sched_rr: no\n}\n"
	conn := c.Connect(1, service.CFG)
	c.Request(1, service.CFG, conn, mar.AppendBare(nil, wire.ReqReloadConfig))
	n.d.work()
	if got := answer(t, conn); got != service.OK {
		t.Fatalf("answer: %v, log %q", got, n.log)
	}
	for _, key := range []string{"totem.transport", "totem.cluster_name", "totem.ip_version", "totem.interface.0.mcastport", "system.sched_rr"} {
		if !slices.Contains(n.log, "Modified entry '"+key+"' in corosync.conf cannot be changed at run-time") {
			t.Errorf("no notice for %s: %q", key, n.log)
		}
	}
	if s, _ := n.m.Str("totem.transport"); s != "udpu" || n.d.conf.Transport != config.UDPU || n.d.conf.Links[0].Port != 5405 {
		t.Errorf("transport %q, config %v, port %d", s, n.d.conf.Transport, n.d.conf.Links[0].Port)
	}
	if s, _ := n.m.Str("totem.cluster_name"); s != "demo" {
		t.Errorf("cluster name %q", s)
	}
	if _, ok := n.m.Str("totem.interface.0.bindnetaddr"); !ok {
		t.Error("a key that the daemon wrote itself is gone")
	}
}

func TestReloadAddsAndRemovesNodes(t *testing.T) {
	c, nodes := cluster(t)
	n := nodes[1]
	n.d.env.Files[confFile] = strings.Replace(twoNodes(""), "name: n2\n  nodeid: 2\n  ring0_addr: 10.0.0.2", "nodeid: 3\n  ring0_addr: 10.0.0.3", 1)
	conn := c.Connect(1, service.CFG)
	c.Request(1, service.CFG, conn, mar.AppendBare(nil, wire.ReqReloadConfig))
	n.d.work()
	if got := answer(t, conn); got != service.OK {
		t.Fatalf("answer: %v, log %q", got, n.log)
	}
	if ids := []uint32{n.d.conf.Nodes[0].ID, n.d.conf.Nodes[1].ID}; !slices.Equal(ids, []uint32{1, 3}) {
		t.Errorf("nodes %v", ids)
	}
	if _, ok := n.m.Str("nodelist.node.1.name"); ok {
		t.Error("name of the old node is still there")
	}
}

func TestReloadsQueue(t *testing.T) {
	c, nodes := cluster(t)
	a, b := c.Connect(1, service.CFG), c.Connect(1, service.CFG)
	c.Request(1, service.CFG, a, mar.AppendBare(nil, wire.ReqReloadConfig))
	c.Request(1, service.CFG, b, mar.AppendBare(nil, wire.ReqReloadConfig))
	if len(nodes[1].d.pending) != 1 {
		t.Fatalf("%d files are read at a time", len(nodes[1].d.pending))
	}
	c.Disconnect(1, service.CFG, a) // its answer goes nowhere
	nodes[1].d.work()
	if got := answer(t, b); got != service.OK || a.TakeReplies() != nil {
		t.Errorf("second answer: %v", got)
	}
	if nodes[1].d.commits != 2 {
		t.Errorf("%d commits", nodes[1].d.commits)
	}
}

func TestCryptoPhasesOfOwnMessagesOnly(t *testing.T) {
	c, nodes := cluster(t)
	s := NewService(nodes[1].host, nodes[1].d, nodes[1].m, func(service.Level, string) {})
	nodes[1].host.Full = true
	s.retry(func() error { return s.sendCrypto(cryptoActivate) })
	nodes[1].host.Full = false
	nodes[1].host.Advance(retryPause)
	c.Deliver()
	if !slices.Equal(nodes[1].d.phases, []uint32{1, 2}) || nodes[2].d.phases != nil {
		t.Errorf("phases: %v, other node %v", nodes[1].d.phases, nodes[2].d.phases)
	}
}

// TestOldKeyStaysForTheSlow: a node that has ended with its phases keeps the old key
// until all have begun to use the new one, are gone, or took too long.
func TestOldKeyStaysForTheSlow(t *testing.T) {
	for _, x := range []struct {
		name string
		then func(c *servicetest.Cluster, nodes map[uint32]*node)
	}{
		{"the other begins", func(c *servicetest.Cluster, nodes map[uint32]*node) {
			_ = (&Service{host: nodes[2].host}).sendCrypto(cryptoActivate)
			c.Deliver()
		}},
		{"the other is gone", func(c *servicetest.Cluster, _ map[uint32]*node) { c.Partition([]uint32{1}) }},
		{"too long", func(_ *servicetest.Cluster, nodes map[uint32]*node) { nodes[1].host.Advance(oldKeyLimit) }},
	} {
		t.Run(x.name, func(t *testing.T) {
			c, nodes := cluster(t)
			c.Request(1, service.CFG, c.Connect(1, service.CFG), mar.AppendBare(nil, wire.ReqReloadConfig))
			c.Deliver()
			_ = (&Service{host: nodes[1].host}).sendCrypto(cryptoActivate)
			c.Deliver()
			nodes[1].host.Advance(oldKeyLimit - time.Millisecond)
			if !slices.Equal(nodes[1].d.phases, []uint32{1}) {
				t.Fatalf("phases %v while the other node has not begun", nodes[1].d.phases)
			}
			x.then(c, nodes)
			if !slices.Equal(nodes[1].d.phases, []uint32{1, 2}) || nodes[1].host.Pending() != 0 {
				t.Errorf("phases %v, %d timers", nodes[1].d.phases, nodes[1].host.Pending())
			}
		})
	}
}

// TestKeyChangeOvertaken: a reload that brings the next key ends the wait; what the
// slow node says later is about that one.
func TestKeyChangeOvertaken(t *testing.T) {
	k := keyChange{}
	k.reloaded([]uint32{1, 2})
	k.ended, k.limit = true, servicetest.NewHost(1).After(oldKeyLimit, func() {})
	k.reloaded([]uint32{1, 2, 3}) // while the change lasts, it is the one that is waited for
	if !slices.Equal(k.nodes, []uint32{1, 2}) {
		t.Errorf("waits for %v", k.nodes)
	}
	k.overtaken()
	if k.ended || k.limit.Stop() {
		t.Error("the old change goes on")
	}
}

func TestReopenLogs(t *testing.T) {
	c, nodes := cluster(t)
	conn := c.Connect(1, service.CFG)
	for _, x := range []struct {
		err  error
		want service.Error
	}{{nil, service.OK}, {service.ErrAccess, service.ErrAccess}, {errors.New("disk"), service.ErrLibrary}} {
		nodes[1].d.reopen = x.err
		c.Request(1, service.CFG, conn, mar.AppendBare(nil, wire.ReqReopenLogFiles))
		if answer(t, conn) != 0 {
			t.Error("answered before the files were open")
		}
		nodes[1].d.work()
		if got := answer(t, conn); got != x.want {
			t.Errorf("%v: %v", x.err, got)
		}
	}
}

func TestFullQueueIsToldToTheClient(t *testing.T) {
	c, nodes := cluster(t)
	conn := c.Connect(1, service.CFG)
	nodes[1].host.Full = true
	for _, msg := range [][]byte{
		mar.AppendBare(nil, wire.ReqReloadConfig), wire.AppendTryShutdownReq(nil, wire.ShutdownImmediate),
		wire.AppendTryShutdownReq(nil, wire.ShutdownRequest), (&wire.KillReq{Node: 2, Reason: "x"}).Append(nil),
	} {
		c.Request(1, service.CFG, conn, msg)
		if got := answer(t, conn); got != service.ErrTryAgain {
			t.Errorf("request %d: %v", msg[0], got)
		}
	}
}

// FuzzMessages throws messages of other nodes at the engine.
func FuzzMessages(f *testing.F) {
	f.Add(appendKill(nil, 1, "why"), false)
	f.Add(mar.AppendBare(nil, mar.ID(service.CFG, execShutdown)), true)
	f.Add(append(mar.AppendBare(nil, mar.ID(service.CFG, execReload)), make([]byte, 16)...), true)
	f.Add(append(mar.AppendBare(nil, mar.ID(service.CFG, execCrypto)), make([]byte, 8)...), false)
	f.Fuzz(func(t *testing.T, msg []byte, swapped bool) {
		if len(msg) < mar.ReqSize {
			return
		}
		h := servicetest.NewHost(1)
		e := NewService(h, &fakeDaemon{conf: &config.Config{}}, cmap.NewMap(), func(service.Level, string) {}).Engine()
		fn := mar.View{B: msg, Swapped: swapped}.U32(0) & 0xffff
		if int(fn) < len(e.Exec) && len(msg) >= e.Exec[fn].MinSize {
			e.Exec[fn].Deliver(1, msg, swapped)
			e.Exec[fn].Deliver(2, msg, swapped)
		}
	})
}
