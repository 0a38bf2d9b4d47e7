// Package device keeps the fence devices that are registered on this node:
// what they can do, whom they can fence, and the queue of actions of each.
//
// It starts nothing itself: Take hands out the agents to be run, and the
// fencer's loop comes back with Finished. It replaces the device part of
// daemons/fenced/fenced_commands.c.
package device

import (
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
)

// Metadata is what the fencer needs of an agent's description.
type Metadata struct {
	Actions            []Action
	Port, Plug, NodeID bool // parameters that it has
}

// Action is one that an agent can do.
type Action struct {
	Name      string
	Automatic bool // the cluster does it when a node joins (unfencing)
	OnTarget  bool // only the target itself can do it
}

// Device is one registered device. Owned by its Table.
type Device struct {
	ID, Agent, Namespace string
	Flags                wire.Flags
	Verified             bool // an action of list, monitor or status has succeeded

	params        []wire.Pair
	aliases       []wire.Pair // names of nodes and what the device calls them
	targets       []string
	targetsAt     time.Time // when an agent listed them
	automatic     bool
	onTarget      []string
	includeNodeID bool
	fromCIB, api  bool // who registered it
	dirty         bool // the CIB is being read again and has not named it yet

	pending []*command
	parked  []func(now time.Time) // wait for the description of the agent
	waiting bool                  // for it
}

// Param is the value of a parameter.
func (d *Device) Param(name string) (string, bool) {
	for _, p := range d.params {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

func (d *Device) setParam(name, value string) {
	for i := range d.params {
		if d.params[i].Name == name {
			d.params[i].Value = value
			return
		}
	}
	d.params = append(d.params, wire.Pair{Name: name, Value: value})
}

func (d *Device) alias(node string) (string, bool) {
	for _, p := range d.aliases {
		if strings.EqualFold(p.Name, node) {
			return p.Value, true
		}
	}
	return "", false
}

func (d *Device) watchdog() bool {
	return d.Agent == wire.WatchdogAgent || d.Agent == wire.WatchdogAgentInternal
}

// required says whether an action has to be done with this device whenever it
// is done at all (is_action_required).
func (d *Device) required(action string) bool { return d != nil && d.automatic && action == "on" }

// seconds reads an interval parameter.
func (d *Device) seconds(name string) int {
	v, _ := d.Param(name)
	ms, _ := iso8601.IntervalMS(v)
	return int(ms / 1000)
}

// delayMax is the longest random delay of an action (get_action_delay_max).
func (d *Device) delayMax(action string) int {
	if !wire.Fences(action) {
		return 0
	}
	return d.seconds("pcmk_delay_max")
}

// delayBase is the fixed delay: one for all, or of a map of nodes
// (get_action_delay_base).
func (d *Device) delayBase(action, target string, notes *note.List) int {
	v, ok := d.Param("pcmk_delay_base")
	if !ok || !wire.Fences(action) {
		return 0
	}
	if target != "" {
		for _, f := range strings.FieldsFunc(v, func(r rune) bool { return r == ';' || r == ' ' || r == '\t' }) {
			name, value, found := strings.Cut(f, ":")
			if found && value == "" {
				notes.Err("pcmk_delay_base: empty value in mapping %s", f)
			} else if found && name != "" && hasFoldPrefix(target, name) {
				notes.Debug("pcmk_delay_base mapped to %s for %s", value, target)
				v = value
				break
			}
		}
	}
	if strings.Contains(v, ":") {
		return 0
	}
	ms, _ := iso8601.IntervalMS(v)
	return int(ms / 1000)
}

func hasFoldPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// timeout is the time limit of an action; a reboot that the agent does not know
// is done as off (get_action_timeout).
func (d *Device) timeout(action string, other int) int {
	if action == "reboot" && !d.Flags.Has(wire.SupportsReboot) {
		action = "off"
	}
	if v, ok := d.Param("pcmk_" + action + "_timeout"); ok {
		n, _ := score.LeadingInt(v)
		return int(n)
	}
	return other
}

// limit is how many actions may run at a time, -1 for any number (get_action_limit).
func (d *Device) limit() int {
	v, _ := d.Param("pcmk_action_limit")
	n, ok := score.LeadingInt(strings.TrimSpace(v))
	if !ok || n == 0 {
		return 1
	}
	return int(n)
}

// hostCheck is how the device's targets are found out (target_list_type).
func (d *Device) hostCheck() string {
	if v, ok := d.Param("pcmk_host_check"); ok {
		return v
	}
	if _, ok := d.Param("pcmk_host_list"); ok {
		return "static-list"
	}
	if _, ok := d.Param("pcmk_host_map"); ok {
		return "static-list"
	}
	switch {
	case d.Flags.Has(wire.SupportsList):
		return "dynamic-list"
	case d.Flags.Has(wire.SupportsStatus):
		return "status"
	}
	return "none"
}

// describe takes over what the agent can do.
func (d *Device) describe(m *Metadata, standalone bool, notes *note.List) {
	for _, a := range m.Actions {
		switch a.Name {
		case "list":
			d.Flags |= wire.SupportsList
		case "status":
			d.Flags |= wire.SupportsStatus
		case "reboot":
			d.Flags |= wire.SupportsReboot
		case "on":
			d.automatic = d.automatic || a.Automatic
			d.Flags |= wire.SupportsOn
		}
		if a.Name != "" && a.OnTarget {
			d.onTarget = append(d.onTarget, a.Name)
		}
	}
	if m.Plug {
		d.Flags |= wire.ParameterPlug
	}
	if m.Port {
		d.Flags |= wire.ParameterPort
	}
	if _, set := d.Param("nodeid"); !set && !standalone {
		d.includeNodeID = m.NodeID
	}
	if d.automatic {
		notes.Info("Fencing device '%s' requires unfencing", d.ID)
	}
	if len(d.onTarget) > 0 {
		notes.Info("Fencing device '%s' requires actions (%s) to be executed on target", d.ID, strings.Join(d.onTarget, " "))
	}
}

// build makes a device of its registration (build_device_from_xml).
func build(r *wire.Registration, notes *note.List) *Device {
	d := &Device{ID: r.ID, Agent: r.Agent, Namespace: r.Namespace, automatic: strings.EqualFold(r.Provides, "unfencing")}
	d.params = cleanParams(r, notes)
	if v, ok := d.Param("pcmk_host_list"); ok {
		d.targets = ParseTargets(v)
	}
	if v, ok := d.Param("pcmk_host_map"); ok {
		var names []string
		d.aliases, names = parseMap(v, notes)
		d.targets = append(d.targets, names...)
	}
	if !strings.EqualFold(d.hostCheck(), "static-list") {
		d.targets = nil
	}
	return d
}

// cleanParams drops the parameter "action", which users of other software
// write (xml2device_params).
func cleanParams(r *wire.Registration, notes *note.List) []wire.Pair {
	d := Device{params: slices.Clone(r.Params)}
	v, ok := d.Param("action")
	if !ok {
		return d.params
	}
	notes.Warn("%s has 'action' parameter, which should never be specified in configuration", r.ID)
	switch v {
	case "":
		notes.Warn("Ignoring empty 'action' parameter")
	case "reboot":
		notes.Warn("Ignoring action='reboot' (see stonith-action cluster property instead)")
	case "off":
		d.mapAction("reboot", v, notes)
	default:
		d.mapAction("off", v, notes)
		d.mapAction("reboot", v, notes)
	}
	return slices.DeleteFunc(d.params, func(p wire.Pair) bool { return p.Name == "action" })
}

func (d *Device) mapAction(action, value string, notes *note.List) {
	key := "pcmk_" + action + "_action"
	if _, ok := d.Param(key); ok {
		notes.Warn("Ignoring action='%s', see %s instead", value, key)
		return
	}
	notes.Warn("Mapping action='%s' to %s='%s'", value, key, value)
	d.setParam(key, value)
}

// ParseTargets reads a list of nodes as users and agents write it: names apart
// by white space, commas, semicolons and \n in either form; lines with
// "invalid" or "variable" and the words on and off do not count
// (stonith__parse_targets).
func ParseTargets(s string) []string {
	var out []string
	for line := range strings.SplitSeq(strings.ReplaceAll(s, `\n`, "\n"), "\n") {
		if strings.Contains(line, "invalid") || strings.Contains(line, "variable") {
			continue
		}
		for _, f := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\v\f,;", r) }) {
			end := strings.IndexFunc(f, func(r rune) bool { return !nameRune(r) })
			if end >= 0 {
				f = f[:end]
			}
			if f != "" && !strings.EqualFold(f, "on") && !strings.EqualFold(f, "off") {
				out = append(out, f)
			}
		}
	}
	return out
}

func nameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.'
}

// parseMap reads pcmk_host_map: pairs with : or = between, apart by semicolons
// or blanks; a backslash takes the next character as it is (build_port_aliases).
// The second result are the device's names, which count as targets.
func parseMap(s string, notes *note.List) (pairs []wire.Pair, ports []string) {
	name, last := "", 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i < len(s) && s[i] == '\\':
			i++
		case i < len(s) && (s[i] == '=' || s[i] == ':'):
			if i > last {
				name = s[last:i]
			}
			last = i + 1
		case i >= len(s) || s[i] == ';' || s[i] == ' ' || s[i] == '\t':
			end := min(i, len(s))
			switch {
			case name != "":
				value := strings.ReplaceAll(s[min(last, end):end], `\`, "")
				notes.Debug("Adding alias '%s'='%s'", name, value)
				pairs, ports, name = append(pairs, wire.Pair{Name: name, Value: value}), append(ports, value), ""
			case end > last:
				notes.Debug("Parse error at offset %d near '%s'", end-last, s[last:])
			}
			last = i + 1
		}
	}
	if len(pairs) == 0 {
		notes.Info("No host mappings detected in '%s'", s)
	}
	return pairs, ports
}

// sameAs compares agent and parameters (device_has_duplicate); what the cluster
// adds to parameters does not count.
func (d *Device) sameAs(o *Device) bool {
	return strings.EqualFold(d.Agent, o.Agent) && d.covers(o) && o.covers(d)
}

func (d *Device) covers(o *Device) bool {
	for _, p := range d.params {
		if strings.HasPrefix(p.Name, "CRM_meta") || p.Name == "crm_feature_set" {
			continue
		}
		if v, ok := o.Param(p.Name); !ok || !strings.EqualFold(v, p.Value) {
			return false
		}
	}
	return true
}
