package knet

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/knet/crypt"
)

// randomReader gives reproducible salts.
type randomReader struct{ *rand.Rand }

func (r randomReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return len(b), nil
}

// testKeys are keys with slot 1 set and in use.
func testKeys(t testing.TB, cipher, hash string, key byte) *crypt.Keys {
	t.Helper()
	k := crypt.New(randomReader{rand.New(rand.NewPCG(uint64(key), 3))})
	if cipher == "none" && hash == "none" {
		return k
	}
	if err := k.Set(1, crypt.Config{Cipher: cipher, Hash: hash, Key: bytes.Repeat([]byte{key}, 128)}); err != nil {
		t.Fatal(err)
	}
	if err := k.Use(1); err != nil {
		t.Fatal(err)
	}
	return k
}

var _ Crypto = (*crypt.Keys)(nil)

// TestCryptoMTU: data, probes and replies of every cipher have the sizes that the
// original's have, and the MTU is found whatever limits the path.
func TestCryptoMTU(t *testing.T) {
	for _, c := range []struct {
		cipher, hash string
		path         int
		want         int
		overhead     int
	}{
		{"aes256", "sha256", 1500, 1397, 20 + 8 + 26 + 16 + 32}, // as seen in a capture
		{"aes128", "sha1", 1500, 1397, 90},
		{"aes256", "sha512", 1500, 1365, 134},
		{"aes192", "md5", 1500, 1413, 86},
		{"none", "sha256", 1500, 1414, 86},
		{"aes256", "sha256", 1501, 1397, 102},
		{"aes256", "sha256", 1499, 1381, 102},
		{"aes256", "sha256", 9000, 8885, 102},
		{"aes256", "sha256", 65520, 65413, 102},
		{"aes256", "sha256", 65535, 65429, 102},
		{"aes256", "sha256", 576, 469, 102},
	} {
		for _, hole := range []bool{false, true} {
			w := newWorld(t, 1, 2, 1, func(cfg *Config) { cfg.Crypto = testKeys(t, c.cipher, c.hash, 7) })
			w.ifaceMTU, w.pathMTU = c.path, c.path
			if hole {
				w.ifaceMTU = 65535
			}
			w.run(2 * time.Minute)
			if got := w.nodes[0].e.MTU(); got != c.want {
				t.Errorf("%s/%s, MTU %d, black hole %v: %d bytes of data, want %d", c.cipher, c.hash, c.path, hole, got, c.want)
			}
			var s LinkStatus
			if w.nodes[0].e.Status(LinkKey{2, 0}, &s); s.ProtoOverhead != c.overhead {
				t.Errorf("%s/%s: overhead %d, want %d", c.cipher, c.hash, s.ProtoOverhead, c.overhead)
			}
			msg := bytes.Repeat([]byte("secret"), 9000)
			w.nodes[0].send(0, msg)
			w.run(time.Second)
			if got := w.nodes[1].got; len(got) != 1 || !bytes.Equal(got[0], msg) {
				t.Errorf("%s/%s: %d datagrams came", c.cipher, c.hash, len(got))
			}
			for _, n := range w.nodes {
				var st Stats
				if n.e.Stats(&st); st.Dropped[DropSealed] != 0 || n.count(EventMTUAborted) != 0 {
					t.Errorf("%s/%s: %d did not authenticate, %d searches aborted", c.cipher, c.hash, st.Dropped[DropSealed], n.count(EventMTUAborted))
				}
			}
		}
	}
}

// TestCryptoReply: a sealed reply is as long as the original's.
func TestCryptoReply(t *testing.T) {
	w := newWorld(t, 1, 2, 1, func(cfg *Config) { cfg.Crypto = testKeys(t, "aes256", "sha256", 7) })
	w.errno = func(d *Datagram) Errno {
		want := map[PacketType]int{TypePMTUDReply: 64, TypePing: 80, TypePong: 80}[d.Type]
		if want != 0 && len(d.Data) != want {
			t.Errorf("%v of %d bytes, want %d", d.Type, len(d.Data), want)
		}
		return 0
	}
	w.up()
}

// TestCryptoWrongKey: what does not authenticate is counted and changes nothing:
// no counter of a link moves, nothing is answered.
func TestCryptoWrongKey(t *testing.T) {
	w := newWorld(t, 1, 2, 1, func(cfg *Config) { cfg.Crypto = testKeys(t, "aes256", "sha256", byte(cfg.Self)) })
	w.run(10 * time.Second)
	for _, n := range w.nodes {
		var s Stats
		n.e.Stats(&s)
		l := n.e.hosts[0].links[0]
		if s.Dropped[DropSealed] < 10 || l.stats.RxPingPackets+l.stats.RxPongPackets != 0 || l.connected || l.stats.TxPongPackets != 0 {
			t.Errorf("host %d: %d dropped, %+v", n.id, s.Dropped[DropSealed], l.stats)
		}
		if c := n.count(EventDropped); c > 12 {
			t.Errorf("host %d: told %d times in 10 s", n.id, c)
		}
	}
}

// TestCryptoClearRefused: packets in clear are not taken where there is a key, unless
// that is allowed.
func TestCryptoClearRefused(t *testing.T) {
	for _, allow := range []bool{false, true} {
		w := newWorld(t, 1, 2, 1, func(cfg *Config) {
			if cfg.Self == 1 {
				cfg.Crypto = testKeys(t, "none", "none", 0)
				cfg.AllowClear = true
				return
			}
			k := testKeys(t, "aes256", "sha256", 7)
			if err := k.Use(0); err != nil { // it sends in clear, so that host 1 could answer
				t.Fatal(err)
			}
			cfg.Crypto, cfg.AllowClear = k, allow
		})
		w.run(10 * time.Second)
		if got := w.nodes[1].e.hosts[0].links[0].connected; got != allow {
			t.Errorf("clear packets allowed %v: link up %v", allow, got)
		}
	}
}

// TestCryptoTampered: any bit of a sealed packet that changed makes it nobody's.
func TestCryptoTampered(t *testing.T) {
	a := testConfig(1, 2, 1)
	a.Crypto = testKeys(t, "aes256", "sha256", 7)
	b := testConfig(2, 2, 1)
	b.Crypto = testKeys(t, "aes256", "sha256", 7)
	from, err := New(epoch, a)
	if err != nil {
		t.Fatal(err)
	}
	to, err := New(epoch, b)
	if err != nil {
		t.Fatal(err)
	}
	to.Step(epoch)
	to.Output()
	from.Step(epoch)
	ping := bytes.Clone(from.Output().Send[0].Data)
	for bit := range len(ping) * 8 {
		bad := bytes.Clone(ping)
		bad[bit/8] ^= 1 << (bit % 8)
		to.Receive(epoch, addr(2, 0), addr(1, 0), bad)
		if out := to.Output(); len(out.Send)+len(out.Up) != 0 {
			t.Fatalf("a packet with bit %d changed is answered", bit)
		}
	}
	for n := range ping {
		to.Receive(epoch, addr(2, 0), addr(1, 0), bytes.Clone(ping[:n]))
	}
	var s Stats
	if to.Stats(&s); s.Dropped[DropSealed] != uint64(len(ping)*9) {
		t.Errorf("%d dropped of %d", s.Dropped[DropSealed], len(ping)*9)
	}
	to.Receive(epoch, addr(2, 0), addr(1, 0), ping)
	if out := to.Output(); len(out.Send) != 1 {
		t.Error("the packet itself is not answered")
	}
}

// TestCVE_2018_1084: packets shorter than salt, block and digest are nobody's.
func TestCVE_2018_1084(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, suite := range [][2]string{{"aes256", "sha512"}, {"aes128", "md5"}, {"none", "sha1"}} {
		cfg := testConfig(1, 2, 1)
		cfg.Crypto = testKeys(t, suite[0], suite[1], 7)
		e, err := New(epoch, cfg)
		if err != nil {
			t.Fatal(err)
		}
		e.Output()
		for n := range 200 {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			e.Receive(epoch, addr(1, 0), addr(2, 0), b)
		}
		var s Stats
		if e.Stats(&s); s.Dropped[DropSealed] != 200 || len(e.Output().Send) != 0 {
			t.Errorf("%v: %d of 200 dropped", suite, s.Dropped[DropSealed])
		}
	}
}

// TestCryptoChange: a cluster changes its key, and from no key to one and back, under
// load: no datagram is lost, no link goes down.
func TestCryptoChange(t *testing.T) {
	keys := map[HostID]*crypt.Keys{}
	clearOK := func(c *Config) { c.AllowClear = true }
	w := newWorld(t, 1, 3, 1, func(cfg *Config) {
		keys[cfg.Self] = testKeys(t, "none", "none", byte(cfg.Self))
		cfg.Crypto = keys[cfg.Self]
		clearOK(cfg)
	})
	w.up()
	sent := 0
	load := func() {
		for range 20 {
			w.nodes[0].send(0, make([]byte, 5000))
			sent++
			w.run(10 * time.Millisecond)
		}
	}
	slot, last := 0, 2
	for _, c := range []crypt.Config{
		{Cipher: "aes256", Hash: "sha256", Key: bytes.Repeat([]byte{1}, 128)},
		{Cipher: "aes128", Hash: "sha1", Key: bytes.Repeat([]byte{2}, 128)},
		{Cipher: "none", Hash: "none"},
		{Cipher: "none", Hash: "sha512", Key: bytes.Repeat([]byte{3}, 128)},
	} {
		next := 0
		if c.Enabled() {
			next, last = 3-last, 3-last
		}
		for _, phase := range []string{"set", "use", "clear"} {
			for _, n := range w.nodes {
				k := keys[n.id]
				var err error
				switch {
				case phase == "set" && next != 0:
					err = k.Set(next, c)
				case phase == "use":
					err = k.Use(next)
					n.e.CryptoChanged(w.now)
					n.drain()
				case phase == "clear" && slot != 0:
					err = k.Clear(slot)
				}
				if err != nil {
					t.Fatal(err)
				}
				load()
			}
		}
		slot = next
		w.up()
	}
	w.run(5 * time.Second)
	for _, n := range w.nodes[1:] {
		if len(n.got) != sent {
			t.Errorf("host %d got %d of %d datagrams", n.id, len(n.got), sent)
		}
		if n.count(EventLinkDown) != 0 {
			t.Errorf("host %d: %q", n.id, n.log())
		}
	}
	if got := w.nodes[0].e.MTU(); got != 1500-28-64-26 {
		t.Errorf("MTU %d with sha512", got)
	}
}

// TestSealFails: without random bytes nothing is sent in clear instead.
func TestSealFails(t *testing.T) {
	cfg := testConfig(1, 2, 1)
	cfg.Crypto = brokenCrypto{}
	e, err := New(epoch, cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Step(epoch)
	var s Stats
	if out := e.Output(); len(out.Send) != 0 {
		t.Error("something was sent")
	}
	if e.Stats(&s); s.Dropped[DropSeal] != 1 {
		t.Errorf("%d dropped", s.Dropped[DropSeal])
	}
}

type brokenCrypto struct{}

func (brokenCrypto) Configured() bool            { return true }
func (brokenCrypto) Salt() int                   { return 16 }
func (brokenCrypto) Sealed(n int) int            { return n + 16 }
func (brokenCrypto) Plain(n int) int             { return n - 16 }
func (brokenCrypto) Seal([][]byte) error         { return errors.New("no random bytes") }
func (brokenCrypto) Open([]byte) ([]byte, error) { return nil, errors.New("no key") }
