package daemon

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/fencing/agent"
	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// fakeCluster is a process group of two whose messages go nowhere.
type fakeCluster struct{ sent []string }

func (c *fakeCluster) Send(to string, doc *xmltree.Node) {
	if len(c.sent) < 1000 {
		c.sent = append(c.sent, to+": "+doc.String())
	}
}
func (c *fakeCluster) Peers() []string           { return []string{"n1", "n2"} }
func (c *fakeCluster) NodeID(string) uint32      { return 2 }
func (c *fakeCluster) NodeName(uint32) string    { return "n2" }
func (c *fakeCluster) Forget(_ uint32, _ string) {}

func newTest(t testing.TB) (*Fencer, *fakeCluster) {
	c := &fakeCluster{}
	f := New(Options{Self: "n1", Cluster: c, Runner: &agent.Runner{Dir: "/nonexistent", Children: true}, Log: func(note.Level, string) {}, Panic: func() {}})
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // children end at once
	f.ctx = ctx
	return f, c
}

// TestMetadata compares the description with the original's.
func TestMetadata(t *testing.T) {
	var b bytes.Buffer
	writeMetadata(&b)
	want := testneed.Output(t, "/usr/lib/pacemaker/pacemaker-fenced", "metadata")
	if !strings.Contains(want, `version="2.1.5"`) {
		testneed.Missing(t, "another Pacemaker than 2.1.5 is installed")
	}
	if b.String() != want {
		t.Error("the description differs from the original's")
	}
}

const deviceCIB = `<cib admin_epoch="0" epoch="%" num_updates="0" validate-with="pacemaker-3.9" crm_feature_set="3.16.1"><configuration><crm_config/>
<nodes><node id="1" uname="n1"><instance_attributes id="a"><nvpair id="r" name="rack" value="7"/></instance_attributes></node><node id="2" uname="n2"/></nodes>
<resources>
<primitive id="free" class="stonith" type="fence_x"><instance_attributes id="p"><nvpair id="p1" name="pcmk_host_list" value="n2"/></instance_attributes><meta_attributes id="m"><nvpair id="m1" name="provides" value="unfencing"/></meta_attributes></primitive>
<primitive id="banned" class="stonith" type="fence_x"/>
<primitive id="stopped" class="stonith" type="fence_x"><meta_attributes id="n"><nvpair id="n1" name="target-role" value="Stopped"/></meta_attributes></primitive>
<primitive id="service" class="ocf" provider="pacemaker" type="Dummy"/>
<clone id="c"><primitive id="cloned" class="stonith" type="fence_x"/></clone>
<group id="g"><primitive id="grouped" class="stonith" type="fence_x"/></group>
</resources>
<constraints><rsc_location id="l" rsc="banned" node="n1" score="-INFINITY"/>EXTRA</constraints>
<fencing-topology><fencing-level id="f1" target-attribute="rack" target-value="7" index="2" devices="free,cloned"/></fencing-topology>
</configuration><status/></cib>`

func deviceList(f *Fencer) string {
	var out []string
	for _, id := range []string{"free", "banned", "stopped", "service", "cloned:0", "grouped"} {
		if f.devices.Lookup(id) != nil {
			out = append(out, id)
		}
	}
	return strings.Join(out, " ")
}

// TestDevicesOfCIB: which devices this node may use, and how that changes.
func TestDevicesOfCIB(t *testing.T) {
	f, _ := newTest(t)
	set := func(epoch, extra string) {
		t.Helper()
		doc, err := xmltree.ParseString(strings.Replace(strings.Replace(deviceCIB, "%", epoch, 1), "EXTRA", extra, 1), xmltree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		f.SetCIB(time.Now(), doc)
	}
	set("1", "")
	if got := deviceList(f); got != "free cloned:0 grouped" {
		t.Errorf("%q", got)
	}
	if e := f.levels.Find("n1"); e == nil || len(e.Levels[2]) != 2 {
		t.Errorf("levels of n1: %+v", e)
	}
	if f.levels.Find("n2") != nil {
		t.Error("n2 has no such attribute")
	}
	set("2", `<rsc_location id="l2" rsc="g" node="n1" score="-INFINITY"/>`)
	if got := deviceList(f); got != "free cloned:0" {
		t.Errorf("%q", got)
	}
	if v, _ := f.devices.Lookup("free").Param("pcmk_host_list"); v != "n2" {
		t.Errorf("parameters: %q", v)
	}
}

// FuzzPeer feeds whatever peers send to all of the fencer.
func FuzzPeer(f *testing.F) {
	f.Add(`<m st_op="st_query" st_remote_op="u" st_target="n2" st_device_action="reboot" st_origin="n2" st_clientid="c" st_timeout="9"/>`)
	f.Add(`<m st_op="st_fence" st_remote_op="u" st_target="n2" st_device_action="off" st_clientid="c" st_callid="1"/>`)
	f.Add(`<m st_op="st_relay" st_clientid="c" st_remote_op="u" st_timeout="9"><d><x st_target="n2" st_device_action="off"/></d></m>`)
	f.Add(`<st-reply st_op="st_query" st_remote_op="u"><q st-available-devices="1"><d id="x" st_monitor_verified="1"/></q></st-reply>`)
	f.Add(`<st-reply st_op="st_notify" subt="broadcast"><x st_remote_op="u" st_target="n2" st_device_action="off" rc-code="0" op-status="0"/></st-reply>`)
	f.Add(`<m st_op="st_fence_history" st_callopt="1048592"><st_history><e st_remote_op="v" st_origin="n1" st_state="1"/></st_history></m>`)
	f.Add(`<m st_op="st_level_add"><fencing-level id="1" index="1" target="n2" devices="x"/></m>`)
	f.Add(`<m st_op="st_device_register"><st_device_id id="x" agent="fence_x"><attributes pcmk_delay_base="n2:1"/></st_device_id></m>`)
	f.Fuzz(func(t *testing.T, s string) {
		fencer, _ := newTest(t)
		now := time.Unix(1700000000, 0)
		for _, text := range append(strings.Split(s, "\n"), `<m st_op="st_query" st_remote_op="last" st_target="n2" st_device_action="off" st_clientid="c"/>`) {
			n, err := xmltree.ParseString(text, xmltree.Limits{Bytes: 1 << 16})
			if err != nil {
				continue
			}
			fencer.Peer(now, "n2", n)
			fencer.settle()
			now = now.Add(30 * time.Second)
			fencer.devices.Tick(now)
			fencer.ops.Tick(now)
			fencer.settle()
		}
	})
}
