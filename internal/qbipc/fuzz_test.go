package qbipc

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nopPoller is a Poller that never calls back.
type nopPoller struct{}

func (nopPoller) Add(int, uint32, func(uint32)) error { return nil }
func (nopPoller) Modify(int, uint32) error            { return nil }
func (nopPoller) Remove(int)                          {}
func (nopPoller) NewTimer(func()) Timer               { return nopTimer{} }
func (nopPoller) Now() time.Time                      { return time.Time{} }

type nopTimer struct{}

func (nopTimer) Reset(time.Time) {}
func (nopTimer) Stop() bool      { return false }

// checkHandler checks what Message promises.
type checkHandler struct {
	t testing.TB
	n int
}

func (h *checkHandler) Accept(*Peer) error { return nil }
func (h *checkHandler) Opened(*Conn)       {}
func (h *checkHandler) Closed(*Conn)       {}
func (h *checkHandler) Message(_ *Conn, msg []byte) bool {
	h.n++
	if _, size, ok := RequestHeader(msg); !ok || int(size) != len(msg) {
		h.t.Errorf("message of %d bytes says %d", len(msg), size)
	}
	return true
}

func fuzzConn(t testing.TB) (*Conn, *checkHandler) {
	h := &checkHandler{t: t}
	s := &Server{o: Options{Name: "svc", Handler: h}, poll: nopPoller{}, doomTimer: nopTimer{}}
	s.noise.log = s.log
	return &Conn{srv: s}, h
}

func FuzzConnRequest(f *testing.F) {
	f.Add(connRequest{1 << 20}.append(nil))
	f.Add(make([]byte, 24))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseConnRequest(b)
		if err != nil {
			return
		}
		again, err := parseConnRequest(r.append(nil))
		if err != nil || again != r {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}

func FuzzConnResponse(f *testing.F) {
	for _, r := range []connResponse{
		{err: unix.EACCES},
		{typ: SHM, maxMsg: 1 << 20, handle: 7, request: "/dev/shm/a", response: "/dev/shm/b", event: "/dev/shm/c"},
	} {
		var b [connResponseSize]byte
		r.put(&b)
		f.Add(b[:60], b[8000:8300])
	}
	f.Fuzz(func(t *testing.T, head, tail []byte) {
		var b [connResponseSize]byte
		copy(b[:], head)
		copy(b[8000:], tail)
		r, err := parseConnResponse(b[:])
		if err != nil {
			return
		}
		var again [connResponseSize]byte
		r.put(&again)
		r2, err := parseConnResponse(again[:])
		if err != nil || r2 != r {
			t.Errorf("%+v became %+v, %v", r, r2, err)
		}
	})
}

// FuzzRequest: any bytes as a request.
func FuzzRequest(f *testing.F) {
	f.Add(request(idEcho, []byte("hello")))
	f.Add(request(msgDisconnect, nil))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, msg []byte) {
		c, h := fuzzConn(t)
		more := c.message(msg)
		if more != (h.n == 1) || c.dead != (h.n == 0) {
			t.Errorf("more %v, dead %v, %d messages", more, c.dead, h.n)
		}
	})
}

// FuzzRing: any words in the shared files. Reads end, stay within the limit and
// never touch what is not ours; writes do or refuse.
func FuzzRing(f *testing.F) {
	words := func(w ...uint32) []byte {
		b := make([]byte, 4*len(w))
		for i, v := range w {
			binary.LittleEndian.PutUint32(b[4*i:], v)
		}
		return b
	}
	f.Add(words(6, 0, 1024), words(1, 0, 0x80), words(16, magicCommitted, 1, 0, 16, 0))
	f.Add(words(0, 1024, 1024), words(0xffffffff, 0xffffffff), words(0xffffffff, magicCommitted))
	f.Add(words(0, 1023, 7), words(3, 1), words(4000, magicCommitted))
	w, r, _ := newRing(f, 4000, true)
	f.Fuzz(func(t *testing.T, head, sem, data []byte) {
		spoil := func(rg *ring) {
			copy(unsafe.Slice((*byte)(rg.hdr.base), offHdrPath), head)
			copy(unsafe.Slice((*byte)(unsafe.Add(rg.hdr.base, offSem)), 32), sem)
			copy(unsafe.Slice((*byte)(rg.data.base), rg.words*4), data)
		}
		w.pos, r.pos = 0, 0
		spoil(r)
		buf := make([]byte, 4000)
		for range 200 {
			n, err := r.tryRead(buf)
			if n > int(r.limit) || r.pos >= r.words {
				t.Fatalf("read %d bytes to position %d", n, r.pos)
			}
			if err != nil {
				break
			}
		}
		spoil(w)
		for range 50 {
			if err := w.write(buf[:100], buf[:300]); err != nil {
				break
			}
			if w.pos >= w.words {
				t.Fatalf("wrote to position %d", w.pos)
			}
		}
		clear(unsafe.Slice((*byte)(w.data.base), w.words*4))
		atomic.StoreUint64(w.sem().word, 0)
	})
}

// FuzzOpenRing: any header file, as a client finds it.
func FuzzOpenRing(f *testing.F) {
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "r-data"), make([]byte, 8192), 0o600); err != nil {
		f.Fatal(err)
	}
	good := make([]byte, headerFile)
	binary.LittleEndian.PutUint32(good[offWords:], 2048)
	f.Add(good[:12], true, headerFile)
	f.Add([]byte("garbage that is longer than twelve bytes"), false, 10)
	f.Fuzz(func(t *testing.T, head []byte, path bool, size int) {
		b := make([]byte, headerFile)
		copy(b, head)
		if path {
			copy(b[offDataPath:], filepath.Join(dir, "r-data")+"\x00")
		}
		if err := os.WriteFile(filepath.Join(dir, "r-header"), b[:min(max(size, 0), len(b))], 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := openRing(filepath.Join(dir, "r"), 8000, len(head)%2 == 0); err == nil {
			if r.words != 2048 || r.pos >= r.words {
				t.Errorf("opened with %d words at %d", r.words, r.pos)
			}
			r.unmap()
		}
	})
}

// FuzzControl: any words in a socket connection's control file, which the
// client maps, and any datagrams.
func FuzzControl(f *testing.F) {
	f.Add(make([]byte, controlSize), request(idEcho, []byte("x")))
	f.Add(bytes.Repeat([]byte{0xff}, controlSize), []byte{1})
	name := filepath.Join(f.TempDir(), "ctl")
	f.Fuzz(func(t *testing.T, words, msg []byte) {
		file := make([]byte, controlSize)
		copy(file, words)
		if err := os.WriteFile(name, file, 0o600); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Open(name, unix.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(pair[0])
		c, h := fuzzConn(t)
		c.srv.o.Sockets = true
		c.srv.buf = make([]byte, 4000)
		c.peer.UID = uint32(os.Getuid())
		w := &socketConn{c: c, msgs: datagrams{fd: pair[1], creds: true}, events: datagrams{fd: -1}}
		c.wire = w
		defer w.close()
		if w.ctl.m, err = mapShared(fd, controlSize); err != nil {
			t.Fatal(err)
		}
		if err := unix.SetsockoptInt(pair[1], unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
			t.Fatal(err)
		}
		sent := 0
		for range 3 {
			if len(msg) > 0 && unix.Send(pair[0], msg, unix.MSG_DONTWAIT) == nil {
				sent++
			}
		}
		for range sent + 1 {
			c.serve()
		}
		if h.n > sent {
			t.Errorf("%d messages of %d", h.n, sent)
		}
	})
}
