package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// Reload is the outcome of reading the file again on a running daemon: Prepare makes
// it, outside of the loop; Commit puts it into the live map. Between the two
// nothing has changed, so a refused file leaves no trace. Immutable.
type Reload struct {
	// Notices and Warnings are for the log, at these levels, in order.
	Notices, Warnings []string
	// Errors are for the log, at level error: why the file is refused, and the
	// lines that it is about. Config is nil then.
	Errors []string
	// Config is the new configuration; nil: refused.
	Config *Config
	// CryptoChanged: packets are to be protected another way.
	CryptoChanged bool

	temp    *cmap.Map
	remarks func(*Error) []string
}

// reloaded are the parts of the map whose keys a reload deletes when the file
// does not have them any more (cfg.c: remove_deleted_entries).
var reloaded = [...]string{"logging.", "totem.", "nodelist.", "quorum.", "uidgid.config.", "nozzle."}

// Fixed copies the keys of the live map that a reload must not change; Prepare
// compares with them.
func Fixed(live *cmap.Map) *cmap.Map {
	out := cmap.NewMap()
	for _, o := range Options() {
		if v, ok := live.Get(o.Key); ok && o.change == fixed {
			_ = out.Set(o.Key, v)
		}
	}
	for key, v := range live.All("totem.interface.") {
		_ = out.Set(key, v)
	}
	return out
}

// Prepare parses the file and checks it against the running configuration
// (exec/cfg.c: message_handler_req_exec_cfg_reload_config). kept is what Fixed
// returned. It may block and touches no shared state.
func Prepare(env Env, file string, kept *cmap.Map, prev *Config) *Reload {
	r := &Reload{remarks: func(e *Error) []string { return Remarks(env, file, e) }}
	temp, err := Parse(env, file)
	if err != nil {
		r.Errors = []string{"Unable to reload config file: " + err.Error()}
		return r.see(err.(*Error))
	}
	r.temp = temp
	r.keepFixed(kept, prev)
	d := &deriver{m: temp, env: env, c: prev.restart()}
	if text := d.readInterfaces(true); text != "" {
		return r.refuse("Cannot configure new interface definitions: "+text, d.fault)
	}
	d.keepLinks(prev)
	if text := d.placeNodes(); text != "" {
		return r.refuse("Cannot configure new interface definitions: "+text, d.fault)
	}
	pos, found := d.findLocal()
	d.c.localPos = noPos
	if found {
		d.c.localPos = pos
	}
	d.bindToNodelist()
	d.localAddresses(pos)
	if r.Errors = d.changedAddresses(prev); r.Errors != nil {
		return r.refuse("Cannot configure new interface definitions: To reconfigure an interface it must be deleted and "+
			"recreated. A working interface needs to be available to corosync at all times", d.fault)
	}
	if text := readCrypto(temp, env, &d.c.Crypto, &d.fault); text != "" {
		return r.refuse("Crypto configuration is not valid: "+text, d.fault)
	}
	d.num = computeNumbers(temp, len(d.c.Links[0].Members))
	if text := d.validateReload(); text != "" {
		return r.refuse("Configuration is not valid: "+inConfig(text), d.fault)
	}
	d.num.publish(temp)
	d.pingTimers()
	d.finish()
	r.Warnings = Meaningless(env, file)
	r.Config, r.CryptoChanged = d.c, d.c.Crypto != prev.Crypto
	return r
}

// Keys are the new keys; nil: the file is refused.
func (r *Reload) Keys() *cmap.Map { return r.temp }

func (r *Reload) refuse(text string, f fault) *Reload {
	r.Errors = append(r.Errors, text)
	return r.see(&Error{Text: text, Keys: f.keys, Hint: f.hint})
}

// see adds where in the file the refusal comes from.
func (r *Reload) see(refusal *Error) *Reload {
	r.Errors = append(r.Errors, r.remarks(refusal)...)
	r.Config, r.temp = nil, nil
	return r
}

// restart is a configuration that has of c only what a reload keeps.
func (c *Config) restart() *Config {
	return &Config{Transport: c.Transport, NodeID: c.NodeID, NetMTU: c.NetMTU, LinkMode: c.LinkMode, DSCP: c.DSCP,
		ipVersion: c.ipVersion, clearHigh: c.clearHigh, broadcast: c.broadcast, version: c.version}
}

// keepFixed puts the running values of options that a reload cannot change into
// the new keys, with a notice where the file wants another one.
func (r *Reload) keepFixed(kept *cmap.Map, prev *Config) {
	keep := func(key string, ofLink bool) {
		old, was := kept.Get(key)
		now, is := r.temp.Get(key)
		if was == is && old == now {
			return
		}
		if is || !ofLink { // the daemon has written some keys of links itself
			r.Notices = append(r.Notices, fmt.Sprintf("Modified entry '%s' in corosync.conf cannot be changed at run-time", key))
		}
		if was {
			_ = r.temp.Set(key, old)
		} else {
			_ = r.temp.Delete(key)
		}
	}
	var stays [MaxLinks]bool // links that the new nodelist still has
	for key := range r.temp.All("nodelist.node.") {
		if _, leaf, ok := nodeKey(key); ok {
			if link, isRing := ringAddr(leaf); isRing && link < MaxLinks {
				stays[link] = true
			}
		}
	}
	for _, o := range Options() {
		if o.change != fixed {
			continue
		}
		name, ofLink := strings.CutPrefix(o.Key, "totem.interface.N.")
		if !ofLink {
			keep(o.Key, false)
			continue
		}
		for i, l := range prev.Links {
			if l.Configured && stays[i] {
				keep(fmt.Sprintf("totem.interface.%d.%s", i, name), true)
			}
		}
	}
}

// keepLinks gives links that exist already what only a restart can change.
func (d *deriver) keepLinks(prev *Config) {
	for i := range d.c.Links {
		l, old := &d.c.Links[i], &prev.Links[i]
		if !old.Configured {
			continue
		}
		l.BindNet, l.Mcast, l.Port, l.TTL = old.BindNet, old.Mcast, old.Port, old.TTL
		if !l.Configured {
			l.Priority, l.PingPrecision, l.PongCount, l.SCTP = 1, 2048, 2, old.SCTP
		}
		l.Configured = false // until a node is on it
	}
}

// changedAddresses objects to links that would have to move (totemconfig.c:
// check_things_have_not_changed).
func (d *deriver) changedAddresses(prev *Config) []string {
	var out []string
	for i := range d.c.Links {
		l, old := &d.c.Links[i], &prev.Links[i]
		if !l.Configured || !old.Configured {
			continue
		}
		if l.SCTP != old.SCTP {
			out = append(out, fmt.Sprintf("New config has different knet transport for link %d. Internal value was NOT changed.", i))
		}
		for _, m := range l.Members {
			k := slices.IndexFunc(old.Members, func(o Member) bool { return o.NodeID == m.NodeID })
			if k >= 0 && old.Members[k].Addr != m.Addr {
				d.keys = append(d.keys, d.ringOf(i)...)
				out = append(out, fmt.Sprintf("new config has different address for link %d (addr changed from %s to %s). Internal value was NOT changed.",
					i, old.Members[k].Addr, m.Addr))
			}
		}
	}
	return out
}

// validateReload checks what can have changed. The original does not look for
// duplicate node ids here, and goes on without its own node or under another id.
func (d *deriver) validateReload() string {
	if d.c.localPos == noPos {
		return d.stranger()
	}
	if id, _ := d.m.U32(fmt.Sprintf("nodelist.node.%d.nodeid", d.c.localPos)); id != d.c.NodeID {
		return d.at(fmt.Sprintf("nodeid of the local node is %d and cannot become %d at run-time", d.c.NodeID, id), nodeKeys(d.c.localPos, "nodeid")...)
	}
	if text := d.tooManyLinks(); text != "" {
		return text
	}
	if text := d.validateVolatile(); text != "" {
		return text
	}
	if d.c.Transport != Knet && d.c.Crypto.Enabled() {
		return d.at("crypto_cipher & crypto_hash are only valid for the Knet transport.", cryptoKeys()...)
	}
	return d.duplicates()
}

// Commit puts the new keys into the live map: first deletions, then changes, each in
// the order of the keys. Trackers run as it goes.
func (r *Reload) Commit(live *cmap.Map) error {
	for _, prefix := range reloaded {
		for key := range live.All(prefix) {
			if _, stays := r.temp.Get(key); !stays {
				_ = live.Delete(key)
			}
		}
	}
	for key, v := range r.temp.All("") {
		if err := live.Set(key, v); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// Update recomputes the volatile parameters after a key below totem. was
// changed in the live map, and shows them (totemconfig.c: totem_change_notify). The error's
// text is for the log; nothing changes then.
func Update(live *cmap.Map, prev *Config) (*Config, error) {
	next := *prev
	d := &deriver{m: live, c: &next, num: computeNumbers(live, len(prev.Links[0].Members))}
	if text := d.num.check(live, &d.fault); text != "" {
		return nil, &Error{Text: inConfig(text)}
	}
	d.num.publish(live)
	next.Totem = d.num.totem()
	return &next, nil
}

// Volatile reports whether Update depends on a key.
func Volatile(key string) bool {
	if key == "totem.token_coefficient" {
		return true
	}
	return slices.ContainsFunc(totemTimers(), func(o Option) bool { return o.Key == key })
}
