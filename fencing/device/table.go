package device

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// Run is an agent to be run. The answer is Finished with the same Token.
type Run struct {
	Token   int
	Device  string
	Agent   string
	Action  string // the name of the action for retries and logs
	Target  string
	Params  []wire.Pair
	Timeout time.Duration
	Retries int
}

// Done is the end of an action that a client or a peer asked for.
type Done struct {
	Reply *wire.ActionReply
	Peer  string // who asked, empty for a client
	All   bool   // everybody has to know
	Alone bool   // the fencer stands alone: its clients are notified
}

// Offered is the answer to a query.
type Offered struct {
	Context any
	Offer   wire.Offer
}

// Registered is the end of a registration.
type Registered struct {
	Context any
	RC      pcmk.RC
}

// Output is what the loop has to do, in this order.
type Output struct {
	Notes      note.List
	Describe   []string // agents whose metadata is needed: Described answers
	Registered []Registered
	Offers     []Offered
	Done       []Done
	Run        []Run
	Panic      bool // this node has to go down now: it is to be fenced by its watchdog
}

// Config says who we are.
type Config struct {
	Self       string
	Standalone bool
	Rand       *rand.Rand
	NodeID     func(node string) uint32
}

// Watchdog is the state of fencing by watchdog.
type Watchdog struct {
	Timeout time.Duration // 0: not used
	Targets []string      // empty: all nodes
}

// Covers says whether a node fences itself by its watchdog
// (node_does_watchdog_fencing).
func (w *Watchdog) Covers(node string) bool { return len(w.Targets) == 0 || hasFold(w.Targets, node) }

func hasFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(t string) bool { return strings.EqualFold(t, s) })
}

// agent is what is known of an agent's metadata.
type agent struct {
	meta    *Metadata // nil while unknown
	asked   bool
	retryAt time.Time
	wait    time.Duration
}

// Times between attempts to get the metadata of an agent that did not give any
// (get_agent_metadata_cb).
const (
	describeAgain    = 10 * time.Second
	describeAgainMax = 160 * time.Second
)

// Table holds the devices of this node. Owned by the fencer's loop.
type Table struct {
	Watchdog Watchdog

	cfg      Config
	devices  []*Device // in the order of registration
	agents   map[string]*agent
	commands []*command // all that are not finished
	lastRun  int
	out      Output
}

// New makes an empty table.
func New(cfg Config) *Table { return &Table{cfg: cfg, agents: map[string]*agent{}} }

// Take empties the output.
func (t *Table) Take() Output {
	o := t.out
	t.out = Output{}
	return o
}

// Len is the number of devices.
func (t *Table) Len() int { return len(t.devices) }

// Lookup finds a device, nil when there is none.
func (t *Table) Lookup(id string) *Device {
	for _, d := range t.devices {
		if d.ID == id {
			return d
		}
	}
	return nil
}

// RebootAction is what the device does when it is to reboot a target.
func (t *Table) RebootAction(id string) string {
	if d := t.Lookup(id); d != nil {
		if v, ok := d.Param("pcmk_reboot_action"); ok {
			return v
		}
	}
	return "reboot"
}

// SupportsOn says whether a device is known to support the action on.
func (t *Table) SupportsOn(id string) bool {
	d := t.Lookup(id)
	return d != nil && d.Flags.Has(wire.SupportsOn)
}

// Register adds a device or takes over its changes; Registered follows, with
// ctx, once its agent is known (stonith_device_register).
func (t *Table) Register(now time.Time, r *wire.Registration, fromCIB bool, ctx any) {
	if r == nil || r.Agent == "" {
		t.registered(ctx, wire.NoMemory) // what upstream says
		return
	}
	d := build(r, &t.out.Notes)
	if d.ID == wire.WatchdogID || d.watchdog() {
		if ok, rc := t.admitWatchdog(d, fromCIB); !ok {
			t.registered(ctx, rc)
			return
		}
	}
	old := t.Lookup(d.ID)
	if old != nil && old.sameAs(d) {
		t.out.Notes.Debug("Device '%s' already in device list (%d active device%s)", d.ID, len(t.devices), note.S(len(t.devices)))
		d, d.dirty = old, false
		d.dirty = false
	} else {
		t.put(now, d, old, fromCIB)
	}
	d.fromCIB = d.fromCIB || fromCIB
	d.api = d.api || !fromCIB
	t.whenDescribed(now, d, func(time.Time) { t.registered(ctx, pcmk.OK) })
}

func (t *Table) registered(ctx any, rc pcmk.RC) {
	t.out.Registered = append(t.out.Registered, Registered{ctx, rc})
}

// put makes d take the place of old, if there is one. What waits for the old
// one goes on with the new one only when the CIB replaces a client's device.
func (t *Table) put(now time.Time, d, old *Device, fromCIB bool) {
	if old == nil {
		t.devices = append(t.devices, d)
	} else {
		t.devices[slices.Index(t.devices, old)] = d
	}
	if old != nil && fromCIB && old.api {
		t.out.Notes.Info("Overwriting existing entry for %s from CIB", d.ID)
		d.pending, d.api, old.pending = old.pending, true, nil
	}
	t.out.Notes.Notice("Added '%s' to device list (%d active device%s)", d.ID, len(t.devices), note.S(len(t.devices)))
	t.learn(now, d)
	if old != nil {
		t.purge(now, old)
	}
}

// learn gives the device its agent's abilities, or asks for them.
func (t *Table) learn(now time.Time, d *Device) {
	if d.Agent == wire.WatchdogAgentInternal {
		return
	}
	a := t.agents[d.Agent]
	if a == nil {
		a = &agent{wait: describeAgain}
		t.agents[d.Agent] = a
	}
	if a.meta != nil {
		d.describe(a.meta, t.cfg.Standalone, &t.out.Notes)
		return
	}
	d.waiting = true
	if !a.asked {
		a.asked, a.retryAt = true, time.Time{}
		t.out.Describe = append(t.out.Describe, d.Agent)
	}
}

// whenDescribed runs f now or when the device's agent is known.
func (t *Table) whenDescribed(now time.Time, d *Device, f func(time.Time)) {
	if d.waiting {
		d.parked = append(d.parked, f)
		return
	}
	f(now)
}

// Described is the answer to Describe; nil metadata means that there is none,
// and the question comes again later.
func (t *Table) Described(now time.Time, name string, m *Metadata) {
	a := t.agents[name]
	if a == nil {
		return
	}
	a.asked = false
	if m == nil {
		t.out.Notes.Err("Could not retrieve metadata for fencing agent %s", name)
		a.retryAt = now.Add(a.wait)
		a.wait = min(2*a.wait, describeAgainMax)
	} else {
		a.meta, a.retryAt, a.wait = m, time.Time{}, describeAgain
	}
	for _, d := range slices.Clone(t.devices) {
		if d.Agent != name {
			continue
		}
		if m != nil && d.Flags == 0 {
			d.describe(m, t.cfg.Standalone, &t.out.Notes)
		}
		t.release(now, d)
	}
}

// release lets go on what waited for the agent's description.
func (t *Table) release(now time.Time, d *Device) {
	parked := d.parked
	d.waiting, d.parked = false, nil
	for _, f := range parked {
		f(now)
	}
	t.dispatch(now, d)
}

// Deadline is when Tick has to be called next, zero for never.
func (t *Table) Deadline() time.Time {
	var next time.Time
	soonest := func(at time.Time) {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, a := range t.agents {
		soonest(a.retryAt)
	}
	for _, c := range t.commands {
		soonest(c.delayed)
	}
	return next
}

// Tick does what is due.
func (t *Table) Tick(now time.Time) {
	for _, d := range t.devices {
		if a := t.agents[d.Agent]; a != nil && !a.retryAt.IsZero() && !a.retryAt.After(now) {
			a.asked, a.retryAt = true, time.Time{}
			t.out.Describe = append(t.out.Describe, d.Agent)
		}
	}
	for _, a := range t.agents { // of devices that are gone
		if !a.retryAt.IsZero() && !a.retryAt.After(now) {
			a.retryAt = time.Time{}
		}
	}
	for _, c := range slices.Clone(t.commands) {
		if !c.delayed.IsZero() && !c.delayed.After(now) {
			c.delayed = time.Time{}
			if d := t.Lookup(c.device); d != nil {
				t.dispatch(now, d)
			}
		}
	}
}

// admitWatchdog decides about the watchdog's device: it exists only on nodes
// that fence themselves, and with them alone as target.
func (t *Table) admitWatchdog(d *Device, fromCIB bool) (ok bool, rc pcmk.RC) {
	n := &t.out.Notes
	switch {
	case t.Watchdog.Timeout <= 0:
		n.Err("Ignoring watchdog fence device without stonith-watchdog-timeout set.")
		return false, wire.NoDevice
	case !d.watchdog():
		n.Err("Ignoring watchdog fence device with unknown agent '%s' unequal 'fence_watchdog'.", d.Agent)
		return false, wire.NoDevice
	case d.ID != wire.WatchdogID:
		n.Err("Ignoring watchdog fence device named %s !='watchdog'.", d.ID)
		return false, wire.NoDevice
	}
	if d.Agent == wire.WatchdogAgent {
		t.Watchdog.Targets, d.targets = d.targets, nil
	}
	if !t.Watchdog.Covers(t.cfg.Self) {
		n.Debug("Skip registration of watchdog fence device on node not in host-list.")
		t.Remove(time.Time{}, d.ID, fromCIB)
		return false, pcmk.OK
	}
	d.targets = ParseTargets(t.cfg.Self)
	d.setParam("pcmk_host_list", t.cfg.Self)
	return true, pcmk.OK
}

// Remove ends a registration; the device stays while the other side has it
// registered too (stonith_device_remove).
func (t *Table) Remove(now time.Time, id string, fromCIB bool) {
	d := t.Lookup(id)
	if d == nil {
		t.out.Notes.Info("Device '%s' not found (%d active device%s)", id, len(t.devices), note.S(len(t.devices)))
		return
	}
	if fromCIB {
		d.fromCIB = false
	} else {
		d.Verified, d.api = false, false
	}
	if !d.fromCIB && !d.api {
		t.drop(now, d)
		t.out.Notes.Info("Removed '%s' from device list (%d active device%s)", id, len(t.devices), note.S(len(t.devices)))
	}
}

// Refresh registers what the CIB has and drops what it has no more.
func (t *Table) Refresh(now time.Time, regs []*wire.Registration) {
	for _, d := range t.devices {
		d.dirty = d.fromCIB
	}
	t.Watchdog.Targets = nil
	for _, r := range regs {
		t.Register(now, r, true, nil)
	}
	for _, d := range slices.Clone(t.devices) {
		if d.dirty {
			t.drop(now, d)
		}
	}
}

// RefreshWatchdog registers the watchdog's own device, or removes it
// (watchdog_device_update).
func (t *Table) RefreshWatchdog(now time.Time) {
	if t.Watchdog.Timeout <= 0 {
		if t.Lookup(wire.WatchdogID) != nil {
			t.Remove(now, wire.WatchdogID, true)
		}
		return
	}
	if t.Lookup(wire.WatchdogID) == nil && len(t.Watchdog.Targets) == 0 {
		t.Register(now, &wire.Registration{ID: wire.WatchdogID, Namespace: "internal", Agent: wire.WatchdogAgent}, true, nil)
	}
}

func (t *Table) drop(now time.Time, d *Device) {
	t.devices = slices.DeleteFunc(t.devices, func(o *Device) bool { return o == d })
	t.purge(now, d)
}

// purge ends what waits for a device that is gone (free_device).
func (t *Table) purge(now time.Time, d *Device) {
	pending, parked := d.pending, d.parked
	d.pending, d.parked, d.waiting = nil, nil, false
	for _, f := range parked {
		f(now)
	}
	for _, c := range pending {
		t.out.Notes.Warn("Removal of device '%s' purged operation '%s'", d.ID, c.action)
		t.finish(now, c, wire.Failure(pcmk.ExitError, pcmk.ExecNoFenceDevice, "Device was removed before action could be executed"), 0)
	}
}
