package daemon

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/unpack"
)

// configuration is what the CIB says about fencing: devices, levels, attributes
// of nodes, the watchdog. It replaces the CIB part of pacemaker-fenced.c.
type configuration struct {
	f       *Fencer
	doc     *xmltree.Node
	devices string // what the devices depend on, to see whether it changed
	levels  string
}

// SetCIB takes over a CIB. The fencer keeps it and does not change it.
func (f *Fencer) SetCIB(now time.Time, doc *xmltree.Node) { f.cib.set(now, doc) }

func (c *configuration) set(now time.Time, doc *xmltree.Node) {
	f := c.f
	first := c.doc == nil
	same := !first && doc.Attr("epoch") == c.doc.Attr("epoch") && doc.Attr("admin_epoch") == c.doc.Attr("admin_epoch")
	c.doc = doc
	if same {
		return // only the status section has changed
	}
	devices := section(doc, "resources") + section(doc, "constraints") + section(doc, "rsc_defaults") + section(doc, "nodes") + section(doc, "tags")
	levels := section(doc, "fencing-topology")
	watchdog := c.watchdogTimeout()
	all := first || watchdog != f.devices.Watchdog.Timeout
	f.devices.Watchdog.Timeout = watchdog
	if all || levels != c.levels {
		c.refreshLevels()
	}
	if all || devices != c.devices {
		f.logf(note.Info, "Updating devices to version %s.%s.%s", doc.Attr("admin_epoch"), doc.Attr("epoch"), doc.Attr("num_updates"))
		c.refreshDevices(now)
	}
	f.devices.RefreshWatchdog(now)
	c.devices, c.levels = devices, levels
}

func section(doc *xmltree.Node, name string) string {
	if n := doc.Path("configuration", name); n != nil {
		return n.String()
	}
	return ""
}

// watchdogTimeout reads stonith-watchdog-timeout; a negative one stands for
// twice the watchdog's own (pcmk__auto_watchdog_timeout).
func (c *configuration) watchdogTimeout() time.Duration {
	n := c.doc.Find(func(e *xmltree.Node) bool { return e.Name == "nvpair" && e.Attr("name") == "stonith-watchdog-timeout" })
	if n == nil {
		return 0
	}
	ms, ok := iso8601.MSec(n.Attr("value"))
	if !ok || ms >= 0 {
		return time.Duration(max(ms, 0)) * time.Millisecond
	}
	sbd, ok := iso8601.MSec(os.Getenv("SBD_WATCHDOG_TIMEOUT"))
	if !ok || sbd <= 0 {
		return 0
	}
	return 2 * time.Duration(sbd) * time.Millisecond
}

// nodeHas says whether a node has a permanent attribute of that value
// (node_has_attr).
func (c *configuration) nodeHas(node, name, value string) bool {
	if c.doc == nil {
		return false
	}
	nodes := c.doc.Path("configuration", "nodes")
	return nodes != nil && nodes.Find(func(e *xmltree.Node) bool {
		return e.Name == "nvpair" && e.Attr("name") == name && e.Attr("value") == value &&
			e.Parent.Name == "instance_attributes" && e.Parent.Parent.Name == "node" && e.Parent.Parent.Attr("uname") == node
	}) != nil
}

// refreshLevels reads the topology anew (fencing_topology_init).
func (c *configuration) refreshLevels() {
	c.f.levels.Clear()
	top := c.doc.Path("configuration", "fencing-topology")
	if top == nil {
		return
	}
	top.Each("fencing-level", func(e *xmltree.Node) {
		l := wire.LevelOf(e)
		r := c.f.levels.Register(l)
		c.f.notify(&wire.Notification{Type: wire.OpLevelAdd, Result: r, Desc: l.Desc(), Active: c.f.levels.Len()})
	})
}

// refreshDevices registers the devices that this node may use (cib_devices_update).
func (c *configuration) refreshDevices(now time.Time) {
	res, err := pengine.Locations(pengine.Input{CIB: c.doc, Now: localTime(now)})
	if err != nil {
		c.f.logf(note.Error, "Could not read the devices of the CIB: %v", err)
		return
	}
	var regs []*wire.Registration
	for _, r := range res.Cluster.Resources {
		c.collect(r, res.Cluster.Node(c.f.o.Self), &regs)
	}
	c.f.devices.Refresh(now, regs)
}

// collect finds the devices within a resource; of a clone one copy
// (cib_device_update).
func (c *configuration) collect(r *model.Resource, here *model.Node, regs *[]*wire.Registration) {
	for _, child := range r.Children {
		c.collect(child, here, regs)
		if r.Variant == model.Clone {
			break
		}
	}
	if len(r.Children) > 0 || !strings.EqualFold(r.Class, "stonith") {
		return
	}
	f := c.f
	if role, limited := unpack.TargetRole(r); limited && (role <= model.Stopped || role == model.Unpromoted && r.Top().Is(model.Promotable)) {
		f.logf(note.Info, "Device %s has been disabled", r.ID)
		return
	}
	if f.devices.Watchdog.Timeout <= 0 && r.ID == wire.WatchdogID {
		f.logf(note.Info, "Watchdog-fencing disabled thus handling device %s as disabled", r.ID)
		return
	}
	w := r.Allowed.Get(here)
	if w == nil {
		f.logf(note.Info, "Device %s has been disabled on %s: unknown", r.ID, f.o.Self)
		return
	}
	score := w.Score
	if p := r.Parent; score >= 0 && p != nil && p.Variant == model.Group {
		if pw := p.Allowed.Get(here); pw != nil && pw.Score < 0 {
			score = pw.Score
		}
	}
	if score < 0 {
		f.logf(note.Info, "Device %s has been disabled on %s: score=%s", r.ID, f.o.Self, score)
		return
	}
	f.logf(note.Debug, "Device %s is allowed on %s: score=%s", r.ID, f.o.Self, score)
	reg := registration(r, here)
	f.o.Runner.Adapt(reg)
	*regs = append(*regs, reg)
}

// registration describes a resource as a device; clones go by the name of the
// original.
func registration(r *model.Resource, here *model.Node) *wire.Registration {
	reg := &wire.Registration{ID: r.ID, Agent: r.Type, Provides: r.Meta["provides"]}
	if r.CloneName != "" {
		reg.ID = r.CloneName
	}
	params := r.Params(here)
	names := make([]string, 0, len(params))
	for n := range params {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		reg.Params = append(reg.Params, wire.Pair{Name: n, Value: params[n]})
	}
	return reg
}

// String says which CIB it is.
func (c *configuration) String() string {
	if c.doc == nil {
		return "no CIB"
	}
	return fmt.Sprintf("CIB %s.%s.%s", c.doc.Attr("admin_epoch"), c.doc.Attr("epoch"), c.doc.Attr("num_updates"))
}

func localTime(now time.Time) iso8601.Time {
	_, offset := now.Zone()
	return iso8601.Time{Unix: now.Unix(), Offset: offset}
}
