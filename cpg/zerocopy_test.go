package cpg

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
	"github.com/pacesync/pacesync/internal/testneed"
)

// zcScene is one node with one joined client of this user.
type zcScene struct {
	t    *testing.T
	host *servicetest.Host
	e    *service.Engine
	c    *servicetest.Conn
}

func newZCScene(t *testing.T) *zcScene {
	if st, err := os.Stat(zcFolder); err != nil || !st.IsDir() {
		testneed.Missing(t, "no "+zcFolder)
	}
	host := servicetest.NewHost(1)
	z := &zcScene{t, host, NewEngine(host, nil), nil}
	z.c = z.connect()
	join := wire.JoinReq{Group: wire.MustName("zc"), PID: 7}
	if got := z.call(z.c, join.Append(nil)); got != service.OK {
		t.Fatal(got)
	}
	z.host.Take()
	return z
}

func (z *zcScene) connect() *servicetest.Conn {
	c := z.host.NewConn()
	c.Uid = uint32(os.Getuid())
	z.e.Opened(c)
	return c
}

// call serves a request and returns the status of its reply.
func (z *zcScene) call(c *servicetest.Conn, msg []byte) service.Error {
	z.t.Helper()
	fn, _, _ := servicetest.Header(msg)
	z.e.Lib[fn].Handle(c, msg)
	r := c.TakeReplies()
	if len(r) != 1 {
		z.t.Fatalf("%d replies", len(r))
	}
	res, err := mar.ParseRes(r[0])
	if err != nil || len(r[0]) != 24 {
		z.t.Fatalf("reply %x: %v", r[0], err)
	}
	return res.Err
}

// file makes a file as libcpg does, with room for that much data.
func (z *zcScene) file(room int) (path string, f *os.File) {
	z.t.Helper()
	for i := 0; ; i++ {
		path = filepath.Join(zcFolder, zcPrefix+string([]byte{'a' + byte(os.Getpid()%26), 'a' + byte(os.Getpid()/26%26), 'a' + byte(os.Getpid()/676%26), 'a' + byte(i%26), 'a' + byte(i/26), 'Z'}))
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if os.IsExist(err) && i < 600 {
			continue
		}
		if err != nil {
			z.t.Fatal(err)
		}
		z.t.Cleanup(func() { f.Close(); os.Remove(path) })
		if err := f.Truncate(int64(wire.ZCOverhead + room)); err != nil {
			z.t.Fatal(err)
		}
		return path, f
	}
}

func alloc(path string, room int) []byte {
	r := wire.ZCAllocReq{MapSize: uint64(wire.ZCOverhead + room), Path: path}
	return r.Append(nil)
}

// put writes a message into the file, as libcpg does, announcing size bytes.
func (z *zcScene) put(f *os.File, data []byte, size uint32) {
	z.t.Helper()
	var h [wire.McastReqSize]byte
	(&wire.McastReq{Guarantee: Agreed}).PutHeader(&h)
	binary.NativeEndian.PutUint32(h[32:], size)
	if _, err := f.WriteAt(append(h[:], data...), wire.ZCHeaderSize); err != nil {
		z.t.Fatal(err)
	}
}

// handle is what the daemon wrote into the file.
func (z *zcScene) handle(f *os.File) uint64 {
	var b [8]byte
	if _, err := f.ReadAt(b[:], wire.ZCHandleOffset); err != nil {
		z.t.Fatal(err)
	}
	return binary.NativeEndian.Uint64(b[:])
}

// TestZeroCopy: one buffer, several messages, then given back.
func TestZeroCopy(t *testing.T) {
	z := newZCScene(t)
	const room = 300000
	path, f := z.file(room)
	before := openFiles(t)
	if got := z.call(z.c, alloc(path, room)); got != service.OK {
		t.Fatal(got)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the name is still there: %v", err)
	}
	h := z.handle(f)
	if h == 0 {
		t.Fatal("no handle")
	}
	for _, n := range []int{0, 1, 5000, room} {
		data := bytes.Repeat([]byte{byte(n), 7}, n/2+1)[:n]
		z.put(f, data, uint32(n))
		if got := z.call(z.c, wire.AppendZCExecuteReq(nil, h)); got != service.OK {
			t.Fatalf("%d bytes: %v", n, got)
		}
		sent := z.host.Take()
		if len(sent) != 1 {
			t.Fatalf("%d messages", len(sent))
		}
		m, err := wire.ParseMcast(sent[0], false)
		if err != nil || m.PID != 7 || !bytes.Equal(m.Data, data) {
			t.Errorf("%d bytes: sent %d, pid %d: %v", n, len(m.Data), m.PID, err)
		}
	}
	z.host.Full = true
	if got := z.call(z.c, wire.AppendZCExecuteReq(nil, h)); got != service.ErrTryAgain {
		t.Errorf("with a full queue: %v", got)
	}
	z.host.Full = false
	other := z.connect()
	if got := z.call(other, wire.AppendZCExecuteReq(nil, h)); got != service.ErrInvalidParam {
		t.Errorf("the buffer of another client: %v", got)
	}
	if got := z.call(z.c, wire.AppendZCFreeReq(nil, 1, h)); got != service.OK {
		t.Error(got)
	}
	if got := z.call(z.c, wire.AppendZCExecuteReq(nil, h)); got != service.ErrInvalidParam {
		t.Errorf("a buffer given back: %v", got)
	}
	if n := openFiles(t); n != before {
		t.Errorf("%d files open, %d before", n, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		testneed.Missing(t, err.Error())
	}
	return len(list)
}

// TestZeroCopyLies: what a client may do to a buffer that it has.
func TestZeroCopyLies(t *testing.T) {
	z := newZCScene(t)
	const room = 5000
	path, f := z.file(room)
	if got := z.call(z.c, alloc(path, room)); got != service.OK {
		t.Fatal(got)
	}
	run := wire.AppendZCExecuteReq(nil, z.handle(f))
	for _, c := range []struct {
		name string
		do   func()
		want service.Error
	}{
		{"longer than the buffer", func() { z.put(f, nil, room+1) }, service.ErrInvalidParam},
		{"longer than a message", func() { z.put(f, nil, 1<<20) }, service.ErrTooBig},
		{"of 4 GB", func() { z.put(f, nil, 1<<32-1) }, service.ErrTooBig},
		{"within the message shortened", func() { z.put(f, nil, room); f.Truncate(wire.ZCOverhead + room - 1) }, service.ErrInvalidParam},
		{"before the header shortened", func() { f.Truncate(3) }, service.ErrInvalidParam},
	} {
		c.do()
		if got := z.call(z.c, run); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if sent := z.host.Take(); len(sent) != 0 {
			t.Errorf("%s: %d messages were sent", c.name, len(sent))
		}
	}
	before := openFiles(t)
	z.e.Closed(z.c)
	if n := openFiles(t); n != before-1 {
		t.Errorf("%d files open after the client's end, %d before", n, before)
	}
}

// TestZeroCopyForeignFiles: nothing but a file such as libcpg makes is opened,
// written, shortened or deleted.
func TestZeroCopyForeignFiles(t *testing.T) {
	z := newZCScene(t)
	const room = 100
	victim, vf := z.file(room)
	content := bytes.Repeat([]byte{0xA5}, wire.ZCOverhead+room)
	if _, err := vf.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	spare, sf := z.file(room)
	sf.Close()
	again := func(make func() error) func() error {
		return func() error { os.Remove(spare); return make() }
	}
	var stranger uint32
	for _, c := range []struct {
		name, path string
		room       int
		prepare    func() error
		want       service.Error
	}{
		{"symbolic link", spare, room, again(func() error { return os.Symlink(victim, spare) }), service.ErrInvalidParam},
		{"second name", spare, room, again(func() error { return os.Link(victim, spare) }), service.ErrAccess},
		{"pipe", spare, room, again(func() error { return unix.Mkfifo(spare, 0o600) }), service.ErrAccess},
		{"folder", spare, room, again(func() error { return os.Mkdir(spare, 0o700) }), service.ErrInvalidParam},
		{"nothing", spare, room, again(func() error { return nil }), service.ErrInvalidParam},
		{"too short", victim, room + 1, nil, service.ErrInvalidParam},
		{"no room for the header", victim, -1 - room - wire.ZCOverhead/2, nil, service.ErrInvalidParam},
		{"another user's", victim, room, func() error { stranger = 1; return nil }, service.ErrAccess},
		{"another name", zcFolder + "/other-file", room, nil, service.ErrAccess},
		{"another folder", "/var/run/" + filepath.Base(victim), room, nil, service.ErrAccess},
		{"way up", zcFolder + "/../" + victim, room, nil, service.ErrAccess},
		{"way up in the name", zcFolder + "/" + zcPrefix + "/../ab", room, nil, service.ErrAccess},
		{"nothing at all", "", room, nil, service.ErrAccess},
	} {
		if c.prepare != nil {
			if err := c.prepare(); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		z.c.Uid = uint32(os.Getuid()) + stranger
		stranger = 0
		if got := z.call(z.c, alloc(c.path, c.room)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if got, err := os.ReadFile(victim); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%s: the file was touched: %v", c.name, err)
		}
		if _, err := os.Lstat(c.path); c.path == spare && c.name != "nothing" && err != nil {
			t.Errorf("%s: deleted", c.name)
		}
	}
}

// TestZeroCopyBounded: a client cannot take all files of the daemon.
func TestZeroCopyBounded(t *testing.T) {
	z := newZCScene(t)
	for i := range zcClientMax + 1 {
		path, f := z.file(0)
		want := service.OK
		if i == zcClientMax {
			want = service.ErrNoMemory
		}
		if got := z.call(z.c, alloc(path, 0)); got != want {
			t.Fatalf("buffer %d: %v, want %v", i, got, want)
		}
		if h := z.handle(f); (h == 0) != (i == zcClientMax) {
			t.Errorf("buffer %d has handle %d", i, h)
		}
		f.Close()
	}
	z.e.Closed(z.c)
}
