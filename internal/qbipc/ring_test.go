package qbipc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newRing makes the two ends of a ring in a directory of its own: writer's end
// made as a server makes it, reader's end opened as a client opens it, or the
// other way round.
func newRing(t testing.TB, maxMsg uint32, serverWrites bool) (writer, reader *ring, dir string) {
	t.Helper()
	dir = t.TempDir()
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	c := &Conn{srv: &Server{o: Options{Name: "svc"}}, maxMsg: maxMsg, folder: folder{path: dir},
		peer: Peer{OwnerUID: uint32(os.Getuid()), OwnerGID: uint32(os.Getgid()), Mode: 0o600}}
	made, base, err := c.createRing(fd, "request")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.unmap)
	if base != dir+"/qb-request-svc" {
		t.Errorf("base %q", base)
	}
	opened, err := openRing(base, maxMsg, !serverWrites)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.unmap)
	if serverWrites {
		return made, opened, dir
	}
	return opened, made, dir
}

func hexBytes(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestHeaderFile: the header's fields where libqb 2.0.6 on x86-64 has them.
func TestHeaderFile(t *testing.T) {
	w, _, dir := newRing(t, 1<<20, false)
	if err := w.write([]byte("0123456789"), nil); err != nil {
		t.Fatal(err)
	}
	if err := w.setUserData(2); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "qb-request-svc-header"))
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 8252 {
		t.Fatalf("%d bytes, want 8252", len(b))
	}
	want := make([]byte, 8252)
	copy(want, hexBytes(t, "05000000 00000000 00040400")) // write_pt 5, read_pt 0, word_size 263168
	copy(want[12:], dir+"/qb-request-svc-header")
	copy(want[4108:], dir+"/qb-request-svc-data")
	copy(want[8204:], hexBytes(t, "02000000"))          // ref_count
	copy(want[8208:], hexBytes(t, "01000000 00000000")) // semaphore: value, waiters
	copy(want[8216:], hexBytes(t, "80000000"))          // shared
	copy(want[8240:], hexBytes(t, "02000000"))          // flow control
	for i := range want {
		if b[i] != want[i] {
			t.Fatalf("byte %d is %#x, want %#x", i, b[i], want[i])
		}
	}
	if st, err := os.Stat(filepath.Join(dir, "qb-request-svc-data")); err != nil || st.Size() != 1052672 {
		t.Errorf("data file: %v, %d bytes, want 1052672", err, st.Size())
	}
}

// TestChunk: a chunk's bytes when committed and when read.
func TestChunk(t *testing.T) {
	w, r, dir := newRing(t, 4000, true)
	if err := w.write([]byte("abc"), []byte("defgh")); err != nil {
		t.Fatal(err)
	}
	if err := w.write([]byte("xyz"), nil); err != nil {
		t.Fatal(err)
	}
	look := func() []byte {
		b, err := os.ReadFile(filepath.Join(dir, "qb-request-svc-data"))
		if err != nil {
			t.Fatal(err)
		}
		return b[:28]
	}
	want := hexBytes(t, "08000000 a1a1a1a1 6162636465666768 03000000 a1a1a1a1 78797a00")
	if got := look(); !bytes.Equal(got, want) {
		t.Errorf("committed: %x, want %x", got, want)
	}
	var buf [8]byte
	if n, err := r.tryRead(buf[:]); n != 8 || err != nil || string(buf[:]) != "abcdefgh" {
		t.Errorf("read %q %v", buf[:n], err)
	}
	copy(want, hexBytes(t, "00000000 d0d0d0d0"))
	if got := look(); !bytes.Equal(got, want) {
		t.Errorf("after reading: %x, want %x", got, want)
	}
	if _, err := r.tryRead(buf[:2]); err != unix.ENOBUFS {
		t.Errorf("too short a buffer: %v, want ENOBUFS", err)
	}
	if n, err := r.tryRead(buf[:3]); n != 3 || err != nil {
		t.Errorf("the message was not kept: %d %v", n, err)
	}
	if _, err := r.tryRead(buf[:]); err != unix.EAGAIN {
		t.Errorf("empty ring: %v, want EAGAIN", err)
	}
}

func TestRoom(t *testing.T) {
	// 4000 bytes make a ring of 4096: one word stays free, and a margin of 12.
	w, r, _ := newRing(t, 4000, true)
	buf := make([]byte, 4096)
	if err := w.write(buf[:4001], nil); err != unix.EMSGSIZE {
		t.Errorf("longer than allowed: %v, want EMSGSIZE", err)
	}
	for _, tc := range []struct {
		first, second int
		want          error
	}{
		{4000, 72, nil},
		{4000, 73, unix.EAGAIN},
		{2000, 2064, nil}, // 4096 - 2008 - 4 (one word stays free) - 12 = 2072
		{2000, 2072, nil},
		{2000, 2073, unix.EAGAIN},
		{1, 0, nil},
	} {
		if err := w.write(buf[:tc.first], nil); err != nil {
			t.Fatal(err)
		}
		if err := w.write(buf[:tc.second], nil); err != tc.want {
			t.Errorf("%d bytes after %d: %v, want %v", tc.second, tc.first, err, tc.want)
		}
		for {
			if _, err := r.tryRead(buf); err != nil {
				break
			}
		}
	}
}

// TestRingAgainstModel: random writes and reads, compared with a plain queue.
// Contents come through unchanged at every position, the wrap included, and
// there is room exactly when libqb says so.
func TestRingAgainstModel(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 7))
		w, r, _ := newRing(t, 5000, seed%2 == 0)
		words := int(w.words)
		var queue [][]byte
		used := 0 // words
		buf := make([]byte, 5000)
		sizes := []int{1, 17, 300, 5001}
		for range 20_000 {
			if rng.IntN(2) == 0 {
				m := make([]byte, rng.IntN(sizes[rng.IntN(len(sizes))]))
				for i := range m {
					m[i] = byte(rng.Uint32())
				}
				cut := rng.IntN(len(m) + 1)
				free := words - used - 1
				if used == 0 {
					free = words
				}
				var want error
				if 4*free < len(m)+chunkMargin {
					want = unix.EAGAIN
				}
				if err := w.write(m[:cut], m[cut:]); err != want {
					t.Fatalf("seed %d: write %d bytes with %d words used: %v, want %v", seed, len(m), used, err, want)
				}
				if want == nil {
					queue = append(queue, m)
					used += 2 + (len(m)+3)/4
				}
				continue
			}
			n, err := r.tryRead(buf)
			if len(queue) == 0 {
				if err != unix.EAGAIN {
					t.Fatalf("seed %d: read from an empty ring: %v", seed, err)
				}
				continue
			}
			if err != nil || !bytes.Equal(buf[:n], queue[0]) {
				t.Fatalf("seed %d: read %d bytes, %v; want %d", seed, n, err, len(queue[0]))
			}
			used -= 2 + (n+3)/4
			queue = queue[1:]
		}
	}
}

// TestSemaphoreWakesWaiters: no wake-up is lost between a reader that sleeps and
// a writer.
func TestSemaphoreWakesWaiters(t *testing.T) {
	w, r, _ := newRing(t, 4000, true)
	const n = 20_000
	done := make(chan int)
	go func() {
		got := 0
		var ts unix.Timespec
		for got < n && r.sem().wait(5*time.Second, &ts) {
			got++
		}
		done <- got
	}()
	for range n {
		w.sem().post()
	}
	if got := <-done; got != n {
		t.Errorf("%d of %d posts were seen", got, n)
	}
	if v := atomic.LoadUint64(w.sem().word); v != 0 {
		t.Errorf("semaphore is %#x at the end, want 0", v)
	}
	var ts unix.Timespec
	if r.sem().wait(10*time.Millisecond, &ts) {
		t.Error("wait took what was not there")
	}
	if v := atomic.LoadUint64(w.sem().word); v != 0 {
		t.Errorf("a waiter is left after the time-out: %#x", v)
	}
}

// TestTruncatedRing: losing the pages is an error of the call, not the end of
// the process, in each of the two files and for each operation.
func TestTruncatedRing(t *testing.T) {
	for _, file := range []string{"header", "data"} {
		t.Run(file, func(t *testing.T) {
			w, r, dir := newRing(t, 1<<20, true)
			if err := w.write([]byte("hello"), nil); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(filepath.Join(dir, "qb-request-svc-"+file), 0); err != nil {
				t.Fatal(err)
			}
			var buf [100]byte
			if _, err := r.tryRead(buf[:]); !errors.Is(err, ErrFault) {
				t.Errorf("read: %v, want ErrFault", err)
			}
			if err := w.write([]byte("hello"), nil); !errors.Is(err, ErrFault) {
				t.Errorf("write: %v, want ErrFault", err)
			}
			if file == "data" {
				return
			}
			if _, err := r.waiting(); !errors.Is(err, ErrFault) {
				t.Errorf("waiting: %v, want ErrFault", err)
			}
			if err := w.setUserData(1); !errors.Is(err, ErrFault) {
				t.Errorf("user data: %v, want ErrFault", err)
			}
		})
	}
}

// TestOtherPanicsPass: the guard is for faults in the mapping alone.
func TestOtherPanicsPass(t *testing.T) {
	w, _, _ := newRing(t, 4000, true)
	defer func() {
		if recover() == nil {
			t.Error("a panic of our own was swallowed")
		}
	}()
	func() (err error) {
		defer w.recoverFault(false, &err)
		var p *ring
		return p.setUserData(1)
	}()
}

// TestHostileHeader: words of the peer's are checked each time they are read.
func TestHostileHeader(t *testing.T) {
	buf := make([]byte, 4000)
	for _, tc := range []struct {
		name  string
		spoil func(r *ring)
		read  error
		write error
	}{
		{"read_pt too large", func(r *ring) { *r.field(offReadPt) = r.words }, nil, ErrCorrupt},
		{"write_pt changed", func(r *ring) { *r.field(offWritePt) = 7 }, nil, nil},
		{"word_size changed", func(r *ring) { *r.field(offWords) = 1 }, nil, nil},
		{"semaphore ahead", func(r *ring) { *r.word(1) = 0 }, ErrCorrupt, nil},
		{"chunk not committed", func(r *ring) { *r.word(1) = magicAlloc }, ErrCorrupt, nil},
		{"chunk too large", func(r *ring) { *r.word(0) = 4001 }, ErrCorrupt, nil},
		{"chunk huge", func(r *ring) { *r.word(0) = 0xffffffff }, ErrCorrupt, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, r, _ := newRing(t, 4000, true)
			if err := w.write([]byte("hello"), nil); err != nil {
				t.Fatal(err)
			}
			tc.spoil(w)
			if _, err := r.tryRead(buf); err != tc.read {
				t.Errorf("read: %v, want %v", err, tc.read)
			}
			tc.spoil(w)
			if err := w.write([]byte("hello"), nil); err != tc.write {
				t.Errorf("write: %v, want %v", err, tc.write)
			}
		})
	}
}

// TestOpenRingChecks: a client does not trust the header either.
func TestOpenRingChecks(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(r *ring, dir string)
		want  string
	}{
		{"short header", func(r *ring, dir string) { os.Truncate(dir+"/qb-request-svc-header", 8000) }, "has 8000 bytes"},
		{"short data", func(r *ring, dir string) { os.Truncate(dir+"/qb-request-svc-data", 4096) }, "has 4096 bytes"},
		{"word_size", func(r *ring, dir string) { *r.field(offWords) = 77 }, "77 words"},
		{"position", func(r *ring, dir string) { *r.field(offReadPt) = r.words }, "position"},
		{"relative path", func(r *ring, dir string) { *r.field(offDataPath) = 'x' }, `data file "x"`},
		{"link", func(r *ring, dir string) {
			os.Rename(dir+"/qb-request-svc-data", dir+"/d")
			os.Symlink(dir+"/d", dir+"/qb-request-svc-data")
		}, "too many levels of symbolic links"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, _, dir := newRing(t, 8000, true)
			tc.spoil(w, dir)
			r, err := openRing(dir+"/qb-request-svc", 8000, false)
			if err == nil {
				r.unmap()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want …%s…", err, tc.want)
			}
		})
	}
}

// BenchmarkRing is one message written and read, within one process.
func BenchmarkRing(b *testing.B) {
	for _, n := range []int{64, 4096, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w, r, _ := newRing(b, 1<<20, true)
			msg, buf := make([]byte, n), make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if err := w.write(msg[:16], msg[16:]); err != nil {
					b.Fatal(err)
				}
				if _, err := r.tryRead(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
