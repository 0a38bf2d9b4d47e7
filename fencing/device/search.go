package device

import (
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// listAge is how long the list of targets that an agent gave is good.
const listAge = 60 * time.Second

// search finds the devices that can do an action (struct device_search_s). Its
// answer comes when each device that was there at the beginning has been looked
// at, which may need an agent.
type search struct {
	target, action string
	timeout        int
	self           bool // this node may act on itself
	needs          wire.Flags
	left           int
	found          []string
	done           func(now time.Time, ids []string)
}

// Query finds out what this node can offer; Offered follows with ctx.
func (t *Table) Query(now time.Time, m *wire.Message, ctx any) {
	target, action := "", ""
	if m.Action != nil {
		target, action = m.Action.Target, m.Action.Action
	}
	s := &search{target: target, action: action, timeout: m.Timeout, self: m.Options.Has(wire.AllowSuicide)}
	s.done = func(_ time.Time, ids []string) {
		o := t.offer(ids, target, action, s.self)
		t.out.Offers = append(t.out.Offers, Offered{ctx, o})
	}
	t.search(now, s)
}

func (t *Table) search(now time.Time, s *search) {
	if len(t.devices) == 0 {
		s.done(now, nil)
		return
	}
	s.left = len(t.devices)
	t.out.Notes.Debug("Searching %d device%s to see which can execute '%s' targeting %s", s.left, note.S(s.left),
		note.Or(s.action, "unknown action"), note.Or(s.target, "any node"))
	for _, d := range append([]*Device(nil), t.devices...) {
		t.whenDescribed(now, d, func(now time.Time) { t.check(now, s, d) })
	}
}

// record takes what was found out of one device.
func (t *Table) record(now time.Time, s *search, id string, can bool) {
	s.left--
	if can {
		if d := t.Lookup(id); s.needs == 0 || d == nil || d.Flags.Has(s.needs) {
			s.found = append(s.found, id)
		}
	}
	if s.left == 0 {
		t.out.Notes.Debug("Search found %d device%s that can perform '%s' targeting %s", len(s.found), note.S(len(s.found)),
			note.Or(s.action, "unknown action"), note.Or(s.target, "any node"))
		s.done(now, s.found)
	}
}

// eligible says whether this node may do the action (localhost_is_eligible).
func (t *Table) eligible(d *Device, action, target string, self bool) bool {
	local := strings.EqualFold(target, t.cfg.Self)
	if action != "" && strings.Contains(strings.Join(d.onTarget, " "), action) {
		return local
	}
	return !local || self
}

// eligibleSomehow counts the halves of a reboot, too.
func (t *Table) eligibleSomehow(d *Device, action, target string, self bool) bool {
	return t.eligible(d, action, target, self) ||
		action == "reboot" && (t.eligible(d, "off", target, self) || t.eligible(d, "on", target, false))
}

// check looks at one device (can_fence_host_with_device).
func (t *Table) check(now time.Time, s *search, d *Device) {
	alias, hasAlias := d.alias(s.target)
	kind := d.hostCheck()
	can := false
	switch {
	case s.target == "":
		can, kind = true, "No target"
	case s.action == "on" && !d.Flags.Has(wire.SupportsOn):
		kind = "Agent does not support 'on'"
	case !t.eligibleSomehow(d, s.action, s.target, s.self):
		kind = "This node is not allowed to execute action"
	case strings.EqualFold(kind, "none"):
		can = true
	case strings.EqualFold(kind, "static-list"):
		can = hasFold(d.targets, s.target) || hasAlias
	case strings.EqualFold(kind, "dynamic-list"):
		if d.targets == nil || d.targetsAt.Add(listAge).Before(now) {
			t.warnTimeout(d, "list", s.timeout)
			t.inner(now, d, "list", "", s.timeout, func(now time.Time, r wire.Result) { t.listed(now, s, d, r) })
			return
		}
		can = d.lists(s.target)
	case strings.EqualFold(kind, "status"):
		t.warnTimeout(d, "status", s.timeout)
		t.inner(now, d, "status", s.target, s.timeout, func(now time.Time, r wire.Result) { t.statusKnown(now, s, d, r) })
		return
	default:
		t.out.Notes.Err("Invalid value for pcmk_host_check: %s", kind)
		kind = "Invalid pcmk_host_check"
	}
	t.out.Notes.Info("%s is%s eligible to fence (%s) %s%s: %s", d.ID, unless(can, " not"), note.Or(s.action, "unspecified action"),
		note.Or(s.target, "unspecified target"), note.Sandwich(" (as '", alias, "')"), kind)
	t.record(now, s, d.ID, can)
}

func unless(ok bool, s string) string {
	if ok {
		return ""
	}
	return s
}

func (t *Table) warnTimeout(d *Device, action string, timeout int) {
	if own := d.timeout(action, timeout); own > timeout {
		t.out.Notes.Notice("Since the pcmk_%s_timeout(%ds) parameter of %s is larger than stonith-timeout(%ds), timeout may occur",
			action, own, d.ID, timeout)
	}
}

// lists says whether a target, by the device's name for it, is in the list.
func (d *Device) lists(target string) bool {
	if alias, ok := d.alias(target); ok {
		target = alias
	}
	return hasFold(d.targets, target)
}

// listed takes the answer of an agent to list (dynamic_list_search_cb).
func (t *Table) listed(now time.Time, s *search, old *Device, r wire.Result) {
	d := t.Lookup(old.ID)
	if d == nil {
		t.record(now, s, "", false)
		return
	}
	why := "could not be executed: " + r.Text()
	if r.Status == pcmk.ExecDone {
		why = "returned error code " + itoa(r.Exit)
	}
	switch {
	case r.OK():
		t.out.Notes.Info("Refreshing target list for %s", d.ID)
		d.targets, d.targetsAt = ParseTargets(r.Output), now
	case d.targets != nil:
		t.out.Notes.Info("Reusing most recent target list for %s because list %s", d.ID, why)
	default:
		t.out.Notes.Warn("Assuming %s cannot fence %s because list %s", d.ID, s.target, why)
		if _, set := d.Param("pcmk_host_check"); !set {
			t.out.Notes.Notice("Switching to pcmk_host_check='status' for %s", d.ID)
			d.setParam("pcmk_host_check", "status")
		}
	}
	t.record(now, s, d.ID, d.lists(s.target))
}

// Exit statuses of an agent's status action.
const (
	statusActive   = 0
	statusUnknown  = 1
	statusInactive = 2
)

// statusKnown takes the answer of an agent to status (status_search_cb).
func (t *Table) statusKnown(now time.Time, s *search, old *Device, r wire.Result) {
	d := t.Lookup(old.ID)
	if d == nil {
		t.record(now, s, "", false)
		return
	}
	can := false
	switch {
	case r.Status != pcmk.ExecDone:
		t.out.Notes.Warn("Assuming %s cannot fence %s because status could not be executed: %s", d.ID, s.target, r.Text())
	case r.Exit == statusActive || r.Exit == statusInactive:
		can = true
	case r.Exit != statusUnknown:
		t.out.Notes.Warn("Assuming %s cannot fence %s (status returned unknown code %d)", d.ID, s.target, r.Exit)
	}
	t.record(now, s, d.ID, can)
}

// offer describes the devices that were found (stonith_query_capable_device_cb).
func (t *Table) offer(ids []string, target, action string, self bool) wire.Offer {
	o := wire.Offer{Target: target, Reboot: action == "reboot"}
	for _, id := range ids {
		d := t.Lookup(id)
		if d == nil {
			continue // removed meanwhile
		}
		e := wire.Offered{ID: d.ID, Namespace: d.Namespace, Agent: d.Agent, Verified: d.Verified, Flags: d.Flags, Params: d.params}
		main := action
		if action == "reboot" && !d.Flags.Has(wire.SupportsReboot) {
			main = "off"
		}
		e.Phase[wire.Requested] = t.phase(d, main, target, self)
		if o.Reboot {
			e.Phase[wire.PhaseOff] = t.phase(d, "off", target, self)
			e.Phase[wire.PhaseOn] = t.phase(d, "on", target, false)
		}
		o.Devices = append(o.Devices, e)
	}
	o.Count = len(o.Devices)
	if target != "" {
		t.out.Notes.Debug("Found %d matching device%s for target '%s'", o.Count, note.S(o.Count), target)
	} else {
		t.out.Notes.Debug("%d device%s installed", o.Count, note.S(o.Count))
	}
	return o
}

func (t *Table) phase(d *Device, action, target string, self bool) wire.PhaseInfo {
	var quiet note.List
	return wire.PhaseInfo{
		Required: d.required(action), Timeout: d.timeout(action, 0), DelayMax: d.delayMax(action),
		DelayBase: d.delayBase(action, target, &quiet), Disallowed: !t.eligible(d, action, target, self),
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
