package totemtest

import (
	"fmt"
	"strings"

	"github.com/pacesync/pacesync/totem/srp"
)

// describe names a packet in a few words, by the ledger's own reading.
func describe(b []byte) string {
	if len(b) < 13 || b[3] >= wireTypes {
		return fmt.Sprintf("garbage of %d bytes", len(b))
	}
	name := typeNames[b[3]]
	switch {
	case b[3] == typeToken && len(b) >= 57:
		return fmt.Sprintf("%s ring %v seq %x token_seq %x aru %x/%d fcc %d retrans %d rtr %d", name, getRing(b[29:]), le.Uint32(b[13:]),
			le.Uint32(b[17:]), le.Uint32(b[21:]), le.Uint32(b[25:]), le.Uint32(b[45:]), le.Uint32(b[49:]), le.Uint32(b[53:]))
	case b[3] == typeMcast && len(b) >= mcastHeader:
		inner := ""
		if b[4] == encapsulated && len(b) >= 2*mcastHeader {
			inner = fmt.Sprintf(" carries ring %v seq %x", getRing(b[mcastHeader+25:]), le.Uint32(b[mcastHeader+17:]))
		}
		return fmt.Sprintf("%s ring %v seq %x from %d, %d bytes%s", name, getRing(b[25:]), le.Uint32(b[17:]), le.Uint32(b[13:]), len(b), inner)
	case b[3] == typeMerge && len(b) >= 29:
		return fmt.Sprintf("%s ring %v", name, getRing(b[17:]))
	case b[3] == typeJoin && len(b) >= joinHeader:
		return describeJoin(b)
	case b[3] == typeCommit && len(b) >= 41:
		return fmt.Sprintf("%s ring %v token_seq %x index %d of %d", name, getRing(b[17:]), le.Uint32(b[13:]), le.Uint32(b[33:]), le.Uint32(b[37:]))
	case b[3] == typeHoldCancel && len(b) >= 25:
		return fmt.Sprintf("%s ring %v", name, getRing(b[13:]))
	}
	return fmt.Sprintf("%s cut short at %d bytes", name, len(b))
}

func describeJoin(b []byte) string {
	procs, failed := int(le.Uint32(b[17:])), int(le.Uint32(b[21:]))
	if procs+failed > 1000 || len(b) < joinHeader+4*(procs+failed) {
		return "join with bad lists"
	}
	list := func(at, n int) []uint32 {
		out := make([]uint32, n)
		for i := range out {
			out[i] = le.Uint32(b[at+4*i:])
		}
		return out
	}
	leave := ""
	if le.Uint32(b[5:]) == 0 {
		leave = " LEAVE"
	}
	return fmt.Sprintf("join%s from %d ring_seq %x proc %v failed %v", leave, le.Uint32(b[13:]), le.Uint64(b[25:]),
		list(joinHeader, procs), list(joinHeader+4*procs, failed))
}

// traceText is the core's own word on what happened.
func traceText(t *srp.Trace) string {
	return fmt.Sprintf("%+v", *t)
}

// describeNodes says where every node stands.
func (w *World) describeNodes() string {
	var b strings.Builder
	for i := range w.nodes {
		n := &w.nodes[i]
		if n.eng == nil {
			fmt.Fprintf(&b, "n%d (%d) down; ", i, n.id)
			continue
		}
		v := w.lastView(n.proc)
		fmt.Fprintf(&b, "n%d (%d) %v ring %v %v syncing=%v outstanding=%d got=%d/%d; ", i, n.id, w.state(n), v.Ring, v.Members,
			n.waiting, n.outstanding, w.final.got[i], w.final.count)
	}
	return b.String()
}
