package cmap

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/totem/pg"
)

// Source is where the statistics come from. The functions are called when a
// client asks, on the loop.
type Source struct {
	Totem        func() *pg.Stats
	SendFailures func() uint32 // sends to the network that failed in a row
	IPC          func() (active, closed uint64)
	Now          func() time.Time
	// Clear resets counters: "knet", "ipc" or "totem".
	Clear func(what string)
}

// ConnStats are the counters of one library client (ipcs_stats.h: struct
// ipcs_conn_stats).
type ConnStats struct {
	Queueing                 bool   // events wait in memory
	Queued                   uint32 // how many
	InvalidRequest, Overload uint64
	Sent                     uint32
	ProcName                 string
	Requests, Responses      uint64
	Dispatched               uint64
	SendRetries, RecvRetries uint64
	FlowControl              uint32
	FlowControlCount         uint64
}

// maxSchedMiss is how many late wake-ups are kept (stats.c:
// MAX_SCHEDMISS_EVENTS).
const maxSchedMiss = 10

// Stats is the second map, of numbers that are read when asked for. Clients can
// only clear it. Owned by the loop.
type Stats struct {
	src    Source
	keys   []string // ascending; Invariant: exactly the keys of items
	items  map[string]item
	tracks []*statTrack
	missed []schedMiss // newest first
}

type item struct {
	typ  Type
	read func() Value
}

type schedMiss struct {
	when  uint64 // ms since 1970
	delay float32
}

// NewStats is the map with the keys that are always there.
func NewStats(src Source) *Stats {
	s := &Stats{src: src, items: map[string]item{}}
	s.addTotem()
	s.add("stats.ipcs.global.active", Uint64, func() Value { n, _ := src.IPC(); return U64(n) })
	s.add("stats.ipcs.global.closed", Uint64, func() Value { _, n := src.IPC(); return U64(n) })
	return s
}

// addTotem adds the keys of the queue and the ring (stats.c: cs_pg_stats,
// cs_srp_stats).
func (s *Stats) addTotem() {
	pgStat := func(name string, get func(t *pg.Stats) uint32) {
		s.add("stats."+name, Uint32, func() Value { return U32(get(s.src.Totem())) })
	}
	srp := func(name string, get func(t *pg.Stats) uint64) {
		s.add("stats.srp."+name, Uint64, func() Value { return U64(get(s.src.Totem())) })
	}
	pgStat("pg.msg_queue_avail", func(t *pg.Stats) uint32 { return t.MsgQueueAvail })
	pgStat("pg.msg_reserved", func(t *pg.Stats) uint32 { return t.MsgReserved })
	srp("orf_token_tx", func(t *pg.Stats) uint64 { return t.OrfTokenTx })
	srp("orf_token_rx", func(t *pg.Stats) uint64 { return t.OrfTokenRx })
	srp("memb_merge_detect_tx", func(t *pg.Stats) uint64 { return t.MembMergeDetectTx })
	srp("memb_merge_detect_rx", func(t *pg.Stats) uint64 { return t.MembMergeDetectRx })
	srp("memb_join_tx", func(t *pg.Stats) uint64 { return t.MembJoinTx })
	srp("memb_join_rx", func(t *pg.Stats) uint64 { return t.MembJoinRx })
	srp("mcast_tx", func(t *pg.Stats) uint64 { return t.McastTx })
	srp("mcast_retx", func(t *pg.Stats) uint64 { return t.McastRetx })
	srp("mcast_rx", func(t *pg.Stats) uint64 { return t.McastRx })
	srp("memb_commit_token_tx", func(t *pg.Stats) uint64 { return t.MembCommitTokenTx })
	srp("memb_commit_token_rx", func(t *pg.Stats) uint64 { return t.MembCommitTokenRx })
	srp("token_hold_cancel_tx", func(t *pg.Stats) uint64 { return t.TokenHoldCancelTx })
	srp("token_hold_cancel_rx", func(t *pg.Stats) uint64 { return t.TokenHoldCancelRx })
	srp("operational_entered", func(t *pg.Stats) uint64 { return t.OperationalEntered })
	srp("operational_token_lost", func(t *pg.Stats) uint64 { return t.OperationalTokenLost })
	srp("gather_entered", func(t *pg.Stats) uint64 { return t.GatherEntered })
	srp("gather_token_lost", func(t *pg.Stats) uint64 { return t.GatherTokenLost })
	srp("commit_entered", func(t *pg.Stats) uint64 { return t.CommitEntered })
	srp("commit_token_lost", func(t *pg.Stats) uint64 { return t.CommitTokenLost })
	srp("recovery_entered", func(t *pg.Stats) uint64 { return t.RecoveryEntered })
	srp("recovery_token_lost", func(t *pg.Stats) uint64 { return t.RecoveryTokenLost })
	srp("consensus_timeouts", func(t *pg.Stats) uint64 { return t.ConsensusTimeouts })
	srp("rx_msg_dropped", func(t *pg.Stats) uint64 { return t.RxMsgDropped })
	srp("time_since_token_last_received", func(t *pg.Stats) uint64 {
		if t.LastToken.IsZero() {
			return 0
		}
		return uint64(max(0, s.src.Now().Sub(t.LastToken).Milliseconds()))
	})
	pgStat("srp.continuous_gather", func(t *pg.Stats) uint32 { return t.ContinuousGather })
	s.add("stats.srp.continuous_sendmsg_failures", Uint32, func() Value { return U32(s.src.SendFailures()) })
	s.add("stats.srp.firewall_enabled_or_nic_failure", Uint8, func() Value { return flag(s.src.Totem().FirewallEnabledOrNICFailure) })
	pgStat("srp.mtt_rx_token", func(t *pg.Stats) uint32 { return t.MttRxToken })
	pgStat("srp.avg_token_workload", func(t *pg.Stats) uint32 { return t.AvgTokenWorkload })
	pgStat("srp.avg_backlog_calc", func(t *pg.Stats) uint32 { return t.AvgBacklogCalc })
}

func flag(on bool) Value {
	if on {
		return U8(1)
	}
	return U8(0)
}

func (s *Stats) add(key string, t Type, read func() Value) {
	i, found := slices.BinarySearch(s.keys, key)
	if !found {
		s.keys = slices.Insert(s.keys, i, key)
	}
	s.items[key] = item{t, read}
	s.notify(Added, key)
}

func (s *Stats) remove(key string) {
	i, found := slices.BinarySearch(s.keys, key)
	if !found {
		return
	}
	s.notify(Deleted, key)
	s.keys = slices.Delete(s.keys, i, i+1)
	delete(s.items, key)
}

// connFields names the counters of a client in the order of the original
// (stats.c: cs_ipcs_conn_stats).
func connFields(read func() ConnStats) []struct {
	name string
	item item
} {
	type field = struct {
		name string
		item item
	}
	u32 := func(name string, get func(c ConnStats) uint32) field {
		return field{name, item{Uint32, func() Value { return U32(get(read())) }}}
	}
	u64 := func(name string, get func(c ConnStats) uint64) field {
		return field{name, item{Uint64, func() Value { return U64(get(read())) }}}
	}
	return []field{
		{"queueing", item{Int32, func() Value {
			if read().Queueing {
				return I32(1)
			}
			return I32(0)
		}}},
		u32("queued", func(c ConnStats) uint32 { return c.Queued }),
		u64("invalid_request", func(c ConnStats) uint64 { return c.InvalidRequest }),
		u64("overload", func(c ConnStats) uint64 { return c.Overload }),
		u32("sent", func(c ConnStats) uint32 { return c.Sent }),
		{"procname", item{String, func() Value { return Str(read().ProcName) }}},
		u64("requests", func(c ConnStats) uint64 { return c.Requests }),
		u64("responses", func(c ConnStats) uint64 { return c.Responses }),
		u64("dispatched", func(c ConnStats) uint64 { return c.Dispatched }),
		u64("send_retries", func(c ConnStats) uint64 { return c.SendRetries }),
		u64("recv_retries", func(c ConnStats) uint64 { return c.RecvRetries }),
		u32("flow_control", func(c ConnStats) uint32 { return c.FlowControl }),
		u64("flow_control_count", func(c ConnStats) uint64 { return c.FlowControlCount }),
	}
}

func connKey(svc service.ID, pid uint32, handle uint64) string {
	return fmt.Sprintf("stats.ipcs.service%d.%d.%#x.", svc, pid, handle)
}

// AddConn adds the keys of a library client; read is called until RemoveConn.
func (s *Stats) AddConn(svc service.ID, pid uint32, handle uint64, read func() ConnStats) {
	base := connKey(svc, pid, handle)
	for _, f := range connFields(read) {
		s.add(base+f.name, f.item.typ, f.item.read)
	}
}

// RemoveConn removes the keys of a library client.
func (s *Stats) RemoveConn(svc service.ID, pid uint32, handle uint64) {
	base := connKey(svc, pid, handle)
	for _, f := range connFields(nil) {
		s.remove(base + f.name)
	}
}

// AddSchedMiss records that the loop woke up late.
func (s *Stats) AddSchedMiss(when time.Time, delay time.Duration) {
	m := schedMiss{uint64(when.UnixMilli()), float32(delay.Seconds() * 1000)}
	s.missed = slices.Insert(s.missed, 0, m)
	if len(s.missed) > maxSchedMiss {
		s.missed = s.missed[:maxSchedMiss]
		return
	}
	i := len(s.missed) - 1
	s.add(fmt.Sprintf("stats.schedmiss.%d.timestamp", i), Uint64, func() Value { return U64(s.missed[i].when) })
	s.add(fmt.Sprintf("stats.schedmiss.%d.delay", i), Float, func() Value { return F32(s.missed[i].delay) })
}

func (s *Stats) clearSchedMiss() {
	for i := range s.missed {
		s.remove(fmt.Sprintf("stats.schedmiss.%d.timestamp", i))
		s.remove(fmt.Sprintf("stats.schedmiss.%d.delay", i))
	}
	s.missed = nil
}

// Get reads a number.
func (s *Stats) Get(key string) (Value, bool) {
	it, ok := s.items[key]
	if !ok {
		return Value{}, false
	}
	return it.read(), true
}

// Set clears counters when the key is one of stats.clear; others cannot be set.
func (s *Stats) Set(key string, _ Value) error {
	what, ok := strings.CutPrefix(key, "stats.clear.")
	cleared := false
	for _, name := range []string{"knet", "ipc", "totem", "schedmiss"} {
		if !ok || !strings.HasPrefix(what, name) && !strings.HasPrefix(what, "all") {
			continue
		}
		cleared = true
		if name == "schedmiss" {
			s.clearSchedMiss()
		} else {
			s.src.Clear(name)
		}
	}
	if !cleared {
		return service.ErrNotSupported
	}
	return nil
}

// Delete and Adjust are what the statistics do not support.
func (s *Stats) Delete(string) error        { return service.ErrNotSupported }
func (s *Stats) Adjust(string, int32) error { return service.ErrNotSupported }

// ReadOnly reports whether clients may not write a key: all but stats.clear.
func (s *Stats) ReadOnly(key string) bool { return !strings.HasPrefix(key, "stats.clear.") }

// nextItem is the next key of an iteration; a string's length shows as 0, as in
// the original, which does not look at it.
func (s *Stats) nextItem(after, prefix string) (key string, t Type, size int, ok bool) {
	from := max(after, prefix)
	i, found := slices.BinarySearch(s.keys, from)
	if found && from == after {
		i++
	}
	if i >= len(s.keys) || !strings.HasPrefix(s.keys[i], prefix) {
		return "", 0, 0, false
	}
	t = s.items[s.keys[i]].typ
	return s.keys[i], t, t.Size(), true
}

// statTrack is one tracker of the statistics.
type statTrack struct {
	s     *Stats
	key   string
	kinds ChangeKind
	old   Value
	fn    func(Change)
}

// stop ends the tracking.
func (t *statTrack) stop() {
	t.s.tracks = slices.DeleteFunc(slices.Clone(t.s.tracks), func(x *statTrack) bool { return x == t })
}

// track adds a tracker. Keys that come and go are told at once, also under a
// prefix; values that change are told by Check and for single keys only.
func (s *Stats) track(key string, kinds ChangeKind, fn func(Change)) (stop func(), err error) {
	if kinds&Prefix != 0 && kinds&(Added|Deleted) != Added|Deleted {
		return nil, service.ErrNotSupported
	}
	t := &statTrack{s: s, key: key, kinds: kinds, fn: fn}
	t.old, _ = s.Get(key)
	s.tracks = append(slices.Clone(s.tracks), t)
	return t.stop, nil
}

// notify tells of a key that came or is about to go. Both values are the
// present one, as in the original. Late wake-ups are not told of.
func (s *Stats) notify(kind ChangeKind, key string) {
	if strings.HasPrefix(key, "stats.schedmiss") {
		return
	}
	for _, t := range s.tracks {
		if t.kinds&kind != 0 && (t.key == key || t.kinds&Prefix != 0 && strings.HasPrefix(key, t.key)) {
			v, _ := s.Get(key)
			t.fn(Change{Kind: kind, Key: key, New: v, Old: v})
		}
	}
}

// CheckPeriod is how often Check is due (main.c: stats updater).
const CheckPeriod = 1500 * time.Millisecond

// Check tells the trackers of single keys what has changed since last time.
func (s *Stats) Check() {
	for _, t := range s.tracks {
		if t.kinds&Prefix != 0 || t.key == "" {
			continue
		}
		if v, ok := s.Get(t.key); ok && v != t.old {
			old := t.old
			t.old = v
			t.fn(Change{Kind: Modified, Key: t.key, New: v, Old: old})
		}
	}
}
