package engine

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/cib/doc"
	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func parse(t testing.TB, s string) *xmltree.Node {
	t.Helper()
	n, err := xmltree.ParseString(s, xmltree.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return n
}

// schemas knows pacemaker-3.8 and 3.9: anything goes but an element bogus.
func schemas() *schema.Set {
	return schema.NewSet([]string{"pacemaker-1.2.rng", "pacemaker-3.8.rng", "pacemaker-3.9.rng", "upgrade-1.2.xsl"}, func(name string) ([]byte, error) {
		if !strings.HasSuffix(name, ".rng") {
			return nil, os.ErrNotExist
		}
		return []byte(`<grammar xmlns="http://relaxng.org/ns/structure/1.0"><start><ref name="any"/></start><define name="any"><element>` +
			`<anyName><except><name>bogus</name></except></anyName><zeroOrMore><attribute><anyName/></attribute></zeroOrMore><zeroOrMore><ref name="any"/></zeroOrMore></element></define></grammar>`), nil
	})
}

const start = `<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.9" admin_epoch="0" epoch="1" num_updates="0"><configuration><crm_config/><nodes/><resources/><constraints/></configuration><status/></cib>`

// cluster is some engines on one bus: what one sends comes to all in the same order.
type cluster struct {
	t     testing.TB
	now   time.Time
	nodes map[string]*Engine
	names []string
	queue []packet
	// seen are the effects that are no messages, as text, per node.
	seen map[string][]string
	// replies are the answers to clients.
	replies map[string]*xmltree.Node
}

type packet struct{ from, to, text string }

func newCluster(t testing.TB, names ...string) *cluster {
	c := &cluster{t: t, now: time.Unix(1_700_000_000, 0), nodes: map[string]*Engine{}, names: names, seen: map[string][]string{}, replies: map[string]*xmltree.Node{}}
	for _, n := range names {
		c.nodes[n] = New(Config{Node: n, Schemas: schemas(), InGroup: func(string, string) bool { return false }}, parse(t, start), patch.OK, c.now)
		c.nodes[n].Connect(Client{ID: n + "-rw", PID: 7, User: "root", Privileged: true, Write: true})
		c.nodes[n].Connect(Client{ID: n + "-ro", PID: 8, User: "root", Privileged: true})
		c.nodes[n].Connect(Client{ID: n + "-user", PID: 9, User: "tony", Write: true})
		c.take(n)
	}
	return c
}

// take sorts out what a node wants done.
func (c *cluster) take(node string) {
	for _, x := range c.nodes[node].Take() {
		switch x := x.(type) {
		case Send:
			c.queue = append(c.queue, packet{node, x.To, string(x.XML.AppendPacemaker(nil, xmltree.TextOptions{}))})
		case Reply:
			c.replies[x.Client] = parse(c.t, string(x.XML.AppendPacemaker(nil, xmltree.TextOptions{})))
			c.seen[node] = append(c.seen[node], fmt.Sprintf("reply %s %d", x.Client, x.ID))
		case Notify:
			c.seen[node] = append(c.seen[node], "notify "+strings.Join(x.Clients, ",")+" "+x.XML.Attr("subt")+" "+x.XML.Attr("cib_op")+" rc="+x.XML.Attr("cib_rc"))
		case Ack:
			c.seen[node] = append(c.seen[node], fmt.Sprintf("ack %s %d %d", x.Client, x.ID, x.Status))
		case Persist:
			c.seen[node] = append(c.seen[node], "persist "+version(x.CIB).String())
		case Exit:
			c.seen[node] = append(c.seen[node], fmt.Sprintf("exit forced=%v", x.Forced))
		}
	}
}

// run delivers all messages.
func (c *cluster) run() {
	for rounds := 0; len(c.queue) > 0; rounds++ {
		if rounds > 1000 {
			c.t.Fatalf("the conversation does not end: %v", c.queue[0])
		}
		p := c.queue[0]
		c.queue = c.queue[1:]
		for _, n := range c.names {
			if p.to == "" || p.to == n {
				c.nodes[n].Message(c.now, p.from, parse(c.t, p.text))
				c.take(n)
			}
		}
	}
}

// ask sends a request of a client and runs to its end; it returns the answer.
func (c *cluster) ask(client, attrs, data string) *xmltree.Node {
	c.t.Helper()
	node, _, _ := strings.Cut(client, "-")
	delete(c.replies, client)
	if data != "" {
		data = "<cib_calldata>" + data + "</cib_calldata>"
	}
	c.nodes[node].Request(c.now, client, 41, true, parse(c.t, `<cib_command t="cib" cib_callid="5" `+attrs+`>`+data+`</cib_command>`))
	c.take(node)
	c.run()
	return c.replies[client]
}

func (c *cluster) same() {
	c.t.Helper()
	want := digest.CIB(c.nodes[c.names[0]].Root())
	for _, n := range c.names {
		if got := digest.CIB(c.nodes[n].Root()); got != want {
			c.t.Fatalf("%s has %s", n, c.nodes[n].Root())
		}
	}
}

func (c *cluster) wantRC(re *xmltree.Node, rc string) {
	c.t.Helper()
	if re == nil || re.Attr("cib_rc") != rc {
		c.t.Fatalf("answer %v, want result %s", re, rc)
	}
}

func TestChangeGoesToAllAndIsAnsweredByItsNode(t *testing.T) {
	c := newCluster(t, "n1", "n2", "n3")
	re := c.ask("n2-rw", `cib_op="cib_create" cib_section="resources" cib_callopt="4096"`, `<primitive id="p"/>`)
	c.wantRC(re, "0")
	c.same()
	if len(c.seen["n1"]) != 2 || c.seen["n1"][1] != "persist 0.2.0" { // the first is of the start
		t.Errorf("n1: %q", c.seen["n1"])
	}
	if got := strings.Join(c.seen["n2"][1:], "; "); got != "persist 0.2.0; reply n2-rw 41" {
		t.Errorf("n2: %s", got)
	}
	if v := c.nodes["n3"].Root().Attr("update-origin"); v != "n2" {
		t.Errorf("update-origin %q", v)
	}
	// Not waited for: the answer comes as an event.
	c.ask("n2-rw", `cib_op="cib_bump" cib_callopt="0"`, "")
	if got := c.seen["n2"][len(c.seen["n2"])-1]; got != "reply n2-rw 0" {
		t.Errorf("n2: %s", got)
	}
	c.ask("n2-rw", `cib_op="cib_bump" cib_callopt="16"`, "")
	if c.replies["n2-rw"] != nil {
		t.Error("an answer that nobody wanted")
	}
	if v := version(c.nodes["n1"].Root()).String(); v != "0.4.2" {
		t.Errorf("version %s", v) // bumping changes the root alone, so it counts as an update too
	}
}

func TestReadOnlySocket(t *testing.T) {
	c := newCluster(t, "n1", "n2")
	c.wantRC(c.ask("n1-ro", `cib_op="cib_query" cib_callopt="4096"`, ""), "0")
	c.wantRC(c.ask("n1-ro", `cib_op="cib_slave" cib_callopt="4096"`, ""), "-13")
	c.wantRC(c.ask("n1-ro", `cib_op="cib_sync" cib_callopt="4096"`, ""), "-13")
}

func TestPrimary(t *testing.T) {
	c := newCluster(t, "n1", "n2")
	c.wantRC(c.ask("n1-rw", `cib_op="cib_ismaster" cib_callopt="4096"`, ""), "-1")
	c.wantRC(c.ask("n1-rw", `cib_op="cib_master" cib_callopt="4096"`, ""), "0")
	c.wantRC(c.ask("n1-rw", `cib_op="cib_ismaster" cib_callopt="4096"`, ""), "0")
	c.wantRC(c.ask("n2-rw", `cib_op="cib_ismaster" cib_callopt="4096"`, ""), "-1")
	c.wantRC(c.ask("n1-rw", `cib_op="cib_slave" cib_callopt="4096"`, ""), "0")
	c.wantRC(c.ask("n1-rw", `cib_op="cib_ismaster" cib_callopt="4096"`, ""), "-1")
}

// TestDigestsAreCompared: five seconds after the last change the primary finds a
// node that differs and sends it the whole CIB.
func TestDigestsAreCompared(t *testing.T) {
	c := newCluster(t, "n1", "n2", "n3")
	c.ask("n1-rw", `cib_op="cib_master" cib_callopt="4096"`, "")
	c.ask("n1-rw", `cib_op="cib_modify" cib_section="nodes" cib_callopt="4104"`, `<node id="1"/>`)
	c.nodes["n3"].doc.Set(parse(t, strings.Replace(start, "<nodes/>", `<nodes><node id="astray"/></nodes>`, 1)))
	if d := c.nodes["n1"].Deadline(); !d.Equal(c.now.Add(digestDelay)) {
		t.Fatalf("deadline %v", d)
	}
	c.now = c.now.Add(digestDelay)
	for _, n := range c.names {
		c.nodes[n].Tick(c.now)
		c.take(n)
	}
	c.run()
	c.same()
}

func TestWholeCIBOnRequest(t *testing.T) {
	c := newCluster(t, "n1", "n2", "n3")
	c.nodes["n2"].doc.Set(parse(t, strings.Replace(start, `epoch="1"`, `epoch="9"`, 1)))
	c.wantRC(c.ask("n1-rw", `cib_op="cib_sync" cib_host="n2" cib_callopt="4096"`, ""), "0")
	c.same()
	if v := version(c.nodes["n1"].Root()).String(); v != "0.9.0" {
		t.Errorf("version %s", v)
	}
	// A whole CIB with a wrong digest is refused.
	re := c.ask("n1-rw", `cib_op="cib_replace" digest="00" cib_callopt="4096"`, strings.Replace(start, `epoch="1"`, `epoch="12"`, 1))
	c.wantRC(re, "-205")
}

// TestPatchOfTheFuture: a node that is behind asks for the whole CIB and passes
// over patchsets until it comes.
func TestPatchOfTheFuture(t *testing.T) {
	c := newCluster(t, "n1", "n2")
	c.ask("n1-rw", `cib_op="cib_master" cib_callopt="4096"`, "")
	c.nodes["n1"].doc.Set(parse(t, strings.Replace(start, `epoch="1"`, `epoch="3"`, 1)))
	c.ask("n1-rw", `cib_op="cib_apply_diff" cib_callopt="4096"`, `<diff format="2"><version><source admin_epoch="0" epoch="3" num_updates="0"/><target admin_epoch="0" epoch="4" num_updates="0"/></version>`+
		`<change operation="create" path="/cib/configuration/nodes" position="0"><node id="1"/></change></diff>`)
	c.same()
	if c.nodes["n2"].syncing != 0 {
		t.Error("still waiting for the whole CIB")
	}
}

func TestUpgrade(t *testing.T) {
	c := newCluster(t, "n1", "n2", "n3")
	c.ask("n1-rw", `cib_op="cib_master" cib_callopt="4096"`, "")
	c.wantRC(c.ask("n2-rw", `cib_op="cib_upgrade" cib_callopt="4096"`, ""), "-211")
	for _, n := range c.names {
		c.nodes[n].doc.Set(parse(t, strings.Replace(start, "pacemaker-3.9", "pacemaker-3.8", 1)))
	}
	c.wantRC(c.ask("n2-rw", `cib_op="cib_upgrade" cib_callopt="4096"`, ""), "0")
	c.same()
	if root := c.nodes["n3"].Root(); root.Attr("validate-with") != "pacemaker-3.9" || root.Attr("admin_epoch") != "1" {
		t.Errorf("%s", root)
	}
}

// TestUpgradeOfOldSyntax takes a CIB of Pacemaker 1.1 to the newest schema, by a
// request to a daemon that stands alone.
func TestUpgradeOfOldSyntax(t *testing.T) {
	old := `<cib crm_feature_set="3.0.14" validate-with="pacemaker-2.5" admin_epoch="0" epoch="7" num_updates="1"><configuration><crm_config>` +
		`<cluster_property_set id="o"><nvpair id="o1" name="stonith_enabled" value="false"/><nvpair id="o2" name="default-action-timeout" value="9s"/></cluster_property_set>` +
		`</crm_config><nodes><node id="1" uname="n1" type="normal"/></nodes><resources/><constraints/></configuration><status/></cib>`
	e := New(Config{Node: "n1", Schemas: schema.Builtin(), StandAlone: true, InGroup: func(string, string) bool { return false }}, parse(t, old), patch.OK, time.Unix(1_700_000_000, 0))
	next, code := e.upgrade(e.Root().Copy(), 0)
	if code != patch.OK {
		t.Fatalf("code %d", code)
	}
	want := `<configuration><crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>` +
		`<nodes><node id="1" uname="n1" type="member"/></nodes><resources/><constraints/>` +
		`<op_defaults><meta_attributes id="_2TO3_-op-defaults"><nvpair id="o2" name="timeout" value="9s"/></meta_attributes></op_defaults></configuration>`
	if got := next.Child("configuration").String(); got != want || next.Attr("validate-with") != "pacemaker-3.9" {
		t.Errorf("%s\n got %s\nwant %s", next.Attr("validate-with"), got, want)
	}
	told := 0
	for _, x := range e.Take() {
		if l, ok := x.(Log); ok && strings.HasPrefix(l.Text, "CIB upgrade: ") && l.Level == Debug {
			told++
		}
	}
	if told != 3 {
		t.Errorf("%d changes are told, want 3", told)
	}
}

func TestNotifications(t *testing.T) {
	c := newCluster(t, "n1", "n2")
	c.ask("n1-user", `cib_op="cib_notify" cib_notify_type="cib_diff_notify" cib_notify_activate="1"`, "")
	c.ask("n1-ro", `cib_op="cib_notify" cib_notify_type="cib_refresh_notify" cib_notify_activate="1"`, "")
	c.ask("n1-rw", `cib_op="cib_notify" cib_notify_type="nonsense" cib_notify_activate="1"`, "")
	c.ask("n2-rw", `cib_op="cib_modify" cib_section="status" cib_callopt="4104"`, `<node_state id="1"/>`)
	c.ask("n2-rw", `cib_op="cib_modify" cib_section="status" cib_callopt="4616"`, `<node_state id="2"/>`)  // dry run
	c.ask("n2-rw", `cib_op="cib_modify" cib_section="status" cib_callopt="69640"`, `<node_state id="3"/>`) // quietly
	c.ask("n2-rw", `cib_op="cib_modify" cib_section="nodes" cib_callopt="4104"`, `<bogus/>`)
	c.ask("n2-rw", `cib_op="cib_replace" cib_callopt="4096"`, strings.Replace(start, `epoch="1"`, `epoch="7"`, 1))
	want := "persist 0.1.0; ack n1-user 41 0; ack n1-ro 41 0; ack n1-rw 41 2; notify n1-user cib_diff_notify cib_modify rc=0; notify n1-user cib_diff_notify cib_modify rc=-203; " +
		"persist 0.7.1; notify n1-user cib_diff_notify cib_replace rc=0; notify n1-ro cib_refresh_notify cib_replace rc=0"
	if got := strings.Join(c.seen["n1"], "; "); got != want {
		t.Errorf("\n got  %s\n want %s", got, want)
	}
	c.same()
}

func TestUsers(t *testing.T) {
	c := newCluster(t, "n1", "n2")
	acls := `<cib><configuration><crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="e" name="enable-acl" value="true"/></cluster_property_set></crm_config>` +
		`<acls><acl_target id="tony"><role id="r"/></acl_target><acl_role id="r"><acl_permission id="a1" kind="read" xpath="//nodes"/><acl_permission id="a2" kind="write" xpath="//node[@id='1']"/></acl_role></acls></configuration></cib>`
	c.wantRC(c.ask("n1-rw", `cib_op="cib_modify" cib_callopt="4104"`, acls), "0")
	c.wantRC(c.ask("n1-rw", `cib_op="cib_create" cib_section="nodes" cib_callopt="4096"`, `<node id="1" uname="a"/>`), "0")
	re := c.ask("n2-user", `cib_op="cib_query" cib_callopt="4096"`, "")
	c.wantRC(re, "0")
	if got := re.First.String(); got != `<cib_calldata><cib><configuration><nodes><node id="1" uname="a"/></nodes></configuration></cib></cib_calldata>` {
		t.Errorf("tony sees %s", got)
	}
	c.wantRC(c.ask("n2-user", `cib_op="cib_modify" cib_section="nodes" cib_callopt="4096"`, `<node id="1" uname="b"/>`), "0")
	c.wantRC(c.ask("n2-user", `cib_op="cib_create" cib_section="nodes" cib_callopt="4096"`, `<node id="2" uname="b"/>`), "-13")
	c.wantRC(c.ask("n2-user", `cib_op="cib_delete" cib_section="nodes" cib_callopt="4096"`, `<nodes/>`), "0") // nothing in it: nothing deleted
	c.wantRC(c.ask("n2-user", `cib_op="cib_erase" cib_user="root" cib_callopt="4096"`, ""), "-13")
	c.wantRC(c.ask("n2-user", `cib_op="cib_erase" acl_target="root" cib_callopt="4096"`, ""), "-13")
	c.wantRC(c.ask("n1-rw", `cib_op="cib_query" cib_user="nobody" cib_callopt="4096"`, ""), "-13")
	c.same()
}

func TestLeave(t *testing.T) {
	c := newCluster(t, "n1", "n2")
	for _, id := range []string{"n1-rw", "n1-ro", "n1-user"} {
		c.nodes["n1"].Disconnect(id)
	}
	c.nodes["n1"].Leave(c.now, 2)
	c.take("n1")
	c.run()
	if got := c.seen["n1"]; got[len(got)-1] != "exit forced=false" {
		t.Errorf("%q", got)
	}
	c = newCluster(t, "n1")
	c.nodes["n1"].Leave(c.now, 3)
	c.nodes["n1"].Take() // lost on the way
	c.nodes["n1"].Tick(c.now.Add(exitLimit))
	c.take("n1")
	if got := c.seen["n1"]; got[len(got)-1] != "exit forced=true" {
		t.Errorf("%q", got)
	}
}

// TestUnusable: with an invalid file the daemon runs, and says so to everybody.
func TestUnusable(t *testing.T) {
	e := New(Config{Node: "n1", Schemas: schemas()}, parse(t, start), doc.BadSchema, time.Unix(0, 0))
	e.Connect(Client{ID: "c", User: "root", Privileged: true, Write: true})
	e.Request(time.Unix(0, 0), "c", 3, true, parse(t, `<cib_command t="cib" cib_op="cib_query" cib_callopt="4096"/>`))
	found := false
	for _, x := range e.Take() {
		if r, ok := x.(Reply); ok {
			found = r.XML.Attr("cib_rc") == "-203" && attached(r.XML, "cib_calldata") != nil
		}
	}
	if !found {
		t.Error("no answer that says why")
	}
}

// FuzzRequest: no message harms an engine, from clients or from peers, and it
// answers afterwards.
func FuzzRequest(f *testing.F) {
	f.Add(`<cib_command t="cib" cib_op="cib_modify" cib_section="status" cib_callopt="4104"><cib_calldata><node_state id="1"/></cib_calldata></cib_command>`)
	f.Add(`<copy t="cib" cib_op="cib_replace" cib_update="true" digest="x"><cib_calldata>` + start + `</cib_calldata></copy>`)
	f.Add(`<x cib_op="cib_apply_diff"><cib_calldata><diff format="2"><version/><change operation="delete" path="/cib"/></diff></cib_calldata></x>`)
	f.Add(`<x cib_op="cib_delete" cib_callopt="6" cib_section="//*"/>`)
	f.Add(`<x cib_op="cib_upgrade" cib_schema_max="pacemaker-3.9"/>`)
	f.Add(`<x cib_op="ping" cib_isreplyto="n1"><cib_calldata><ping_response cib_ping_id="0" digest="0"/></cib_calldata></x>`)
	f.Add(`<x cib_op="cib_shutdown_req" cib_isreplyto="n1"/>`)
	set := schemas()
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := xmltree.ParseString(text, xmltree.Limits{}); err != nil {
			return
		}
		now := time.Unix(0, 0)
		for _, user := range []string{"root", "tony"} {
			e := New(Config{Node: "n1", Schemas: set, InGroup: func(string, string) bool { return true }}, parse(t, start), patch.OK, now)
			e.Connect(Client{ID: "c", User: user, Privileged: user == "root", Write: true})
			for range 2 {
				e.Request(now, "c", 1, true, parse(t, text))
				for _, x := range e.Take() {
					if s, ok := x.(Send); ok {
						e.Message(now, "n1", parse(t, string(s.XML.AppendPacemaker(nil, xmltree.TextOptions{}))))
					}
				}
				e.Message(now, "n2", parse(t, text))
				e.Tick(now.Add(time.Hour))
				e.Take()
			}
			if e.Root() == nil || e.Root().Name != "cib" {
				t.Fatalf("the CIB is %v", e.Root())
			}
		}
	})
}
