package wire

import (
	"errors"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Recurring is one recurring operation in the answer to get_recurring.
type Recurring struct {
	RscID, Action string
	Interval      uint32 // ms
	Timeout       int    // ms
}

// Reply answers a request. RC is 0, a call id, or a negative errno.
type Reply struct {
	Origin string
	RC     int
	CallID int

	// register
	Op       string
	ClientID string
	Version  string

	Rsc       Rsc         // rsc_info
	Recurring []Recurring // get_recurring, in the order of the resources' ids
	// RecurringOf are the resources of get_recurring, also those without any recurring operation.
	RecurringOf []string
}

// XML writes a reply.
func (p Reply) XML() *xmltree.Node {
	n := xmltree.New("lrmd_reply")
	w := writer{n}
	w.str("lrmd_origin", p.Origin)
	w.int("lrmd_rc", p.RC)
	w.int("lrmd_callid", p.CallID)
	w.str("lrmd_op", p.Op)
	w.str("lrmd_clientid", p.ClientID)
	w.str("lrmd_protocol_version", p.Version)
	w.str("lrmd_rsc_id", p.Rsc.ID)
	w.str("lrmd_class", p.Rsc.Class)
	w.str("lrmd_provider", p.Rsc.Provider)
	w.str("lrmd_type", p.Rsc.Type)
	rest := p.Recurring
	for _, id := range p.RecurringOf {
		rsc := n.AddNew("lrmd_rsc", xmltree.Attr{Name: "lrmd_rsc_id", Value: id})
		for len(rest) > 0 && rest[0].RscID == id {
			op := writer{rsc.AddNew("lrmd_rsc_op")}
			op.str("lrmd_rsc_action", rest[0].Action)
			op.ms("lrmd_rsc_interval", rest[0].Interval)
			op.int("lrmd_timeout", rest[0].Timeout)
			rest = rest[1:]
		}
	}
	return n
}

// ErrNoResult says that a reply carries no lrmd_rc: the peer is no executor.
var ErrNoResult = errors.New("lrmd: reply without lrmd_rc")

// ParseReply reads a reply.
func ParseReply(n *xmltree.Node) (Reply, error) {
	if _, ok := n.Get("lrmd_rc"); !ok {
		return Reply{}, ErrNoResult
	}
	r := reader{n}
	p := Reply{
		Origin: r.str("lrmd_origin"), RC: r.int("lrmd_rc"), CallID: r.int("lrmd_callid"),
		Op: r.str("lrmd_op"), ClientID: r.str("lrmd_clientid"), Version: r.str("lrmd_protocol_version"),
		Rsc: Rsc{r.str("lrmd_rsc_id"), r.str("lrmd_class"), r.str("lrmd_provider"), r.str("lrmd_type")},
	}
	n.Each("lrmd_rsc", func(rsc *xmltree.Node) {
		id, ok := rsc.Get("lrmd_rsc_id")
		if !ok {
			return
		}
		p.RecurringOf = append(p.RecurringOf, id)
		rsc.Each("lrmd_rsc_op", func(op *xmltree.Node) {
			o := reader{op}
			p.Recurring = append(p.Recurring, Recurring{id, o.str("lrmd_rsc_action"), o.ms("lrmd_rsc_interval"), o.int("lrmd_timeout")})
		})
	})
	return p, nil
}
