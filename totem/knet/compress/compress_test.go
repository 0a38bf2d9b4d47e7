package compress

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/testneed"
)

// limit is what totem/knet allows: KNET_MAX_PACKET_SIZE.
const limit = 65536

// inputs are of the kinds that packets are of: text with repeats, a ramp, noise, runs.
func inputs() map[string][]byte {
	noise := make([]byte, limit)
	rand.NewChaCha8([32]byte{3}).Read(noise)
	far := make([]byte, 0, limit) // repeats at all distances
	r := rand.New(rand.NewPCG(1, 2))
	for len(far) < 60000 {
		if n := r.IntN(300); r.IntN(3) > 0 && n < len(far) {
			at := r.IntN(len(far) - n)
			far = append(far, far[at:at+n]...)
		} else {
			far = append(far, noise[len(far):len(far)+1+r.IntN(40)]...)
		}
	}
	in := map[string][]byte{
		"one byte": {7}, "three bytes": []byte("abc"), "zeros": make([]byte, limit), "noise": noise, "far": far,
		"runs": bytes.Repeat([]byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), 999),
		"text": []byte(strings.Repeat("<nvpair id=\"cib-bootstrap-options-have-watchdog\" name=\"have-watchdog\" value=\"false\"/>\n", 700)),
	}
	for _, n := range []int{4, 17, 18, 19, 30, 100, 237, 238, 239, 255, 256, 273, 274, 528, 1000} {
		in[fmt.Sprint(n, " of noise")] = noise[:n]
		in[fmt.Sprint(n, " zeros")] = make([]byte, n)
		in[fmt.Sprint(n, " of noise twice")] = append(bytes.Clone(noise[:n]), noise[:n]...)
	}
	return in
}

func set(t testing.TB, m Model, level int) *Compression {
	t.Helper()
	c := New()
	if _, err := c.Set(m.String(), level); err != nil {
		t.Fatal(err)
	}
	if c.Model() != uint8(m) {
		t.Fatalf("model %s is %d on the wire", m, c.Model())
	}
	return c
}

// TestRoundTrip packs and unpacks with every model and every level.
func TestRoundTrip(t *testing.T) {
	in := inputs()
	for m := Zlib; m < models; m++ {
		for _, level := range []int{-1, 0, 1, 3, 6, 9, 12, 999} {
			c := New()
			if _, err := c.Set(m.String(), level); err != nil {
				continue
			}
			if testing.Short() && level > 1 {
				continue
			}
			for name, src := range in {
				packed, err := c.Compress([]byte("front"), src)
				if err != nil {
					t.Fatalf("%s level %d, %s: %v", m, level, name, err)
				}
				if !bytes.HasPrefix(packed, []byte("front")) {
					t.Fatalf("%s: Compress does not append", m)
				}
				back, err := c.Decompress([]byte("front"), uint8(m), packed[5:], limit)
				if err != nil || string(back[:5]) != "front" || !bytes.Equal(back[5:], src) {
					t.Fatalf("%s level %d, %s: %d bytes became %d, then %d: %v", m, level, name, len(src), len(packed)-5, len(back)-5, err)
				}
				if name == "text" && level <= 12 && len(packed) > len(src)/10 {
					t.Errorf("%s level %d: %d bytes of text are still %d", m, level, len(src), len(packed))
				}
			}
		}
	}
}

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		model    string
		level    int
		used     int
		warnings int
		err      string
	}{
		{"none", 0, 0, 0, ""},
		{"zlib", 0, -1, 2, ""}, {"zlib", -1, -1, 0, ""}, {"zlib", 9, 9, 0, ""}, {"zlib", 10, 0, 0, "set knet_compression_level to -1 to 9"},
		{"zlib", -2, 0, 0, "not supported for model zlib"},
		{"lz4", 0, 0, 0, ""}, {"lz4", -5, -5, 0, ""}, {"lz4", 70000, 70000, 0, ""}, {"lz4hc", 0, 0, 0, ""}, {"lz4hc", 16, 16, 0, ""},
		{"lzo2", 0, 0, 1, ""}, {"lzo2", 11, 11, 0, ""}, {"lzo2", 999, 999, 0, ""},
		{"lzma", 0, 0, 0, ""}, {"lzma", 9, 9, 0, ""}, {"lzma", 10, 0, 0, "not supported for model lzma"}, {"lzma", -1, 0, 0, "not supported"},
		{"bzip2", 0, 0, 0, "set knet_compression_level to 1 to 9"}, {"bzip2", 1, 1, 0, ""}, {"bzip2", 10, 0, 0, "not supported"},
		{"zstd", 0, 0, 0, ""}, {"zstd", 22, 22, 0, ""}, {"zstd", 100, 100, 0, ""}, {"zstd", -7, -7, 0, ""},
		{"gzip", 1, 0, 0, "compress model gzip not supported"}, {"", 1, 0, 0, "not supported"},
	} {
		x := set(t, LZ4, 1)
		warnings, err := x.Set(c.model, c.level)
		if len(warnings) != c.warnings {
			t.Errorf("%s level %d: warnings %q, want %d", c.model, c.level, warnings, c.warnings)
		}
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || x.Model() != 0 {
				t.Errorf("%s level %d: %v, model %d; want …%s… and no model", c.model, c.level, err, x.Model(), c.err)
			}
			continue
		}
		if err != nil || x.Level() != c.used || Model(x.Model()).String() != c.model {
			t.Errorf("%s level %d: %v, is %s level %d", c.model, c.level, err, Model(x.Model()), x.Level())
		}
	}
}

// TestLimit: one byte less than needed is too little, for every model.
func TestLimit(t *testing.T) {
	for m := Zlib; m < models; m++ {
		c := set(t, m, 1)
		for _, n := range []int{1, 100, 4096, 65535} {
			src := bytes.Repeat([]byte("ab"), n)[:n]
			packed, err := c.Compress(nil, src)
			if err != nil {
				t.Fatal(err)
			}
			if out, err := c.Decompress(nil, uint8(m), packed, n); err != nil || len(out) != n {
				t.Errorf("%s: %d bytes within a limit of %d: %d, %v", m, n, n, len(out), err)
			}
			if out, err := c.Decompress(nil, uint8(m), packed, n-1); err == nil || len(out) != 0 {
				t.Errorf("%s: %d bytes within a limit of %d: %d, no error", m, n, n-1, len(out))
			}
		}
	}
}

// TestBombs unpacks 64 MiB of zeros, and headers that claim a lot, again and again:
// neither bytes nor memory run over.
func TestBombs(t *testing.T) {
	big := make([]byte, 64<<20)
	for m := Zlib; m < models; m++ {
		for name, bomb := range bombs(t, m, big) {
			c := New()
			out, err := c.Decompress(nil, uint8(m), bomb, limit)
			if err == nil || len(out) != 0 {
				t.Errorf("%s, %s (%d bytes): unpacked to %d, no error", m, name, len(bomb), len(out))
			}
			const times = 20
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range times {
				if _, err := c.Decompress(nil, uint8(m), bomb, limit); err == nil {
					t.Fatalf("%s, %s: no error", m, name)
				}
			}
			runtime.ReadMemStats(&after)
			if each := (after.TotalAlloc - before.TotalAlloc) / times; each > 1<<20 {
				t.Errorf("%s, %s: %d bytes of memory are taken for each packet of %d", m, name, each, len(bomb))
			}
		}
	}
}

// bombs are small packets that unpack to much.
func bombs(t *testing.T, m Model, big []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	pack := func(c codec) {
		packed, err := c.pack(nil, big)
		if err != nil {
			t.Fatal(err)
		}
		out["64 MiB of zeros"] = packed
	}
	switch m {
	case LZO2:
		out["a run without end"] = append([]byte{0x12, 'a', 0x20}, append(make([]byte, 60000), 1, 0, 0, 0x11, 0, 0)...)
		out["a claim of literals"] = append([]byte{0}, make([]byte, 60000)...)
	case LZMA:
		pack(&xzCodec{})
		packed, err := set(t, LZMA, 1).Compress(nil, bytes.Repeat([]byte("z"), 65537))
		if err != nil {
			t.Fatal(err)
		}
		out["a dictionary of 4 GiB"] = withDictionary(packed, 40)
	case Bzip2:
		pack(&bzip2Codec{level: 9})
	default:
		c, err := newCodec(m, 1)
		if err != nil {
			t.Fatal(err)
		}
		pack(c)
	}
	if m == Zstd {
		// A frame of one segment that claims 1 TiB, then a block that is repeated.
		out["a claim of 1 TiB"] = []byte("\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x01\x00\x00\x03\x00\x10a")
		// A window of 1 GiB and no size of the content.
		out["a window of 1 GiB"] = append([]byte("\x28\xb5\x2f\xfd\x00\xa0"), bytes.Repeat([]byte("\x02\x00\x10a"), 100)...)
	}
	return out
}

func TestUnknownModels(t *testing.T) {
	c := set(t, Zlib, 6)
	for _, m := range []uint8{0, uint8(models), 255} {
		if _, err := c.Decompress(nil, m, []byte("data"), limit); err == nil || !strings.Contains(err.Error(), "unknown compress model") {
			t.Errorf("model %d: %v", m, err)
		}
	}
	if _, err := New().Compress(nil, []byte("data")); err == nil {
		t.Error("packed without a model")
	}
}

// TestDamage cuts and changes packed data: an error or other bytes, never more than
// the limit. The codec works on afterwards.
func TestDamage(t *testing.T) {
	src := inputs()["far"][:3000]
	for m := Zlib; m < models; m++ {
		c := set(t, m, 1)
		packed, err := c.Compress(nil, src)
		if err != nil {
			t.Fatal(err)
		}
		step := 1 + len(packed)/200
		for i := 0; i < len(packed); i += step {
			damaged := bytes.Clone(packed)
			damaged[i] ^= 0x55
			for _, bad := range [][]byte{packed[:i], damaged} {
				if out, err := c.Decompress(nil, uint8(m), bad, limit); err == nil && len(out) > limit {
					t.Fatalf("%s: damage at %d unpacks to %d bytes", m, i, len(out))
				}
			}
		}
		if out, err := c.Decompress(nil, uint8(m), packed, limit); err != nil || !bytes.Equal(out, src) {
			t.Errorf("%s: after damaged packets a good one gives %d bytes, %v", m, len(out), err)
		}
	}
}

// TestPrograms lets the formats' own programs read ours, and reads theirs.
func TestPrograms(t *testing.T) {
	src := inputs()["far"]
	for _, p := range []struct {
		model      Model
		pack, back []string
	}{
		{LZMA, []string{"xz", "--check=none", "-9e", "-c"}, []string{"xz", "-dc"}},
		{Bzip2, []string{"bzip2", "-9c"}, []string{"bzip2", "-dc"}},
		{Zstd, []string{"zstd", "--no-check", "-19", "-c"}, []string{"zstd", "-dc"}},
	} {
		t.Run(p.model.String(), func(t *testing.T) {
			c := set(t, p.model, 6)
			theirs := pipe(t, p.pack, src)
			if out, err := c.Decompress(nil, uint8(p.model), theirs, limit); err != nil || !bytes.Equal(out, src) {
				t.Errorf("what %s packs: %d bytes, %v", p.pack[0], len(out), err)
			}
			ours, err := c.Compress(nil, src)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(pipe(t, p.back, ours), src) {
				t.Errorf("%s reads something else than was packed", p.back[0])
			}
		})
	}
}

func pipe(t *testing.T, command []string, in []byte) []byte {
	t.Helper()
	cmd := exec.Command(testneed.Program(t, command[0]), command[1:]...)
	cmd.Stdin = bytes.NewReader(in)
	var msg bytes.Buffer
	cmd.Stderr = &msg
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, msg.Bytes())
	}
	return out
}

// raced: built with the race detector, under which sync.Pool drops things at random.
var raced bool

// TestSteadyState says what a packet of 1400 bytes costs in memory.
func TestSteadyState(t *testing.T) {
	src := inputs()["text"][:1400]
	for m := Zlib; m < models; m++ {
		c := set(t, m, 1)
		packed, back := make([]byte, 0, 8000), make([]byte, 0, limit+1)
		run := func() {
			var err error
			if packed, err = c.Compress(packed[:0], src); err != nil {
				t.Fatal(err)
			}
			if back, err = c.Decompress(back[:0], uint8(m), packed, limit); err != nil {
				t.Fatal(err)
			}
		}
		run()
		n := testing.AllocsPerRun(20, run)
		switch m {
		case LZMA, Bzip2: // their readers cannot be used again
			if n > 1000 {
				t.Errorf("%s: %v allocations for a packet", m, n)
			}
		default: // zlib makes a new checksum
			if !raced && (n > 1 || n > 0 && m != Zlib) {
				t.Errorf("%s: %v allocations for a packet", m, n)
			}
		}
	}
}

func TestTooLongIsTold(t *testing.T) {
	c := set(t, Zlib, 6)
	packed, err := c.Compress(nil, make([]byte, 1000))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Decompress(nil, uint8(Zlib), packed, 999); !errors.Is(err, ErrTooLong) {
		t.Errorf("%v, want ErrTooLong", err)
	}
}
