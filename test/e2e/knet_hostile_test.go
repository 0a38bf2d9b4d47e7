package e2e

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// Packet types of kronosnet (libknet/onwire.h).
const (
	knetData       = 0x00
	knetPing       = 0x81
	knetPong       = 0x82
	knetPMTU       = 0x83
	knetPMTUAnswer = 0x84
)

// forged is a family of packets that no honest node sends.
type forged struct {
	name    string
	packets [][]byte
	// breaks: in the clear the original's checks don't hold against it (kronosnet's
	// advisories of 2026 and more), so it is sent to ours only.
	breaks bool
	// deaf: with the address of a member, it makes receivers take honest packets for old
	// ones; the format has no defence but encryption.
	deaf bool
}

func knetHeader(kind byte, node uint16, rest ...byte) []byte {
	p := binary.BigEndian.AppendUint16([]byte{1, kind}, node)
	return append(append(p, 0, 0), rest...)
}

// dataPacket has the header of a data packet: number, compression, fragments, channel.
func dataPacket(node, seq uint16, compress, frags, frag, channel byte, payload ...byte) []byte {
	return append(knetHeader(knetData, node, byte(seq>>8), byte(seq), compress, 0, 1, frags, frag, channel), payload...)
}

// forgeries are packets in the name of a node; the last number it has used is near seq.
func forgeries(node, seq uint16, rng *rand.Rand) []forged {
	return append(brokenPackets(node, seq, rng), dataForgeries(node, seq, rng)...)
}

func brokenPackets(node, seq uint16, rng *rand.Rand) []forged {
	var short, versions, links, sizes, noise [][]byte
	for _, kind := range []byte{knetData, knetPing, knetPong, knetPMTU, knetPMTUAnswer, 1, 0x7f, 0x80, 0x85, 0xff} {
		whole := append(knetHeader(kind, node), make([]byte, 26)...)
		for n := range whole {
			short = append(short, whole[:n])
		}
		for _, version := range []byte{0, 2, 0x81, 255} {
			p := bytes.Clone(whole)
			p[0] = version
			versions = append(versions, p)
		}
	}
	for link := range 256 {
		for _, kind := range []byte{knetPing, knetPong, knetPMTU, knetPMTUAnswer} {
			rest := append([]byte{byte(link)}, make([]byte, 19)...)
			rest[17], rest[18], rest[19] = byte(seq>>8), byte(seq), 1
			links = append(links, knetHeader(kind, node, rest...))
		}
	}
	for _, size := range []uint16{0, 1, 27, 28, 29, 575, 1499, 1501, 9000, 32768, 65534, 65535} {
		for _, kind := range []byte{knetPMTU, knetPMTUAnswer} {
			for _, pad := range []int{0, 1, 1400} {
				p := binary.NativeEndian.AppendUint16(knetHeader(kind, node, 0), size)
				sizes = append(sizes, append(p, make([]byte, pad)...))
			}
		}
	}
	for range 200 {
		p := make([]byte, rng.IntN(1400))
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		noise = append(noise, p)
	}
	return []forged{
		// Of a header that is cut short the original reads what lay there before, and hangs.
		{name: "cut short", packets: short, breaks: true}, {name: "other versions", packets: versions},
		{name: "link ids", packets: links, breaks: true}, {name: "path MTU sizes", packets: sizes}, {name: "noise", packets: noise},
	}
}

func dataForgeries(node, seq uint16, rng *rand.Rand) []forged {
	var fragments, replays, jumps, channels, compressed, nodes [][]byte
	payload := bytes.Repeat([]byte{0xa5}, 200)
	for i, f := range [][2]byte{{0, 0}, {0, 1}, {0, 255}, {1, 0}, {1, 1}, {1, 2}, {1, 255}, {2, 0}, {2, 3}, {2, 255}, {254, 255}, {255, 0}, {255, 1}, {255, 255}, {3, 1}, {3, 1}, {3, 2}, {3, 2}, {3, 3}} {
		fragments = append(fragments, dataPacket(node, seq-uint16(i), 0, f[0], f[1], 0, payload...), dataPacket(node, seq-uint16(i), 0, f[0], f[1], 0))
	}
	for i := range uint16(300) {
		replays = append(replays, dataPacket(node, seq-i, 0, 1, 1, 0, payload...))
	}
	for _, jump := range []uint16{1, 100, 2048, 4095, 4096, 4097, 32767, 32768, 60000, 65535} {
		jumps = append(jumps, dataPacket(node, seq+jump, 0, 1, 1, 0, payload...))
	}
	for _, c := range []byte{1, 2, 31, 32, 127, 128, 255} {
		channels = append(channels, dataPacket(node, seq, 0, 1, 1, c, payload...))
	}
	bomb := zeros(1 << 20)
	for model := range 256 {
		compressed = append(compressed, dataPacket(node, seq-uint16(model), byte(model), 1, 1, 0, bomb...), dataPacket(node, seq-uint16(model), byte(model), 1, 1, 0))
	}
	for _, id := range []uint16{0, 1, 4, 999, 65535} {
		nodes = append(nodes, dataPacket(id, seq, 0, 1, 1, 0, payload...), knetHeader(knetPing, id, make([]byte, 20)...))
	}
	rng.Shuffle(len(replays), func(i, j int) { replays[i], replays[j] = replays[j], replays[i] })
	return []forged{
		{name: "fragment numbers", packets: fragments, breaks: true}, {name: "old numbers", packets: replays, deaf: true},
		{name: "numbers far ahead", packets: jumps, deaf: true},
		// The original takes the channel for an index as it is, beyond its table and below
		// it, and writes to what it finds there for a socket (libknet/threads_rx.c).
		{name: "channels", packets: channels, breaks: true, deaf: true},
		{name: "compression", packets: compressed, breaks: true}, {name: "other nodes", packets: nodes},
	}
}

// zeros is so many zero bytes as zlib makes them small: 1 MiB fits a packet.
func zeros(n int) []byte {
	var b bytes.Buffer
	w, _ := zlib.NewWriterLevel(&b, zlib.BestCompression)
	w.Write(make([]byte, n))
	w.Close()
	return b.Bytes()
}

// attacker sends packets from any address: a raw socket on a machine of the lab
// that is no member.
type attacker struct{ fd int }

func newAttacker(t *testing.T, host *lab.Node) *attacker {
	t.Helper()
	a := &attacker{}
	must(t, host.InNet(func() (err error) {
		a.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		return err
	}))
	t.Cleanup(func() { unix.Close(a.fd) })
	return a
}

// send sends a datagram; its UDP checksum is left out, which IPv4 allows.
func (a *attacker) send(from, to netip.AddrPort, payload []byte) error {
	size := 28 + len(payload)
	p := make([]byte, 28, size)
	p[0], p[8], p[9] = 0x45, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(p[2:], uint16(size))
	copy(p[12:], from.Addr().AsSlice())
	copy(p[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(p[20:], from.Port())
	binary.BigEndian.PutUint16(p[22:], to.Port())
	binary.BigEndian.PutUint16(p[24:], uint16(8+len(payload)))
	return unix.Sendto(a.fd, append(p, payload...), 0, &unix.SockaddrInet4{Addr: to.Addr().As4()})
}

// lastNumber is the number of the latest data packet of a node, in the clear.
func lastNumber(t *testing.T, l *lab.Lab, node uint16) uint16 {
	t.Helper()
	var seq uint16
	must(t, sniff(l, 0, 20*time.Second, func(p []byte) bool {
		if len(p) < 14 || p[0] != 1 || p[1] != knetData || binary.BigEndian.Uint16(p[2:]) != node {
			return false
		}
		seq = binary.BigEndian.Uint16(p[6:])
		return true
	}))
	return seq
}

// TestKnetHostile: with crypto off, forged packets reach a running ring. Those
// from foreign addresses change nothing; those with a member's address cannot all
// be told from real ones, but nothing crashes and the ring is whole at once.
// (CVE-2026-15812 link ids, CVE-2026-15813 fragment numbers, decompression bombs.)
func TestKnetHostile(t *testing.T) {
	labtest.Long(t, "totem/knet's fuzz corpora")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 6*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 1, lab.NodeSpec{Host: true})
			startConf(t, ctx, l, knet(compression("zlib")...))
			waitLinks(t, ctx, l, 1, "all links to be up", connected)
			a, host := newAttacker(t, l.Node("h1")), l.Node("h1")
			t.Run("from a foreign address", func(t *testing.T) {
				stays(t, ctx, l.Members(), "forged packets", func() {
					attack(t, ctx, l, a, host.Addr(0), lastNumber(t, l, 2), nil, func(f forged, ours bool) bool { return ours || !f.breaks })
					sendAndCompare(t, ctx, l.Members(), load, 30, time.Minute)
				})
			})
			t.Run("with a member's address", func(t *testing.T) {
				stays(t, ctx, l.Members(), "forged packets", func() {
					attack(t, ctx, l, a, l.Node("n2").Addr(0), lastNumber(t, l, 2), nil, func(f forged, ours bool) bool { return !f.deaf && (ours || !f.breaks) })
				})
				attack(t, ctx, l, a, l.Node("n2").Addr(0), lastNumber(t, l, 2), nil, func(f forged, ours bool) bool { return ours || !f.breaks })
				must(t, l.WaitRing(ctx, l.Members()...))
				sendInGroup(t, ctx, "after", l.Members(), load, 30, time.Minute)
			})
		})
	}
}

// TestKnetHostileWithKey is TestKnetHostile by a peer that has the key.
func TestKnetHostileWithKey(t *testing.T) {
	labtest.Long(t, "totem/knet's fuzz corpora")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 6*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 1, lab.NodeSpec{Host: true})
			startConf(t, ctx, l, knet(append(crypto("aes256", "sha256"), compression("zlib")...)...))
			waitLinks(t, ctx, l, 1, "all links to be up", connected)
			a := newAttacker(t, l.Node("h1"))
			attack(t, ctx, l, a, l.Node("n2").Addr(0), 1000, sealer(t, lab.Authkey("")), func(f forged, ours bool) bool { return ours || !f.breaks })
			must(t, l.WaitRing(ctx, l.Members()...))
			sendInGroup(t, ctx, "after", l.Members(), load, 30, time.Minute)
			stays(t, ctx, l.Members(), "packets that are not sealed", func() {
				attack(t, ctx, l, a, l.Node("n2").Addr(0), 1000, nil, func(forged, bool) bool { return true })
				attack(t, ctx, l, a, l.Node("n2").Addr(0), 1000, sealer(t, lab.Authkey("wrong")), func(forged, bool) bool { return true })
				sendInGroup(t, ctx, "last", l.Members(), load, 30, time.Minute)
			})
		})
	}
}

// TestKnetFlood reproduces kronosnet#255 (users' pain A11): a node is flooded with
// packets on the port of its only link, from a foreign address and with a member's.
// Whatever that does to the ring meanwhile, the node isn't isolated afterwards.
func TestKnetFlood(t *testing.T) {
	labtest.Long(t, "totem/knet's fuzz corpora")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 4*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 1, lab.NodeSpec{Host: true})
			startConf(t, ctx, l, knet(append(crypto("aes256", "sha256"), "token: 4000")...))
			waitLinks(t, ctx, l, 1, "all links to be up", connected)
			a, host := newAttacker(t, l.Node("h1")), l.Node("h1")
			for _, n := range l.Members() {
				for _, from := range []string{host.Addr(0), others(l, n)[0].Addr(0)} {
					t.Logf("%d packets to %s in the name of %s", a.flood(t, from, n.Addr(0), 2*time.Second), n.Name(), from)
				}
			}
			must(t, l.WaitRing(ctx, l.Members()...))
			waitLinks(t, ctx, l, 1, "all links to be up after the floods", connected)
			sendInGroup(t, ctx, "after", l.Members(), load, 30, time.Minute)
		})
	}
}

// flood sends packets of any length and content as fast as it can.
func (a *attacker) flood(t *testing.T, from, to string, span time.Duration) (sent int) {
	t.Helper()
	src := netip.AddrPortFrom(netip.MustParseAddr(from), knetPort)
	dst := netip.AddrPortFrom(netip.MustParseAddr(to), knetPort)
	rng := rand.NewChaCha8([32]byte{1})
	p := make([]byte, 1400)
	for end := time.Now().Add(span); time.Now().Before(end); sent++ {
		rng.Read(p[:64])
		if err := a.send(src, dst, p[:1+sent*37%len(p)]); err != nil && !errors.Is(err, unix.ENOBUFS) {
			t.Fatal(err)
		}
	}
	return sent
}

// sealer seals packets as aes256 and sha256 do: random salt, AES-256-CBC with the
// first bytes of the key, HMAC over all of it.
func sealer(t *testing.T, key []byte) func([]byte) []byte {
	block, err := aes.NewCipher(key[:32])
	must(t, err)
	return func(p []byte) []byte {
		pad := aes.BlockSize - len(p)%aes.BlockSize
		out := make([]byte, aes.BlockSize, aes.BlockSize+len(p)+pad+sha256.Size)
		binary.BigEndian.PutUint64(out, rand.Uint64())
		body := append(bytes.Clone(p), bytes.Repeat([]byte{byte(pad)}, pad)...)
		cipher.NewCBCEncrypter(block, out[:aes.BlockSize]).CryptBlocks(body, body)
		out = append(out, body...)
		mac := hmac.New(sha256.New, key)
		mac.Write(out)
		return mac.Sum(out)
	}
}

// attack sends the forgeries that pick chooses to all nodes but the second, in
// whose name they are; seal closes them, if there is a key.
func attack(t *testing.T, ctx context.Context, l *lab.Lab, a *attacker, from string, seq uint16, seal func([]byte) []byte, pick func(f forged, ours bool) bool) {
	t.Helper()
	src := netip.AddrPortFrom(netip.MustParseAddr(from), knetPort)
	for _, f := range forgeries(2, seq, rand.New(rand.NewPCG(1, 2))) {
		for _, n := range l.Members() {
			if n.ID() == 2 || !pick(f, n.Corosync() == lab.Ours) {
				continue
			}
			dst := netip.AddrPortFrom(netip.MustParseAddr(n.Addr(0)), knetPort)
			for i, p := range f.packets {
				if seal != nil {
					p = seal(p)
				}
				if err := a.send(src, dst, p); err != nil {
					t.Fatalf("%s: packet %d of %d bytes: %v", f.name, i, len(p), err)
				}
			}
			if n.Daemon(lab.PartCorosync) == 0 {
				t.Fatalf("%s from %s: corosync on %s is gone", f.name, from, n.Name())
			}
		}
	}
	for _, n := range l.Members() {
		if err := n.WaitServe(ctx); err != nil {
			t.Fatal(fmt.Errorf("after forged packets from %s: %w", from, err))
		}
	}
}
