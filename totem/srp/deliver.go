package srp

import "github.com/pacesync/pacesync/totem/wire"

// deliver hands up messages in order, up to and including end. It stops at the
// first gap; with skip, in the transitional view, it goes on behind gaps, but
// hands up only what members of the transitional view sent (totemsrp.c:
// messages_deliver_to_app).
func (r *Ring) deliver(skip bool, end wire.Seq) {
	o := &r.order
	for o.delivered.Before(end) {
		seq := o.delivered + 1
		pkt := o.regular.get(seq)
		if pkt == nil {
			if !skip {
				return
			}
			o.delivered = seq
			continue
		}
		o.delivered = seq
		r.deliverPacket(pkt, skip)
	}
}

func (r *Ring) deliverPacket(pkt *Packet, transOnly bool) {
	var m wire.Mcast
	if err := wire.ParseMcast(pkt.B, &m); err != nil {
		panic("srp: an unparsed message in the sort queue: " + err.Error())
	}
	if transOnly && !r.member.trans.has(m.From) {
		return
	}
	r.out.Up = append(r.out.Up, Delivery{From: m.Node, Payload: m.Payload, Swapped: m.Swapped})
}

func (r *Ring) deliverView(v *View) { r.out.Up = append(r.out.Up, Delivery{View: v}) }
