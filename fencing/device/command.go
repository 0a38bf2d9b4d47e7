package device

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/score"
)

// command is an action on its way (async_command_t).
type command struct {
	call            int
	opts            wire.Options
	op, peer        string
	client, name    string
	remoteOp        string
	target, action  string
	device          string
	nodeID          uint32
	standard, limit int // seconds: the requested time limit, and that of the device
	delay           int // seconds; below 0 forbids delays
	delayed         time.Time
	next            []string // devices to try after this one
	active          *Device  // the one that is at work
	token           int
	internal        func(now time.Time, r wire.Result) // of our own actions
}

// newCommand reads a request (create_async_command).
func (t *Table) newCommand(m *wire.Message) *command {
	if m.Action == nil || m.Op == "" || m.Client == "" {
		return nil
	}
	c := &command{
		call: m.CallNo(), opts: m.Options, op: m.Op, peer: m.Peer, client: m.Client, name: m.Name, remoteOp: m.RemoteOp,
		target: m.Action.Target, action: m.Action.Action, device: m.Action.Device, standard: m.Timeout, limit: m.Timeout, delay: m.Delay,
	}
	t.commands = append(t.commands, c)
	return c
}

// Execute runs an action of a device for a client. ok is false when the result
// is known at once (execute_agent_action).
func (t *Table) Execute(now time.Time, m *wire.Message) (r wire.Result, ok bool) {
	if m.Device == nil || m.Device.ID == "" || m.Action == nil || m.Action.Action == "" {
		t.out.Notes.Info("Malformed API action request")
		return wire.ProtocolError(), false
	}
	id, action := m.Device.ID, m.Action.Action
	if id == wire.WatchdogID {
		switch {
		case t.Watchdog.Timeout <= 0:
			return wire.Failure(pcmk.ExitError, pcmk.ExecNoFenceDevice, "Watchdog fence device not configured"), false
		case action == "list":
			r = wire.Done()
			for _, node := range t.Watchdog.Targets {
				r.Output += node + "\n"
			}
			return r, false
		case action == "monitor":
			return wire.Done(), false
		}
	}
	d := t.Lookup(id)
	switch {
	case d == nil:
		t.out.Notes.Info("Ignoring API '%s' action request because device %s not found", action, id)
		return wire.Failure(pcmk.ExitError, pcmk.ExecNoFenceDevice, "'"+id+"' not found"), false
	case !d.api && action == "monitor":
		// Monitors run only on devices that were started.
		t.out.Notes.Info("Ignoring API '%s' action request because device %s not active", action, id)
		return wire.Failure(pcmk.ExitError, pcmk.ExecNoFenceDevice, "'"+id+"' not active"), false
	}
	c := t.newCommand(m)
	if c == nil {
		return wire.ProtocolError(), false
	}
	t.schedule(now, c, d)
	return wire.Result{}, true
}

// Fence does what a peer, or a client of a fencer that stands alone, asks for
// (fence_locally).
func (t *Table) Fence(now time.Time, m *wire.Message, nodeName func(id string) string) (r wire.Result, ok bool) {
	c := t.newCommand(m)
	if c == nil || m.Target == nil {
		return wire.ProtocolError(), false
	}
	if id := m.Target.Device; id != "" {
		d := t.Lookup(id)
		if d == nil {
			t.out.Notes.Err("Requested device '%s' is not available", id)
			t.forget(c)
			return wire.Failure(pcmk.ExitError, pcmk.ExecNoFenceDevice, "Requested device '"+id+"' not found"), false
		}
		t.schedule(now, c, d)
		return wire.Result{}, true
	}
	host := m.Target.Target
	if c.opts.Has(wire.TargetIsNodeID) {
		host = note.Or(nodeName(host), host)
	}
	// Whoever gets here may fence himself.
	t.search(now, &search{target: host, action: c.action, timeout: c.standard, self: true, needs: wire.Needed(c.action),
		done: func(now time.Time, ids []string) { t.fenceWith(now, c, ids) }})
	return wire.Result{}, true
}

func (t *Table) fenceWith(now time.Time, c *command, ids []string) {
	t.out.Notes.Info("Found %d matching device%s for target '%s'", len(ids), note.S(len(ids)), c.target)
	var d *Device
	if len(ids) > 0 {
		d = t.Lookup(ids[0])
	}
	if d == nil {
		t.reply(c, wire.Failure(pcmk.ExitError, pcmk.ExecNoFenceDevice, "No device configured for target '"+c.target+"'"), 0, false)
		t.forget(c)
		return
	}
	c.next = ids[1:]
	t.schedule(now, c, d)
}

// inner runs an action of our own (schedule_internal_command).
func (t *Table) inner(now time.Time, d *Device, action, target string, timeout int, done func(time.Time, wire.Result)) {
	if timeout == 0 {
		timeout = 60
	}
	const name = "pacemaker-fenced"
	c := &command{call: -1, standard: timeout, limit: timeout, action: action, target: target, peer: name, client: name, name: name, internal: done}
	t.commands = append(t.commands, c)
	t.schedule(now, c, d)
}

// schedule puts a command into the queue of a device, delayed if the device or
// the request says so (schedule_stonith_command).
func (t *Table) schedule(now time.Time, c *command, d *Device) {
	c.device = d.ID
	if d.includeNodeID && c.target != "" && t.cfg.NodeID != nil {
		c.nodeID = t.cfg.NodeID(c.target)
	}
	c.limit = d.timeout(c.action, c.standard)
	targeting := note.Sandwich(" targeting ", c.target, "")
	if c.remoteOp != "" {
		t.out.Notes.Debug("Scheduling '%s' action%s using %s for remote peer %s with op id %s and timeout %ds",
			c.action, targeting, d.ID, c.peer, note.Short(c.remoteOp), c.limit)
	} else {
		t.out.Notes.Debug("Scheduling '%s' action%s using %s for %s with timeout %ds", c.action, targeting, d.ID, c.client, c.limit)
	}
	d.pending = append(d.pending, c)
	if requested := c.delay; requested >= 0 {
		t.delay(now, c, d, requested)
	}
	t.dispatch(now, d)
}

func (t *Table) delay(now time.Time, c *command, d *Device, requested int) {
	base, most := d.delayBase(c.action, c.target, &t.out.Notes), d.delayMax(c.action)
	if most == 0 {
		most = base
	}
	if most < base {
		t.out.Notes.Warn("pcmk_delay_base (%ds) is larger than pcmk_delay_max (%ds) for %s using %s (limiting to maximum delay)", base, most, c.action, d.ID)
		base = most
	}
	if most > 0 {
		c.delay += base
		if most != base {
			c.delay += t.cfg.Rand.IntN(most - base)
		}
	}
	if c.delay > 0 {
		t.out.Notes.Notice("Delaying '%s' action%s using %s for %ds | timeout=%ds requested_delay=%ds base=%ds max=%ds",
			c.action, note.Sandwich(" targeting ", c.target, ""), d.ID, c.delay, c.limit, requested, base, most)
		c.delayed = now.Add(time.Duration(c.delay) * time.Second)
	}
}

func (t *Table) active(d *Device) int {
	n := 0
	for _, c := range t.commands {
		if c.active == d {
			n++
		}
	}
	return n
}

// dispatch starts what the device's limit allows (stonith_device_execute).
func (t *Table) dispatch(now time.Time, d *Device) {
	for !d.waiting {
		if l := d.limit(); l > -1 && t.active(d) >= l {
			return
		}
		i := slices.IndexFunc(d.pending, func(c *command) bool { return c.delayed.IsZero() })
		if i < 0 {
			return
		}
		c := d.pending[i]
		d.pending = slices.Delete(d.pending, i, i+1)
		if !d.watchdog() {
			t.start(c, d)
			continue
		}
		if !wire.Fences(c.action) {
			t.out.Notes.Info("Faking success for %s watchdog operation", c.action)
			t.finish(now, c, wire.Done(), 0)
		} else if t.Watchdog.Covers(t.cfg.Self) {
			t.out.Panic = true
			return
		} else {
			t.start(c, d)
		}
	}
}

// start hands a command out to be run.
func (t *Table) start(c *command, d *Device) {
	action := c.action
	if action == "reboot" && !d.Flags.Has(wire.SupportsReboot) {
		t.out.Notes.Notice("Remapping 'reboot' action%s using %s to 'off' because agent '%s' does not support reboot",
			note.Sandwich(" targeting ", c.target, ""), d.ID, d.Agent)
		action = "off"
	}
	t.lastRun++
	c.token, c.active = t.lastRun, d
	retries := 2 // FAILURE_MAX_RETRIES
	if v, ok := d.Param("pcmk_" + action + "_retries"); ok {
		n, _ := score.LeadingInt(v)
		retries = int(n)
	}
	t.out.Run = append(t.out.Run, Run{
		Token: c.token, Device: d.ID, Agent: d.Agent, Action: action, Target: c.target, Params: d.args(action, c, &t.out.Notes),
		Timeout: time.Duration(c.limit) * time.Second, Retries: retries,
	})
}

// args are the parameters of an agent for an action (make_args).
func (d *Device) args(action string, c *command, notes *note.List) []wire.Pair {
	host := ""
	if d.Flags.Has(wire.ParameterPort) {
		host = "port"
	} else if d.Flags.Has(wire.ParameterPlug) {
		host = "plug"
	}
	if c.target != "" && c.nodeID != 0 {
		notes.Info("Passing '%d' as nodeid with fence action '%s' targeting %s", c.nodeID, action, c.target)
	}
	alias, ok := d.alias(c.target)
	if !ok {
		alias = c.target
	}
	return Args(d.Agent, action, c.target, alias, c.nodeID, d.params, host)
}

// Args are the parameters of an agent for an action on a target, which the
// device calls by alias (make_args). hostArg is the parameter that the agent's
// description has for it, empty for "port".
func Args(agent, action, target, alias string, nodeID uint32, params []wire.Pair, hostArg string) []wire.Pair {
	d := Device{params: params}
	name := action
	if v, ok := d.Param("pcmk_" + action + "_action"); ok {
		name = v
	}
	out := []wire.Pair{{Name: "action", Value: name}}
	put := func(name, value string) {
		for i := range out {
			if out[i].Name == name {
				out[i].Value = value
				return
			}
		}
		out = append(out, wire.Pair{Name: name, Value: value})
	}
	if target != "" {
		put("nodename", target)
		if nodeID != 0 {
			put("nodeid", strconv.FormatUint(uint64(nodeID), 10))
		}
		param, ok := d.Param("pcmk_host_argument")
		if agent != "fence_legacy" && !strings.EqualFold(param, "none") {
			if !ok {
				param = note.Or(hostArg, "port")
			}
			if v, ok := d.Param(param); !ok || strings.EqualFold(v, "dynamic") {
				put(param, alias)
			}
		}
	}
	dynamic := len(out)
	for _, p := range params {
		if forAgent(p.Name) && !(strings.EqualFold(p.Value, "dynamic") && has(out[:dynamic], p.Name)) {
			put(p.Name, p.Value)
		}
	}
	return out
}

func has(l []wire.Pair, name string) bool {
	return slices.ContainsFunc(l, func(p wire.Pair) bool { return p.Name == name })
}

// forAgent says whether an agent gets a parameter: not the cluster's own.
func forAgent(name string) bool {
	return !strings.EqualFold(name, "action") && !ClusterParam(name) && !strings.Contains(name, "CRM_meta") &&
		!strings.EqualFold(name, "crm_feature_set")
}

// ClusterParam says whether a parameter is one that Pacemaker itself handles
// (pcmk_stonith_param).
func ClusterParam(name string) bool {
	switch name {
	case "provides", "stonith-timeout", "pcmk_action_limit", "pcmk_delay_base", "pcmk_delay_max", "pcmk_host_argument",
		"pcmk_host_check", "pcmk_host_list", "pcmk_host_map":
		return true
	}
	rest, ok := strings.CutPrefix(name, "pcmk_")
	if !ok {
		return false
	}
	i := strings.IndexByte(rest, '_')
	return i >= 0 && (rest[i:] == "_action" || rest[i:] == "_timeout" || rest[i:] == "_retries")
}

// Finished is the end of a Run.
func (t *Table) Finished(now time.Time, token int, r wire.Result, pid int) {
	for _, c := range t.commands {
		if c.token == token && c.active != nil {
			t.finish(now, c, r, pid)
			return
		}
	}
}

func (t *Table) forget(c *command) {
	t.commands = slices.DeleteFunc(t.commands, func(o *command) bool { return o == c })
}

// finish takes a result of a command: it ends it, or goes on with the next
// device (st_child_done).
func (t *Table) finish(now time.Time, c *command, r wire.Result, pid int) {
	d := t.Lookup(c.device)
	c.active = nil
	if c.internal != nil {
		t.forget(c)
		c.internal(now, r)
		if d != nil {
			t.dispatch(now, d)
		}
		return
	}
	if d != nil && !d.Verified && r.OK() {
		switch strings.ToLower(c.action) {
		case "list", "monitor", "status":
			d.Verified = true
		}
	}
	next := t.nextDevice(c, d, r)
	if next == nil {
		t.reply(c, r, pid, false)
		if r.OK() {
			t.replyToDuplicates(c, r, pid)
		}
		t.forget(c)
	} else {
		t.logResult(c, r, pid, next.ID, false)
		t.schedule(now, c, next)
	}
	if d != nil {
		t.dispatch(now, d)
	}
}

// nextDevice is the one to go on with: after a success one that is required,
// after a failure any other, unless the failed one was required.
func (t *Table) nextDevice(c *command, d *Device, r wire.Result) *Device {
	if r.OK() {
		for i, id := range c.next {
			if n := t.Lookup(id); n.required(c.action) {
				c.next = c.next[i+1:]
				return n
			}
		}
		return nil
	}
	if len(c.next) == 0 || d.required(c.action) {
		return nil
	}
	n := t.Lookup(c.next[0])
	c.next = c.next[1:]
	return n
}

// replyToDuplicates ends identical actions of others with the same result.
func (t *Table) replyToDuplicates(c *command, r wire.Result, pid int) {
	for _, o := range slices.Clone(t.commands) {
		if o == c || strings.EqualFold(o.client, c.client) || !strings.EqualFold(o.target, c.target) || o.action != c.action ||
			!strings.EqualFold(o.device, c.device) || o.internal != nil || o.active != nil {
			continue
		}
		t.out.Notes.Notice("Merging fencing action '%s'%s originating from client %s with identical fencing request from client %s",
			o.action, note.Sandwich(" targeting ", o.target, ""), o.name, c.name)
		t.forget(o)
		t.reply(o, r, pid, true)
		if d := t.Lookup(o.device); d != nil {
			d.pending = slices.DeleteFunc(d.pending, func(p *command) bool { return p == o })
		}
	}
}

// reply sends the result to who asked, or to all when the target itself asked
// and may be gone (send_async_reply).
func (t *Table) reply(c *command, r wire.Result, pid int, merged bool) {
	t.logResult(c, r, pid, "", merged)
	a := &wire.ActionReply{
		Op: c.op, Device: c.device, ID: c.remoteOp, Client: c.client, Name: c.name, Target: c.target, Origin: c.peer,
		Call: c.call, Options: c.opts, Result: r, Merged: merged,
	}
	a.Cast = !t.cfg.Standalone && wire.Fences(c.action) && strings.EqualFold(c.peer, c.target)
	t.out.Done = append(t.out.Done, Done{Reply: a, Peer: c.peer, All: a.Cast, Alone: t.cfg.Standalone})
}

// logResult is log_async_result.
func (t *Table) logResult(c *command, r wire.Result, pid int, next string, merged bool) {
	level := note.Notice
	switch {
	case r.OK() && c.target == "":
		level = note.Debug
	case !r.OK() && c.target != "":
		level = note.Error
	}
	var b strings.Builder
	b.WriteString("Operation '" + c.action + "' ")
	if pid != 0 {
		b.WriteString("[" + strconv.Itoa(pid) + "] ")
	}
	b.WriteString(note.Sandwich("targeting ", c.target, " "))
	b.WriteString(note.Sandwich("using ", c.device, " "))
	if r.Status == pcmk.ExecDone {
		b.WriteString("returned " + strconv.Itoa(r.Exit))
	} else {
		b.WriteString("could not be executed: " + r.Status.String())
	}
	b.WriteString(note.Sandwich(" (", r.Reason, ")"))
	if !r.OK() {
		b.WriteString(note.Sandwich(", retrying with ", next, ""))
	}
	if n := len(c.next); n > 0 {
		b.WriteString(" (" + strconv.Itoa(n) + " device" + note.S(n) + " remaining)")
	}
	b.WriteString(" | ")
	if merged {
		b.WriteString("merged ")
	}
	b.WriteString("call " + strconv.Itoa(c.call) + " from " + c.name)
	t.out.Notes.Add(level, "%s", b.String())
	outLevel := note.Warning
	if r.OK() {
		outLevel = note.Debug
	}
	for line := range strings.Lines(r.Output) {
		t.out.Notes.Add(outLevel, "%s[%d] [ %s ]", c.device, pid, strings.TrimRight(line, "\n"))
	}
}
