package cmapclient

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/cmap/wire"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/libipc/libipctest"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/qbipc"
)

// script is a daemon with a map, as far as a client can tell.
type script struct {
	m        *cmap.Map
	gets     int
	after    string // of the one iteration
	ended    bool
	instance uint64
}

func (s *script) Message(c *qbipc.Conn, id int32, msg []byte) {
	status := func(err error) { c.Reply(mar.AppendStatus(nil, id, libipc.Code(err)), nil) }
	switch id {
	case wire.ReqGet:
		s.gets++
		r, _ := wire.ParseGetReq(msg)
		v, ok := s.m.Get(r.Key)
		res := wire.GetRes{Len: uint64(len(v.Raw)), Type: uint8(v.Type), Value: []byte(v.Raw)}
		switch {
		case !ok:
			c.Reply(wire.AppendGetRes(nil, &wire.GetRes{}, 0, service.ErrNotExist), nil)
		case r.Room == 0:
			res.Value = nil
			c.Reply(wire.AppendGetRes(nil, &res, 0, service.OK), nil)
		case r.Room < res.Len:
			c.Reply(wire.AppendGetRes(nil, &wire.GetRes{}, 0, service.ErrInvalidParam), nil)
		default:
			c.Reply(wire.AppendGetRes(nil, &res, int(r.Room), service.OK), nil)
		}
	case wire.ReqSet:
		r, _ := wire.ParseSetReq(msg)
		v, _ := cmap.Make(cmap.Type(r.Type), r.Value)
		status(s.m.Set(r.Key, v))
	case wire.ReqDelete:
		key, _ := wire.ParseKeyReq(msg)
		status(s.m.Delete(key))
	case wire.ReqAdjust:
		r, _ := wire.ParseAdjustReq(msg)
		status(s.m.Adjust(r.Key, r.Step))
	case wire.ReqIterInit:
		s.after = ""
		c.Reply(wire.AppendHandleRes(nil, wire.ResIterInit, 5, service.OK), nil)
	case wire.ReqIterNext:
		key, v, ok := s.m.Next(s.after, "test.")
		s.after = key
		code := service.OK
		if !ok {
			code = service.ErrNoSections
		}
		c.Reply(wire.AppendItemRes(nil, &wire.Item{Key: key, Len: uint64(len(v.Raw)), Type: uint8(v.Type)}, code), nil)
	case wire.ReqIterFinalize:
		s.ended = true
		status(nil)
	case wire.ReqTrackAdd:
		r, _ := wire.ParseTrackAddReq(msg)
		s.instance = r.Instance
		c.Reply(wire.AppendHandleRes(nil, wire.ResTrackAdd, 6, service.OK), nil)
	default:
		status(nil)
	}
}

func start(t *testing.T) (*Client, *script, *libipctest.Daemon) {
	t.Helper()
	s := &script{m: cmap.NewMap()}
	d := libipctest.Serve(t, libipctest.Service{Message: s.Message})
	conn, err := libipc.Dial(t.Context(), d.Name)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{conn}
	t.Cleanup(func() { c.Close() })
	return c, s, d
}

func TestValues(t *testing.T) {
	c, s, d := start(t)
	for _, v := range []cmap.Value{cmap.U8(7), cmap.U32(1 << 31), cmap.F64(1.5), cmap.Str("hello"), cmap.Str(""), cmap.Bin([]byte{0, 1}), cmap.Str(strings.Repeat("x", 3*usualRoom))} {
		if err := c.Set(t.Context(), "test.v", v); err != nil {
			t.Fatalf("set %v: %v", v, err)
		}
		d.Do(func() { s.gets = 0 })
		got, err := c.Get(t.Context(), "test.v")
		if err != nil || got != v {
			t.Errorf("got %v, %v, want %v", got, err, v)
		}
		d.Do(func() {
			if len(v.Raw) <= usualRoom && s.gets != 1 {
				t.Errorf("%v took %d calls, want 1", v, s.gets)
			}
		})
	}
	item, err := c.Stat(t.Context(), "test.v")
	if want := (Item{"test.v", cmap.String, 3*usualRoom + 1}); err != nil || item != want {
		t.Errorf("stat %v, %v, want %v", item, err, want)
	}
}

func TestTypedGets(t *testing.T) {
	c, s, d := start(t)
	d.Do(func() {
		_ = s.m.Set("test.u32", cmap.U32(5))
		_ = s.m.Set("test.u8", cmap.U8(5))
		_ = s.m.Set("test.str", cmap.Str("s"))
	})
	if n, err := c.GetUint32(t.Context(), "test.u32"); n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := c.GetUint32(t.Context(), "test.u8"); !errors.Is(err, service.ErrInvalidParam) {
		t.Errorf("u8 read as u32: %v", err)
	}
	if text, err := c.GetString(t.Context(), "test.str"); text != "s" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := c.GetString(t.Context(), "test.nosuch"); !errors.Is(err, service.ErrNotExist) {
		t.Errorf("no such key: %v", err)
	}
	if err := c.Adjust(t.Context(), "test.u32", -2); err != nil {
		t.Error(err)
	}
	if n, _ := c.GetUint32(t.Context(), "test.u32"); n != 3 {
		t.Errorf("after -2: %d", n)
	}
	long := strings.Repeat("k", maxKey+1)
	for _, err := range []error{c.Set(t.Context(), long, cmap.U8(1)), c.Delete(t.Context(), long), c.Adjust(t.Context(), long, 1)} {
		if !errors.Is(err, service.ErrNameTooLong) {
			t.Errorf("a key too long: %v", err)
		}
	}
}

func TestAll(t *testing.T) {
	c, s, d := start(t)
	d.Do(func() {
		for _, k := range []string{"test.a", "test.b", "test.c"} {
			_ = s.m.Set(k, cmap.U8(1))
		}
	})
	var keys []string
	for item, err := range c.All(t.Context(), "test.") {
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Delete(t.Context(), item.Key); err != nil { // while iterating
			t.Error(err)
		}
		if keys = append(keys, item.Key); len(keys) == 2 {
			break
		}
	}
	d.Do(func() {
		if !slices.Equal(keys, []string{"test.a", "test.b"}) || !s.ended {
			t.Errorf("keys %v, ended %v", keys, s.ended)
		}
	})
}

func TestTrack(t *testing.T) {
	c, s, d := start(t)
	if _, err := c.Track(t.Context(), "test.", true, AnyKind, 77); err != nil {
		t.Fatal(err)
	}
	n := wire.Notify{Instance: 77, Key: "test.x", Event: wire.TrackModify, NewType: uint8(cmap.Uint8), New: []byte{2}, OldType: uint8(cmap.String), Old: []byte("old\x00")}
	d.Event(n.Append(nil))
	change, err := c.Next(t.Context())
	if want := (Change{77, "test.x", Modified, cmap.U8(2), cmap.Str("old")}); err != nil || change != want {
		t.Errorf("%+v, %v, want %+v", change, err, want)
	}
	d.Do(func() {
		if s.instance != 77 {
			t.Errorf("asked with instance %d", s.instance)
		}
	})
}
