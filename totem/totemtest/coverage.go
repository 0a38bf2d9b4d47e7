package totemtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/totem/pg"
	"github.com/pacesync/pacesync/totem/srp"
)

// input is one kind of event that a core can meet, finer than srp.EventKind:
// packets by type and by whose ring they are of, timers by which one is due.
type input uint8

// The inputs; own and foreign tell the packet's ring id from the node's.
const (
	inTokenOwn input = iota
	inTokenForeign
	inMcastOwn
	inMcastRecovered // encapsulated, of the own ring
	inMcastForeign
	inMergeOwn
	inMergeForeign
	inJoin
	inLeaveJoin // the leave message
	inCommitOwn // of the ring being formed
	inCommitForeign
	inHoldCancelOwn
	inHoldCancelForeign
	inGarbage
	inTimer // and up: srp's timers in their order
)

var inputNames = [...]string{"token, own ring", "token, foreign", "mcast, own ring", "mcast, recovered", "mcast, foreign", "merge detect, own", "merge detect, foreign",
	"join", "leave", "commit token, own ring", "commit token, foreign", "hold cancel, own", "hold cancel, foreign", "garbage"}

// calls are the events that are neither packet nor timer.
const (
	callStart = iota
	callLinkUp
	callLinkDown
	callLeave
	callReconfigure
	callForceGather
	callCount
)

var callNames = [callCount]string{"start", "link up", "link down", "leave asked", "reconfigure", "force gather"}

const (
	inCalls  = int(inTimer) + srp.Timers
	inCount  = inCalls + callCount
	coverCol = int(states) // AnyState stands for off
)

// Coverage counts how often each input met each state.
type Coverage struct {
	cells [inCount][coverCol]uint64
}

// inputName names a row.
func inputName(i int) string {
	switch {
	case i < int(inTimer):
		return inputNames[i]
	case i < inCalls:
		return "timer " + srp.TimerName(i-int(inTimer))
	}
	return callNames[i-inCalls]
}

// Add adds another count.
func (c *Coverage) Add(o *Coverage) {
	for i := range c.cells {
		for s := range c.cells[i] {
			c.cells[i][s] += o.cells[i][s]
		}
	}
}

// event counts what is about to happen to a node.
func (c *Coverage) event(n *node, state State, ev srp.Event, now time.Time) {
	switch ev.Kind {
	case srp.EvPacket:
		c.cells[packetInput(n, ev.Data)][state]++
	case srp.EvTimer:
		due := n.eng.TimersDue(now)
		for i := range srp.Timers {
			if due>>i&1 == 1 {
				c.cells[int(inTimer)+i][state]++
			}
		}
	default:
		c.cells[inCalls+call(ev)][state]++
	}
}

func call(ev srp.Event) int {
	switch ev.Kind {
	case srp.EvLink:
		if ev.Up {
			return callLinkUp
		}
		return callLinkDown
	case srp.EvLeave:
		return callLeave
	case srp.EvReconfigure:
		return callReconfigure
	case srp.EvForceGather:
		return callForceGather
	}
	return callStart
}

// ringOffset is where a packet of each type names its ring; joins do not.
var ringOffset = [wireTypes]int{typeToken: 29, typeMcast: 25, typeMerge: 17, typeJoin: -1, typeCommit: 17, typeHoldCancel: 13}

func packetInput(n *node, b []byte) input {
	if len(b) < 13 || le.Uint16(b) != 0xc070 || b[3] >= wireTypes || len(b) < ringOffset[b[3]]+12 {
		return inGarbage
	}
	if b[3] == typeJoin {
		if le.Uint32(b[5:]) == 0 {
			return inLeaveJoin
		}
		return inJoin
	}
	ring, _ := n.eng.Ring()
	own := getRing(b[ringOffset[b[3]]:]) == ring
	pick := func(yes, no input) input {
		if own {
			return yes
		}
		return no
	}
	switch b[3] {
	case typeToken:
		return pick(inTokenOwn, inTokenForeign)
	case typeMcast:
		if own && b[4] == encapsulated {
			return inMcastRecovered
		}
		return pick(inMcastOwn, inMcastForeign)
	case typeMerge:
		return pick(inMergeOwn, inMergeForeign)
	case typeCommit:
		return pick(inCommitOwn, inCommitForeign)
	}
	return pick(inHoldCancelOwn, inHoldCancelForeign)
}

// Table prints the counts, one row per input.
func (c *Coverage) Table() string {
	var b strings.Builder
	b.WriteString("| input | OPERATIONAL | GATHER | COMMIT | RECOVERY |\n|---|---:|---:|---:|---:|\n")
	for i := range c.cells {
		fmt.Fprintf(&b, "| %s |", inputName(i))
		for s := Operational; s < states; s++ {
			fmt.Fprintf(&b, " %s |", countText(c.cells[i][s], i, s))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func countText(n uint64, i int, s State) string {
	if n == 0 {
		if emptyWhy(i, s) != "" {
			return "–"
		}
		return "MISSING"
	}
	return fmt.Sprint(n)
}

// Missing lists the cells that were never reached and have no explanation.
func (c *Coverage) Missing() (out []string) {
	for i := range c.cells {
		for s := Operational; s < states; s++ {
			if c.cells[i][s] == 0 && emptyWhy(i, s) == "" {
				out = append(out, fmt.Sprintf("%s in %v", inputName(i), s))
			}
		}
	}
	return out
}

// Reached lists the cells that were reached against their explanation.
func (c *Coverage) Reached() (out []string) {
	for i := range c.cells {
		for s := Operational; s < states; s++ {
			if c.cells[i][s] > 0 && emptyWhy(i, s) != "" {
				out = append(out, fmt.Sprintf("%s in %v", inputName(i), s))
			}
		}
	}
	return out
}

// Reasons that several cells share.
const (
	beyond    = "a member of the ring being formed says this in RECOVERY or later, which none reaches before the commit token has visited all a second time"
	gathering = "only GATHER arms it, entering COMMIT disarms it"
)

// unreachable explains the cells that no run can reach.
type unreachable struct {
	input  string
	states []State
	why    string
}

func unreachables() []unreachable {
	return []unreachable{
		{"start", []State{Operational, Gather, Commit, Recovery}, "it is the first event of a life"},
		{"token, own ring", []State{Commit}, beyond},
		{"mcast, own ring", []State{Commit}, beyond},
		{"mcast, recovered", []State{Commit}, beyond},
		{"merge detect, own", []State{Commit}, beyond},
		{"hold cancel, own", []State{Commit}, beyond},
		{"mcast, own ring", []State{Recovery}, "all members become operational in one rotation of the token, and who was first sends at its next visit"},
		{"timer retransmit", []State{Gather}, "there is no token to repeat: entering GATHER disarms it"},
		{"timer hold", []State{Gather, Commit}, "there is no token to hold: entering GATHER disarms it"},
		{"timer merge", []State{Gather, Commit}, "only a token arms it, entering GATHER disarms it"},
		{"timer heartbeat", []State{Gather, Commit}, "only a token arms it, entering GATHER disarms it"},
		{"timer join", []State{Operational, Commit, Recovery}, gathering},
		{"timer delayed join", []State{Operational, Commit, Recovery}, gathering},
		{"timer consensus", []State{Operational, Commit, Recovery}, gathering},
		{"garbage", []State{Operational, Gather, Commit, Recovery}, "the network does not damage packets: the link layer's checksum or authentication drops those; the decoders are fuzzed"},
	}
}

func emptyWhy(i int, s State) string {
	name := inputName(i)
	for _, u := range unreachables() {
		if u.input == name && slices.Contains(u.states, s) {
			return u.why
		}
	}
	return ""
}

func stateOf(e *pg.Engine) State { return State(e.State()) }
