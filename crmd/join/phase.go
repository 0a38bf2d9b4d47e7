// Package join is how nodes become members of the cluster under a DC: who was
// offered membership, who asked for it, who was told that it has it, who sent
// its history, and whose CIB all go on with. Leader is the DC's side, Joiner
// that of every node.
//
// It knows no messages and no membership layer: crmd decodes, asks and
// carries out. Upstream: daemons/controld: controld_join_dc.c,
// controld_join_client.c.
package join

import (
	"cmp"
	"strconv"
	"strings"
)

// Phase is how far a node has come in the current round. The numbers are
// upstream's (enum crm_join_phase).
type Phase int8

const (
	Nack       Phase = -1 // refused
	None       Phase = 0  // not offered anything yet
	Welcomed   Phase = 1  // offered
	Integrated Phase = 2  // asked
	Finalized  Phase = 3  // told that it is a member
	Confirmed  Phase = 4  // sent its history
)

func (p Phase) String() string {
	switch p {
	case Nack:
		return "nack"
	case None:
		return "none"
	case Welcomed:
		return "welcomed"
	case Integrated:
		return "integrated"
	case Finalized:
		return "finalized"
	case Confirmed:
		return "confirmed"
	}
	return "invalid"
}

// Peer is a node of the membership.
type Peer struct {
	Name   string // empty while it is not known
	Active bool   // member, its controller among them
	// Lost: it was never expected to be anything, and the membership layer says
	// it is lost.
	Lost bool
}

// Members is the membership as it stands, in the order in which offers go out.
type Members struct {
	Seq   uint64 // number of the last membership event
	Peers []Peer
}

// Generation is the version of a CIB.
type Generation struct {
	AdminEpoch, Epoch, Updates int64
}

// Compare orders generations by age.
func (g Generation) Compare(h Generation) int {
	return cmp.Or(cmp.Compare(g.AdminEpoch, h.AdminEpoch), cmp.Compare(g.Epoch, h.Epoch), cmp.Compare(g.Updates, h.Updates))
}

// Compatible says whether a node with the feature set joiner can be in a
// cluster whose DC has the feature set dc: same major number, and the DC's
// minor number is not greater (controld_utils.c: feature_set_compatible). A
// version that is none counts as 0.
func Compatible(dc, joiner string) bool {
	dcMajor, dcMinor := twoNumbers(dc)
	major, minor := twoNumbers(joiner)
	return dcMajor == major && dcMinor <= minor
}

func twoNumbers(v string) (int, int) {
	a, rest, _ := strings.Cut(v, ".")
	b, _, _ := strings.Cut(rest, ".")
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return x, y
}

func same(a, b string) bool { return strings.EqualFold(a, b) }
