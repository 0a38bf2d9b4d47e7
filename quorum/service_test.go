package quorum

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
	"github.com/pacesync/pacesync/internal/testwait"
	"github.com/pacesync/pacesync/quorum/wire"
)

// bench is one node's engines with what they log.
type bench struct {
	t    *testing.T
	host *servicetest.Host
	m    *cmap.Map
	e    *Engines
	logs []string
}

func newBench(t *testing.T, keys map[string]cmap.Value) *bench {
	b := &bench{t: t, host: servicetest.NewHost(1), m: cmap.NewMap()}
	for k, v := range keys {
		if err := b.m.Set(k, v); err != nil {
			t.Fatal(err)
		}
	}
	log := func(level service.Level, text string) {
		if level <= service.LevelInfo {
			b.logs = append(b.logs, text)
		}
	}
	b.e = NewEngines(b.host, Options{Map: b.m, QuorumLog: log, VoteLog: log})
	return b
}

func (b *bench) start() error {
	for _, e := range b.e.List() {
		if err := e.Start(); err != nil {
			return err
		}
	}
	return nil
}

// engine is one of the engines started last.
func (b *bench) engine(id service.ID) *service.Engine {
	for _, e := range b.e.List() {
		if e.ID == id {
			return e
		}
	}
	b.t.Fatalf("no engine %d", id)
	return nil
}

func (b *bench) connect(id service.ID) *servicetest.Conn {
	c := b.host.NewConn()
	b.engine(id).Opened(c)
	return c
}

func (b *bench) ask(id service.ID, c *servicetest.Conn, msg []byte) []byte {
	b.t.Helper()
	fn, _, _ := servicetest.Header(msg)
	b.engine(id).Lib[fn].Handle(c, msg)
	r := c.TakeReplies()
	if len(r) == 0 {
		return nil
	}
	return r[0]
}

func (b *bench) status(id service.ID, c *servicetest.Conn, msg []byte) service.Error {
	b.t.Helper()
	res, err := mar.ParseRes(b.ask(id, c, msg))
	if err != nil {
		b.t.Fatal(err)
	}
	return res.Err
}

var votes3 = map[string]cmap.Value{
	"quorum.provider": cmap.Str("corosync_votequorum"), "quorum.expected_votes": cmap.U32(3),
}

// TestNoProvider: always quorate, type free, clients hear of rings alone.
func TestNoProvider(t *testing.T) {
	b := newBench(t, nil)
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	if !b.e.Quorate() || len(b.e.List()) != 1 {
		t.Errorf("quorate %v, %d engines", b.e.Quorate(), len(b.e.List()))
	}
	c := b.connect(service.Quorum)
	for _, x := range []struct {
		req  []byte
		want uint32
	}{
		{mar.AppendBare(nil, wire.ReqGetQuorate), 1},
		{mar.AppendBare(nil, wire.ReqGetType), wire.TypeFree},
		{wire.AppendModelGetTypeReq(nil, wire.ModelV1), wire.TypeFree},
	} {
		if got, err := wire.ParseU32Res(b.ask(service.Quorum, c, x.req)); err != nil || got != x.want {
			t.Errorf("%x: %d, %v", x.req, got, err)
		}
	}
	if s := b.status(service.Quorum, c, wire.AppendTrackStartReq(nil, wire.TrackChangesOnly)); s != service.OK {
		t.Error(s)
	}
	s := b.e.quorum
	s.SyncInit(nil, []uint32{1, 2}, service.RingID{Rep: 1, Seq: 8})
	s.SyncProcess()
	s.SyncActivate()
	ev := c.TakeEvents()
	if len(ev) != 1 {
		t.Fatalf("%d events", len(ev))
	}
	if l, err := wire.ParseNodeList(ev[0]); err != nil || !slices.Equal(l.Joined, []uint32{1, 2}) {
		t.Errorf("%+v, %v", l, err)
	}
}

// TestRefusedConfigurations: the texts and the log lines of a start that fails.
func TestRefusedConfigurations(t *testing.T) {
	for _, c := range []struct {
		keys      map[string]cmap.Value
		err, last string
	}{
		{map[string]cmap.Value{"quorum.provider": cmap.Str("corosync_ykd")},
			"Invalid quorum provider", "Quorum provider: corosync_ykd failed to initialize."},
		{map[string]cmap.Value{"quorum.provider": cmap.Str("corosync_votequorum")},
			"configuration error: nodelist or quorum.expected_votes must be configured!",
			"Quorum provider: corosync_votequorum failed to initialize."},
		{map[string]cmap.Value{"quorum.provider": cmap.Str("corosync_votequorum"), "quorum.expected_votes": cmap.U32(2),
			"quorum.two_node": cmap.U8(1), "quorum.device.model": cmap.Str("net")},
			"configuration error: two_node and quorum device cannot be configured at the same time!",
			"Quorum provider: corosync_votequorum failed to initialize."},
	} {
		b := newBench(t, c.keys)
		err := b.start()
		if err == nil || err.Error() != c.err {
			t.Errorf("error %v, want %s", err, c.err)
		}
		if len(b.logs) == 0 || b.logs[len(b.logs)-1] != c.last {
			t.Errorf("log %q, want %q at its end", b.logs, c.last)
		}
	}
}

// TestModels: a model 0 client gets no node lists; a model that does not exist
// is refused; a second trackstart is refused after its events.
func TestModels(t *testing.T) {
	b := newBench(t, votes3)
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	c := b.connect(service.Quorum)
	if s := b.status(service.Quorum, c, wire.AppendModelGetTypeReq(nil, 2)); s != service.ErrInvalidParam {
		t.Errorf("model 2: %v", s)
	}
	const flags = wire.TrackCurrent | wire.TrackChanges
	for i, want := range []service.Error{service.OK, service.ErrExist} {
		if s := b.status(service.Quorum, c, wire.AppendTrackStartReq(nil, flags)); s != want {
			t.Errorf("trackstart %d: %v, want %v", i, s, want)
		}
		ev := c.TakeEvents()
		if len(ev) != 1 {
			t.Fatalf("%d events", len(ev))
		}
		if id, _, _ := servicetest.Header(ev[0]); id != wire.EventNotifyV0 {
			t.Errorf("event %d", id)
		}
	}
	for range 2 { // never an error
		if s := b.status(service.Quorum, c, mar.AppendBare(nil, wire.ReqTrackStop)); s != service.OK {
			t.Error(s)
		}
	}
	v := b.connect(service.Votequorum)
	if s := b.status(service.Votequorum, v, mar.AppendBare(nil, wire.VoteReqTrackStop)); s != service.ErrNotExist {
		t.Errorf("votequorum trackstop: %v", s)
	}
}

// TestNoRoom: messages that find no room go out later, in order; meanwhile the
// sync round waits, and requests are refused once too many wait.
func TestNoRoom(t *testing.T) {
	b := newBench(t, votes3)
	b.host.Full = true
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	s := b.e.vote
	s.SyncInit(nil, []uint32{1}, service.RingID{Rep: 1, Seq: 8})
	for range 2 {
		if s.SyncProcess() {
			t.Error("the round goes on though nothing was sent")
		}
	}
	c := b.connect(service.Votequorum)
	refused := 0
	for range 2 * unsentMax {
		if b.status(service.Votequorum, c, wire.AppendVoteSetExpectedReq(nil, 1)) == service.ErrTryAgain {
			refused++
		}
	}
	if refused == 0 || len(s.unsent) > unsentMax+3 {
		t.Errorf("%d refused, %d waiting", refused, len(s.unsent))
	}
	b.host.Full = false
	b.host.Advance(time.Second)
	if len(s.unsent) != 0 || !s.SyncProcess() {
		t.Errorf("%d still waiting", len(s.unsent))
	}
	if id, _, _ := servicetest.Header(b.host.Take()[0]); id != mar.ID(service.Votequorum, wire.ExecNodeInfo) {
		t.Errorf("first message %#x", id)
	}
}

// TestDeviceClientGone: a client that ends while its registration is under way
// gets no answer, and the next one can register.
func TestDeviceClientGone(t *testing.T) {
	b := newBench(t, votes3)
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	b.host.Take()
	gone := b.connect(service.Votequorum)
	if r := b.ask(service.Votequorum, gone, wire.AppendQdeviceNameReq(nil, wire.VoteReqQdeviceRegister, "Q")); r != nil {
		t.Fatalf("answered at once: %x", r)
	}
	b.engine(service.Votequorum).Closed(gone)
	for _, msg := range b.host.Take() {
		b.engine(service.Votequorum).Exec[wire.ExecQdeviceReg].Deliver(1, msg, false)
	}
	if len(gone.Replies) != 0 {
		t.Error("a closed client was answered")
	}
	next := b.connect(service.Votequorum)
	if s := b.status(service.Votequorum, next, wire.AppendQdeviceNameReq(nil, wire.VoteReqQdeviceRegister, "Q")); s != service.OK {
		t.Error(s)
	}
}

// TestReloadWaitsForItsEnd: nothing is read again while a reload runs, nor
// after one that failed.
func TestReloadWaitsForItsEnd(t *testing.T) {
	b := newBench(t, votes3)
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	expected := func() uint32 {
		i, _ := b.e.vote.core.Info(0)
		return i.Expected
	}
	set := func(key string, v cmap.Value) {
		if err := b.m.Set(key, v); err != nil {
			t.Fatal(err)
		}
	}
	set(keyReloading, cmap.U8(1))
	set("quorum.expected_votes", cmap.U32(5))
	set("config.reload_status", cmap.I32(int32(service.ErrInvalidParam)))
	set(keyReloading, cmap.U8(0))
	if expected() != 3 {
		t.Errorf("a failed reload counts: expected votes %d", expected())
	}
	set(keyReloading, cmap.U8(1))
	set("config.reload_status", cmap.I32(int32(service.OK)))
	set(keyReloading, cmap.U8(0))
	if expected() != 5 {
		t.Errorf("expected votes %d after the reload", expected())
	}
	if !b.m.ReadOnly("quorum.auto_tie_breaker") {
		t.Error("quorum.auto_tie_breaker is writable")
	}
}

func TestMemberListLines(t *testing.T) {
	var lines []string
	s := &quorumServer{log: func(_ service.Level, text string) { lines = append(lines, text) }}
	var ids []uint32
	for i := range uint32(40) {
		ids = append(ids, 100+i)
	}
	s.logList("Members", ids)
	all := ""
	for i, l := range lines {
		rest, ok := strings.CutPrefix(l, "Members[40]:")
		if !ok || strings.HasSuffix(rest, "\\") != (i < len(lines)-1) || len(rest) > 64 {
			t.Errorf("line %q", l)
		}
		all += strings.TrimSuffix(rest, "\\")
	}
	if want := " " + strings.Trim(fmt.Sprint(ids), "[]"); all != want {
		t.Errorf("%s", all)
	}
}

// TestBarrierFile: what was saved is there after a restart; a missing or
// damaged file counts as none.
func TestBarrierFile(t *testing.T) {
	dir := t.TempDir()
	f := NewBarrierFile(dir)
	if x, err := f.Load(); x != 0 || err != nil {
		t.Errorf("missing: %d, %v", x, err)
	}
	for x := range uint32(20) {
		if err := f.Save(x + 1); err != nil {
			t.Fatal(err)
		}
	}
	testwait.For(t, 5*time.Second, "20 to be on disk", func() bool {
		x, err := NewBarrierFile(dir).Load()
		return err == nil && x == 20
	})
	if err := os.WriteFile(filepath.Join(dir, "ev_tracking"), []byte{1}, 0o600); err != nil {
		t.Fatal(err)
	}
	if x, err := f.Load(); x != 0 || err != nil {
		t.Errorf("one byte: %d, %v", x, err)
	}
	bad := NewBarrierFile(filepath.Join(dir, "missing"))
	_ = bad.Save(1)
	testwait.For(t, 5*time.Second, "the error of a failed save", func() bool { return bad.Save(1) != nil })
}
