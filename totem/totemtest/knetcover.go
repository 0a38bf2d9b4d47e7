package totemtest

import (
	"fmt"
	"strings"

	"github.com/pacesync/pacesync/totem/knet"
)

// LinkState is what a node knows of a link, as coverage names it.
type LinkState uint8

// The states of a link.
const (
	LinkSilent LinkState = iota // no pong came
	LinkRising                  // some came
	LinkUp                      // it carries data in the smallest packets
	LinkKnown                   // its MTU was found
	linkNone                    // what happened is not about a link
	linkStates
)

// Rows of the table: packets, what the kernel says, what the engine tells, drops.
const (
	rowData = iota
	rowPingTimed
	rowPingUntimed
	rowPong
	rowPMTUD
	rowReply
	rowTooBig
	rowNoRoom
	rowError
	rowRefused
	rowEvents
	rowDrops = rowEvents + int(knet.EventCompressFailed)
	rowCount = rowDrops + knet.DropReasons
)

// KnetCoverage counts how often each thing happened in each state of a link.
type KnetCoverage struct {
	cells [rowCount][linkStates]uint64
}

func failRow(e knet.Errno) int {
	switch e {
	case knet.EMSGSIZE, knet.EPERM:
		return rowTooBig
	case knet.ENOBUFS, knet.EAGAIN:
		return rowNoRoom
	}
	return rowError
}

// input counts a packet.
func (c *KnetCoverage) input(s LinkState, b []byte) {
	row := rowData
	switch knet.PacketType(b[1]) {
	case knet.TypePing:
		row = rowPingTimed
		if b[25] == 0 {
			row = rowPingUntimed
		}
	case knet.TypePong:
		row = rowPong
	case knet.TypePMTUD:
		row = rowPMTUD
	case knet.TypePMTUDReply:
		row = rowReply
	}
	c.cells[row][s]++
}

// event counts what an engine tells.
func (c *KnetCoverage) event(s LinkState, ev *knet.Event) {
	if k := int(ev.Kind) - 1; ev.Kind != knet.EventDropped && rowEvents+k < rowDrops {
		c.cells[rowEvents+k][s]++
	}
}

// Add adds another count.
func (c *KnetCoverage) Add(o *KnetCoverage) {
	for i := range c.cells {
		for s := range c.cells[i] {
			c.cells[i][s] += o.cells[i][s]
		}
	}
}

var knetRowNames = [...]string{"data", "ping by the clock", "ping by number", "pong", "mtu probe", "mtu reply",
	"send: too big", "send: no room", "send: other error", "icmp: refused",
	"link up", "link down", "mtu reset", "best link", "active links", "no links", "reachable", "link configured", "link removed", "timers", "priority",
	"pong counted", "pong late", "up by data", "mtu search", "mtu changed", "mtu found", "mtu too small", "mtu search aborted", "mtu suspect",
	"mtu hint", "mtu of all", "mtu by hand", "mtu from the kernel", "send failed", "unreachable", "dropped", "compress failed",
	"drop: sealed", "drop: malformed", "drop: local address", "drop: host", "drop: link", "drop: address", "drop: source", "drop: early",
	"drop: duplicate", "drop: fragment", "drop: incomplete", "drop: decompress", "drop: channel", "drop: no host", "drop: size", "drop: seal"}

// Table prints the counts.
func (c *KnetCoverage) Table() string {
	var b strings.Builder
	b.WriteString("| what happened | silent | rising | up | MTU known | no link |\n|---|---:|---:|---:|---:|---:|\n")
	for i := range c.cells {
		fmt.Fprintf(&b, "| %s |", knetRowNames[i])
		for s := range linkStates {
			switch n := c.cells[i][s]; {
			case n > 0:
				fmt.Fprintf(&b, " %d |", n)
			case knetEmptyWhy(i, s) != "":
				b.WriteString(" – |")
			case knetSeldom(i, s):
				b.WriteString(" 0 |")
			default:
				b.WriteString(" MISSING |")
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Missing lists the cells that were never reached and have no explanation, and
// those that were reached against theirs.
func (c *KnetCoverage) Missing() (out []string) {
	for i := range c.cells {
		for s := range linkStates {
			n, why := c.cells[i][s], knetEmptyWhy(i, s)
			if n == 0 && why == "" && !knetSeldom(i, s) || n > 0 && why != "" {
				out = append(out, fmt.Sprintf("%s, state %d: %d times; %s", knetRowNames[i], s, n, why))
			}
		}
	}
	return out
}

// Reasons that rows of the table share.
const (
	onLink   = "it comes from a link or is about one"
	whole    = "links and timers stay as configured here; totem/knet tests their changes"
	noCipher = "nodes of the simulator neither encrypt nor compress; totem/knet tests both"
	ofNone   = "it is about no link: the state of link 0 of host 0 says nothing"
)

// knetEmptyWhy explains the cells that no run can reach.
func knetEmptyWhy(row int, s LinkState) string {
	switch knetRowNames[row] {
	case "link removed", "timers", "priority", "mtu by hand":
		return whole
	case "drop: sealed", "drop: seal", "compress failed":
		return noCipher
	case "mtu hint", "mtu of all":
		return ofNone
	case "dropped":
		return "counted by reason below"
	case "drop: size":
		return "the ring's packets are shorter than 64 KiB, and the smallest MTU makes 136 fragments of them"
	case "drop: no host":
		if s == linkNone {
			return ""
		}
	}
	if s == linkNone {
		return onLink
	}
	return linkWhy(knetRowNames[row], s)
}

// knetSeldom tells the cells that chance reaches or not: what is forged, or fails by
// itself, in the moments in which a link is coming up.
func knetSeldom(row int, s LinkState) bool {
	if s == LinkKnown {
		return false
	}
	switch knetRowNames[row] {
	case "drop: malformed", "drop: local address", "drop: host", "drop: link", "drop: address", "drop: source", "drop: fragment",
		"drop: incomplete", "drop: decompress", "drop: channel",
		"send: too big", "send: no room", "send: other error", "send failed", "mtu search aborted", "mtu reply", "best link":
		return true
	}
	return false
}

// linkWhy explains the cells of events that lead from one state to another.
func linkWhy(name string, s LinkState) string {
	up := s == LinkUp || s == LinkKnown
	switch name {
	case "link up", "up by data":
		if s != LinkRising {
			return "only a link of which pongs were counted comes up"
		}
	case "link down", "unreachable":
		if !up {
			return "only a link that is up goes down"
		}
	case "mtu reset":
		if s != LinkUp {
			return "it comes with link up"
		}
	case "pong counted":
		if up {
			return "nothing is counted once it is up"
		}
	case "mtu search", "mtu changed", "mtu found", "mtu too small", "mtu search aborted", "mtu suspect", "mtu from the kernel":
		if !up {
			return "only links that are up are searched, and only probes and data can be too big"
		}
	case "link configured":
		if s != LinkSilent {
			return "it begins a link's life"
		}
	}
	return ""
}
