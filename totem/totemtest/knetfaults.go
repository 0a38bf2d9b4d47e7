package totemtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/pacesync/pacesync/internal/sim"
	"github.com/pacesync/pacesync/totem/knet"
)

var be = binary.BigEndian

// knetStrike lets a fault that is over at once happen.
func (w *World) knetStrike(f *Fault, n *node) {
	switch f.Kind {
	case Filler:
		w.filler(n, f.Peer, f.N)
	case Burn:
		w.burn(n, f.Peer, f.N)
	case Replay:
		w.replay(n, &w.nodes[f.Peer], f.N)
	case StaleWrap:
		w.staleWrap(n, f.Peer)
	case Forge:
		w.forge(n, &w.nodes[f.Peer], f.N)
	}
	w.knetFlush(n)
}

// staleSize takes several packets at the MTUs that there are mostly.
const staleSize = 12000

// filler sends a datagram that is another application's.
func (w *World) filler(n *node, to, size int) {
	data := make([]byte, size)
	r := sim.NewRand(w.plan.Seed, uint64(w.now)^uint64(len(w.knet.dgrams))<<40)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	w.knetSend(n, to, data, true)
	w.knetFlush(n)
}

// burn sends datagrams that get lost, until count of the sender's numbers are used.
func (w *World) burn(n *node, to, count int) {
	if count < 0 {
		count = max(65535-int(w.knet.last[n.idx])+count, 0)
	}
	n.knet.burning = true
	for i := range count {
		w.knetSend(n, to, []byte{0}, true)
		if i%64 == 63 {
			w.knetFlush(n)
		}
	}
	w.knetFlush(n)
	n.knet.burning = false
}

// replay lets a datagram arrive again when count more were sent, of which the last
// arrives.
func (w *World) replay(n, peer *node, count int) {
	n.knet.direct = true
	w.knet.kept[n.idx] = kept{}
	w.filler(n, peer.idx, 40)
	old := w.knet.kept[n.idx]
	if len(old.data) > 0 {
		old.data = bytes.Clone(old.data)
		w.burn(n, peer.idx, count-1)
		w.filler(n, peer.idx, 41)
	}
	n.knet.direct = false
	if len(old.data) > 0 && peer.eng != nil && !peer.paused {
		i := w.net.take(old.data)
		w.net.packets[i].knet = old.p
		w.knetReceive(peer, event{kind: evArrive, node: uint8(peer.idx), from: uint8(n.idx), arg: i})
	}
}

// staleWrap lets a datagram lack its first packet, then moves the numbers on to the
// one that it had, with a single whole datagram on the way.
func (w *World) staleWrap(n *node, to int) {
	const round = 65535 // numbers there are, without 0
	n.knet.direct, n.knet.mute, n.knet.losing = true, true, true
	w.filler(n, to, staleSize)
	n.knet.losing = false
	w.burn(n, to, round/2)
	w.filler(n, to, 40)
	w.burn(n, to, round-2-round/2)
	w.filler(n, to, staleSize)
	n.knet.direct, n.knet.mute = false, false
}

// Forged packets. Those up to forgeHarmless come from where no packet of that host's
// link may come from and must leave no trace but a count.
const (
	forgeData          = iota // data from a stranger
	forgePing                 // ping of a host that has just started, from a stranger
	forgePong                 // pong of a link that came over another one
	forgeReply                // answer to a probe, from another link
	forgeHost                 // from a host that there is none of
	forgeLink                 // on a link that there is none of
	forgeSocket               // ping that came in at another link's socket
	forgeShort                // too short
	forgeVersion              // another version
	forgeFragmentZero         // number 0 of three, from the right address, as the rest
	forgeFragmentHigh         // number 200 of three
	forgeFragmentsMany        // of 255
	forgeChannel              // for a channel that nobody has
	forgeCompressed           // compressed, which nobody is
	forgePongEarly            // pong of a ping that will be sent in the future
	forgeReplyUnasked         // answer to a probe that was not sent
	forgeries
)

const forgeHarmless = forgeVersion

// forge lets a node receive a packet that looks as if another had sent it.
func (w *World) forge(from, to *node, what int) {
	if to.eng == nil || to.paused {
		return
	}
	link := uint8(int(w.now/ms) % w.plan.Knet.Links)
	other := uint8((int(link) + 1) % w.plan.Knet.Links)
	stranger := knetAddr(77, link)
	p := knetPacket{link: link, local: link, forged: true, harmless: what <= forgeHarmless, dgram: -1, from: knetAddr(from.idx, link)}
	host := uint16(from.id)
	next := w.knet.last[from.idx] + 5 // what came already would be dropped as such
	var data []byte
	switch what {
	case forgeData:
		data, p.from = knetData(host, next, 1, 0), stranger
	case forgePing:
		data, p.from = knetPing(0x81, host, link, 0), stranger
	case forgePong:
		if data = knetPing(0x82, host, other, 1); other == link {
			p.from = stranger
		}
	case forgeReply:
		if data = le.AppendUint16(append(knetHead(0x84, host), other), 65535); other == link {
			p.from = stranger
		}
	case forgeHost:
		data = knetPing(0x81, 60000, link, 1)
	case forgeLink:
		data = knetPing(0x81, host, 9, 1)
	case forgeSocket:
		if data = knetPing(0x81, host, link, 0); other == link {
			return
		}
		p.local = other
	case forgeShort:
		data = knetPing(0x81, host, link, 1)[:20]
	case forgeVersion:
		data = knetPing(0x81, host, link, 1)
		data[0] = 2
	case forgeFragmentZero:
		data = knetData(host, next, 3, 0)
	case forgeFragmentHigh:
		data = knetData(host, next, 3, 200)
	case forgeFragmentsMany:
		data = knetData(host, next, 255, 255)
	case forgeChannel:
		data = knetData(host, next, 1, 0)
		data[13] = 1
	case forgeCompressed:
		data = knetData(host, next, 1, 0)
		data[8] = 2
	case forgePongEarly:
		data = knetPing(0x82, host, link, 1)
		le.PutUint64(data[7:], uint64(w.now/time.Second)+1000)
	case forgeReplyUnasked:
		data = le.AppendUint16(append(knetHead(0x84, host), link), 65001)
	}
	i := w.net.take(data)
	w.net.packets[i].knet = p
	w.knetReceive(to, event{kind: evArrive, node: uint8(to.idx), from: uint8(from.idx), arg: i})
}

func knetHead(kind byte, host uint16) []byte {
	return append(be.AppendUint16([]byte{1, kind}, host), 0, 0)
}

// knetPing is a ping or pong, sent when its receiver started.
func knetPing(kind byte, host uint16, link byte, timed byte) []byte {
	b := append(knetHead(kind, host), link)
	return append(b, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, timed)
}

// knetData is a packet of data with a length that no MTU gives.
func knetData(host, seq uint16, fragments, fragment byte) []byte {
	b := be.AppendUint16(knetHead(0, host), max(seq, 1))
	b = append(b, 0, 0, 0, fragments, fragment, 0)
	return append(b, make([]byte, 401)...)
}

// describeKnet names a packet in a few words, by the simulator's own reading.
func describeKnet(b []byte) string {
	switch {
	case len(b) < 9 || b[0] != 1:
		return fmt.Sprintf("knet garbage of %d bytes", len(b))
	case b[1] == byte(knet.TypeData) && len(b) > 14:
		return fmt.Sprintf("knet data %d, %d of %d, %d bytes", be.Uint16(b[6:]), b[12], b[11], len(b))
	case len(b) >= 26 && b[1] <= byte(knet.TypePong):
		return fmt.Sprintf("knet %v link %d number %d timed %d", knet.PacketType(b[1]), b[6], be.Uint16(b[23:]), b[25])
	}
	return fmt.Sprintf("knet %v link %d size %d, %d bytes", knet.PacketType(b[1]), b[6], le.Uint16(b[7:]), len(b))
}
