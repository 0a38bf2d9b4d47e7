package quorumtool

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/quorum/wire"
)

// row is one member as it is listed.
type row struct {
	node uint32
	name string
}

// members prints the table of members.
func (p *program) members(ctx context.Context) {
	infos, device := p.infos(ctx)
	rows := make([]row, len(p.view))
	for i, node := range p.view {
		rows[i] = row{node, p.nodeName(ctx, node)}
	}
	fmt.Fprint(p.out, "\nMembership information\n----------------------\n")
	p.padded("Nodeid")
	if p.vote != nil {
		p.padded("Votes")
		if device || p.machine {
			p.padded("Qdevice")
		}
	}
	fmt.Fprint(p.out, "Name\n")
	switch p.order {
	case byNodeID: // the original compares them as signed
		slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(int32(a.node), int32(b.node)) })
	case byName:
		slices.SortStableFunc(rows, func(a, b row) int { return strings.Compare(a.name, b.name) })
	}
	var ours wire.InfoFlags
	for i, r := range rows {
		p.nodeID(r.node)
		if p.vote != nil {
			// The votes are those of the node that was here before sorting: so it
			// is in the original.
			p.votes32(infos[i].Votes)
			if device || p.machine {
				p.padded(deviceState(infos[i].Flags))
			}
		}
		fmt.Fprint(p.out, r.name)
		if r.node == p.self {
			fmt.Fprint(p.out, " (local)")
			if p.vote != nil {
				ours = infos[i].Flags
			}
		}
		fmt.Fprint(p.out, "\n")
	}
	p.view = nil
	if device {
		p.device(&infos[0], ours)
	}
}

// infos asks for the votes of every member; device tells whether one of them
// has a quorum device.
func (p *program) infos(ctx context.Context) (infos []wire.VoteInfo, device bool) {
	if p.vote == nil {
		return nil, false
	}
	infos = make([]wire.VoteInfo, len(p.view))
	for i, node := range p.view {
		var err error
		if infos[i], err = p.vote.Info(ctx, node); err != nil {
			fmt.Fprintf(p.out, "Unable to get node %d info\n", node)
		}
		device = device || infos[i].Flags&wire.InfoQdeviceRegistered != 0
	}
	return infos, device
}

// padded prints right-aligned in ten columns.
func (p *program) padded(s string) { fmt.Fprintf(p.out, "%10s ", s) }

func (p *program) votes32(n uint32) { p.padded(fmt.Sprint(n)) }

func (p *program) nodeID(node uint32) {
	if p.hex {
		fmt.Fprintf(p.out, "0x%08x ", node)
		return
	}
	p.padded(fmt.Sprint(node))
}

// deviceState is the column of the quorum device: alive, voting, master wins.
func deviceState(f wire.InfoFlags) string {
	if f&wire.InfoQdeviceRegistered == 0 {
		return "NR"
	}
	part := func(flag wire.InfoFlags, name string) string {
		if f&flag != 0 {
			return name
		}
		return "N" + name
	}
	return part(wire.InfoQdeviceAlive, "A") + "," + part(wire.InfoQdeviceCastVote, "V") + "," + part(wire.InfoQdeviceMasterWins, "MW")
}

// device prints the row of the quorum device, node 0. Where it does not vote
// its votes count as none.
func (p *program) device(info *wire.VoteInfo, ours wire.InfoFlags) {
	p.nodeID(0)
	voting := ours&wire.InfoQdeviceCastVote != 0
	votes := uint32(0)
	if voting {
		votes = info.QdeviceVotes
	}
	p.votes32(votes)
	fmt.Fprintf(p.out, "           %s", info.QdeviceName)
	if !voting {
		fmt.Fprintf(p.out, " (votes %d)", int32(info.QdeviceVotes))
	}
	fmt.Fprint(p.out, "\n")
}
