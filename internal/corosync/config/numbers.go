package config

import (
	"fmt"
	"math"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// numbers are the effective volatile parameters: those of the options that have
// a timer.
type numbers struct {
	members     int    // nodes on link 0
	coefficient uint32 // token_coefficient
	vals        map[string]uint32
	level       int32  // totem.knet_compression_level
	model       string // totem.knet_compression_model
	shown       []shown
}

// shown is a key of runtime.config.
type shown struct {
	key string
	val cmap.Value
}

func (v *numbers) get(key string) uint32 {
	n, ok := v.vals[key]
	if !ok {
		panic("config: " + key + " is used before it is computed")
	}
	return n
}

// truncate converts like C's (int) on amd64, then to unsigned.
func truncate(f float64) uint32 {
	if f >= math.MaxInt32+1.0 || f <= math.MinInt32-1.0 {
		return 1 << 31
	}
	return uint32(int32(f))
}

// computeNumbers derives the volatile parameters from the keys of a map
// (totemconfig.c: totem_volatile_config_read). 0 stands for the default unless
// the option says otherwise.
func computeNumbers(m *cmap.Map, members int) *numbers {
	v := &numbers{members: members, coefficient: 650, vals: map[string]uint32{}}
	if n, ok := m.U32("totem.token_coefficient"); ok {
		v.coefficient = n
	}
	for _, o := range totemTimers() {
		v.shown = append(v.shown, shown{"runtime.config." + o.Key, v.compute(&o, m)})
	}
	return v
}

// publish shows the parameters as runtime.config keys.
func (v *numbers) publish(m *cmap.Map) {
	for _, x := range v.shown {
		_ = m.Set(x.key, x.val)
	}
}

// compute gives one parameter its value and returns its runtime.config form.
func (v *numbers) compute(o *Option, m *cmap.Map) cmap.Value {
	switch {
	case o.Type == cmap.Int32:
		raw, _ := m.Get(o.Key)
		if raw.Type == cmap.Int32 {
			n, _ := raw.AsInt()
			v.level = int32(n)
		}
		return cmap.I32(v.level)
	case o.Values != nil: // a word
		v.model = o.Default
		if s, ok := m.Str(o.Key); ok {
			v.model = s
		}
		return cmap.Str(v.model)
	case o.Type == cmap.String: // yes or no
		n := o.timer.dflt
		switch s, _ := m.Str(o.Key); s {
		case "yes":
			n = 1
		case "no":
			n = 0
		}
		v.vals[o.Key] = n
		return cmap.U32(n)
	}
	n, ok := m.U32(o.Key)
	if !ok || n == 0 && !o.timer.zero {
		n = o.timer.dflt
		if o.timer.def != nil {
			n = o.timer.def(v)
		}
	}
	if o.timer.add != nil {
		n += o.timer.add(v)
	}
	v.vals[o.Key] = n
	return cmap.U32(n)
}

// checkOrder is the order in which timers are checked (totemconfig.c:
// totem_volatile_config_validate).
var checkOrder = [...]string{"totem.max_network_delay", "totem.token", "totem.token_warning", "totem.token_retransmit",
	"totem.hold", "totem.join", "totem.consensus", "totem.merge", "totem.downcheck"}

// check returns the first objection to the timers, or "".
func (v *numbers) check(m *cmap.Map, f *fault) string {
	timers := totemTimers()
	for _, key := range checkOrder {
		var o *Option
		for i := range timers {
			if timers[i].Key == key {
				o = &timers[i]
			}
		}
		n := v.get(key)
		_, given := m.U32(key)
		switch {
		case key == "totem.token_warning":
			if n > 100 {
				return f.at(fmt.Sprintf("The token warning parameter (%d%%) must be between 0 (disabled) and 100.", int32(n)), key)
			}
		case n < o.timer.min && key == "totem.token_retransmit" && !given:
			return f.at("Not appropriate token or token_retransmits_before_loss_const value set", "totem.token", "totem.token_retransmits_before_loss_const")
		case n < o.timer.min:
			return f.at(fmt.Sprintf("The %s (%d ms) may not be less than (%d ms).", o.timer.what, int32(n), o.timer.min), key)
		case key == "totem.consensus" && n < v.get("totem.join"):
			return f.at(fmt.Sprintf("The consensus timeout parameter (%d ms) may not be less than join timeout (%d ms).",
				int32(n), int32(v.get("totem.join"))), key, "totem.join", "totem.token")
		}
	}
	return ""
}

// totem gives the parameters their names and units.
func (v *numbers) totem() Totem {
	d := func(name string) uint32 { return v.get("totem." + name) }
	return Totem{
		Token: ms(d("token")), TokenRetransmit: ms(d("token_retransmit")), Hold: ms(d("hold")),
		Join: ms(d("join")), SendJoin: ms(d("send_join")), Consensus: ms(d("consensus")),
		Merge: ms(d("merge")), Downcheck: ms(d("downcheck")), MaxNetworkDelay: ms(d("max_network_delay")),
		TokenWarningPercent: d("token_warning"), RetransmitsBeforeLoss: d("token_retransmits_before_loss_const"),
		FailRecvConst: d("fail_recv_const"), SeqnoUnchangedConst: d("seqno_unchanged_const"),
		HeartbeatFailuresAllowed: d("heartbeat_failures_allowed"),
		WindowSize:               d("window_size"), MaxMessages: d("max_messages"), MissCount: d("miss_count_const"),
		KnetPMTUDInterval: d("knet_pmtud_interval"), KnetMTU: d("knet_mtu"),
		CompressionModel: v.model, CompressionLevel: v.level, CompressionThreshold: d("knet_compression_threshold"),
		BlockUnlistedIPs: d("block_unlisted_ips") != 0, CancelHoldOnRetrans: d("cancel_token_hold_on_retransmit") != 0,
	}
}
