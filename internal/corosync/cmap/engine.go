package cmap

import (
	"errors"
	"fmt"

	"github.com/pacesync/pacesync/internal/corosync/cmap/wire"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Limits of one client.
const (
	// maxHandles bounds the iterations and trackers of a client; cmapctl and
	// qdevice use a handful.
	maxHandles = 4096
	// maxRoom bounds the answer that a client asks for: what fits into a
	// response of the IPC layer.
	maxRoom = 1<<20 - 4096
)

// Service is the cmap service engine. Owned by the loop.
type Service struct {
	host  service.Host
	m     *Map
	stats *Stats
	log   service.Log
	sync  versionSync
	check service.Timer
	track *Track
}

// NewService makes the engine of a map and its statistics.
func NewService(h service.Host, m *Map, stats *Stats, log service.Log) *Service {
	return &Service{host: h, m: m, stats: stats, log: log, sync: versionSync{first: true}}
}

// Engine describes the service to the daemon (cmap.c: cmap_service_engine).
func (s *Service) Engine() *service.Engine {
	fn := func(min int, h func(*client, []byte)) service.LibFn {
		return service.LibFn{Flow: service.FlowNotRequired, MinSize: min, Handle: func(c service.Conn, msg []byte) { h(s.client(c), msg) }}
	}
	return &service.Engine{
		ID: service.CMAP, Name: "corosync_cmap", Title: "corosync configuration map access",
		Socket: "cmap", Short: "cmap", Priority: 1, AllowInquorate: true,
		Lib: []service.LibFn{
			wire.ReqSet:           fn(wire.SetReqSize, (*client).set),
			wire.ReqDelete:        fn(wire.KeyReqSize, (*client).delete),
			wire.ReqGet:           fn(wire.GetReqSize, (*client).get),
			wire.ReqAdjust:        fn(wire.AdjustReqSize, (*client).adjust),
			wire.ReqIterInit:      fn(wire.KeyReqSize, (*client).iterInit),
			wire.ReqIterNext:      fn(wire.HandleReqSize, (*client).iterNext),
			wire.ReqIterFinalize:  fn(wire.HandleReqSize, (*client).iterFinalize),
			wire.ReqTrackAdd:      fn(wire.TrackAddReqSize, (*client).trackAdd),
			wire.ReqTrackDelete:   fn(wire.HandleReqSize, (*client).trackDelete),
			wire.ReqSetCurrentMap: fn(wire.SetMapReqSize, (*client).setMap),
		},
		Exec:   []service.ExecFn{{Name: "MCAST", MinSize: mcastSize, Deliver: s.deliver}},
		Sync:   s,
		Start:  s.start,
		Stop:   s.stop,
		Closed: func(c service.Conn) { s.client(c).close() },
	}
}

func (s *Service) start() error {
	s.track = s.m.Track(versionKey, Added|Modified|Deleted, func(Change) { s.versionChanged() })
	s.armCheck()
	return nil
}

func (s *Service) armCheck() {
	s.check = s.host.After(CheckPeriod, func() {
		s.stats.Check()
		s.armCheck()
	})
}

func (s *Service) stop() {
	if s.track != nil {
		s.track.Stop()
	}
	if s.check != nil {
		s.check.Stop()
	}
}

// store is a map as clients use it.
type store interface {
	Get(key string) (Value, bool)
	Set(key string, v Value) error
	Delete(key string) error
	Adjust(key string, step int32) error
	ReadOnly(key string) bool
	nextItem(after, prefix string) (key string, t Type, size int, ok bool)
	track(key string, kinds ChangeKind, fn func(Change)) (stop func(), err error)
}

var (
	_ store = (*Map)(nil)
	_ store = (*Stats)(nil)
)

func (m *Map) nextItem(after, prefix string) (key string, t Type, size int, ok bool) {
	key, v, ok := m.Next(after, prefix)
	return key, v.Type, len(v.Raw), ok
}

func (m *Map) track(key string, kinds ChangeKind, fn func(Change)) (stop func(), err error) {
	if kinds&^(Added|Modified|Deleted|Prefix) != 0 {
		return nil, service.ErrInvalidParam
	}
	return m.Track(key, kinds, fn).Stop, nil
}

// client is what the service keeps of a connection.
type client struct {
	s      *Service
	conn   service.Conn
	use    store
	last   uint64 // handle given out last
	iters  map[uint64]*iteration
	tracks map[uint64]*tracking
}

type iteration struct{ prefix, last string }

type tracking struct {
	instance uint64 // the client's own number of it
	stop     func()
}

func (s *Service) client(c service.Conn) *client {
	if x, ok := c.State().(*client); ok {
		return x
	}
	x := &client{s: s, conn: c, use: s.m, iters: map[uint64]*iteration{}, tracks: map[uint64]*tracking{}}
	c.SetState(x)
	return x
}

func (c *client) close() {
	for _, t := range c.tracks {
		t.stop()
	}
	c.tracks, c.iters = nil, nil
}

// status is the result code of an error of this package or of package wire.
func status(err error) service.Error {
	var code service.Error
	switch {
	case err == nil:
		return service.OK
	case errors.As(err, &code):
		return code
	}
	return service.ErrInvalidParam // a message that wire refuses
}

func (c *client) answer(id int32, err error) {
	c.conn.Reply(mar.AppendStatus(nil, id, status(err)), nil)
}

func (c *client) set(msg []byte) {
	req, err := wire.ParseSetReq(msg)
	if err == nil && c.use.ReadOnly(req.Key) {
		err = service.ErrAccess
	}
	if err == nil {
		v, ok := Make(Type(req.Type), req.Value)
		if _, isStats := c.use.(*Stats); !ok && !isStats {
			err = service.ErrInvalidParam
		} else {
			err = c.use.Set(req.Key, v)
		}
	}
	c.answer(wire.ResSet, err)
}

func (c *client) delete(msg []byte) {
	key, err := wire.ParseKeyReq(msg)
	if err == nil && c.use.ReadOnly(key) {
		err = service.ErrAccess
	}
	if err == nil {
		err = c.use.Delete(key)
	}
	c.answer(wire.ResDelete, err)
}

func (c *client) adjust(msg []byte) {
	req, err := wire.ParseAdjustReq(msg)
	if err == nil && c.use.ReadOnly(req.Key) {
		err = service.ErrAccess
	}
	if err == nil {
		err = c.use.Adjust(req.Key, req.Step)
	}
	c.answer(wire.ResAdjust, err)
}

// get answers with as many bytes as the client has room for, filled or not.
func (c *client) get(msg []byte) {
	req, err := wire.ParseGetReq(msg)
	var res wire.GetRes
	if err == nil {
		v, ok := c.use.Get(req.Key)
		res = wire.GetRes{Len: uint64(len(v.Raw)), Type: uint8(v.Type)}
		switch {
		case !ok:
			err = service.ErrNotExist
		case req.Room > maxRoom, req.Room > 0 && req.Room < res.Len:
			err = service.ErrInvalidParam
		case req.Room > 0:
			res.Value = []byte(v.Raw)
		}
	}
	if err != nil {
		c.conn.Reply(wire.AppendGetRes(nil, &wire.GetRes{}, 0, status(err)), nil)
		return
	}
	c.conn.Reply(wire.AppendGetRes(nil, &res, int(req.Room), service.OK), nil)
}

// handle gives out the next handle.
func (c *client) handle() uint64 {
	c.last++
	return c.last
}

func (c *client) iterInit(msg []byte) {
	prefix, err := wire.ParseKeyReq(msg)
	var h uint64
	if err == nil && len(c.iters) >= maxHandles {
		err = service.ErrNoMemory
	}
	if err == nil {
		h = c.handle()
		c.iters[h] = &iteration{prefix: prefix}
	}
	c.conn.Reply(wire.AppendHandleRes(nil, wire.ResIterInit, h, status(err)), nil)
}

func (c *client) iterNext(msg []byte) {
	h, err := wire.ParseHandleReq(msg)
	var out wire.Item
	if it := c.iters[h]; err == nil && it != nil {
		key, t, size, ok := c.use.nextItem(it.last, it.prefix)
		if ok {
			it.last = key
			out = wire.Item{Key: key, Type: uint8(t), Len: uint64(size)}
		} else {
			err = service.ErrNoSections
		}
	} else if err == nil {
		err = service.ErrBadHandle
	}
	c.conn.Reply(wire.AppendItemRes(nil, &out, status(err)), nil)
}

func (c *client) iterFinalize(msg []byte) {
	h, err := wire.ParseHandleReq(msg)
	if err == nil && c.iters[h] == nil {
		err = service.ErrBadHandle
	}
	delete(c.iters, h)
	c.answer(wire.ResIterFinalize, err)
}

func (c *client) trackAdd(msg []byte) {
	req, err := wire.ParseTrackAddReq(msg)
	if err == nil && len(c.tracks) >= maxHandles {
		err = service.ErrNoMemory
	}
	var h uint64
	if err == nil {
		t := &tracking{instance: req.Instance}
		t.stop, err = c.use.track(req.Key, ChangeKind(req.Flags), func(ch Change) { c.notify(t.instance, ch) })
		if err == nil {
			h = c.handle()
			c.tracks[h] = t
		}
	}
	c.conn.Reply(wire.AppendHandleRes(nil, wire.ResTrackAdd, h, status(err)), nil)
}

func (c *client) notify(instance uint64, ch Change) {
	n := wire.Notify{Instance: instance, Key: ch.Key, Event: int32(ch.Kind),
		NewType: uint8(ch.New.Type), OldType: uint8(ch.Old.Type), New: []byte(ch.New.Raw), Old: []byte(ch.Old.Raw)}
	c.conn.Event(n.Append(nil), nil)
}

func (c *client) trackDelete(msg []byte) {
	h, err := wire.ParseHandleReq(msg)
	var instance uint64
	if t := c.tracks[h]; err == nil && t != nil {
		instance = t.instance
		t.stop()
		delete(c.tracks, h)
	} else if err == nil {
		err = service.ErrBadHandle
	}
	c.conn.Reply(wire.AppendHandleRes(nil, wire.ResTrackDelete, instance, status(err)), nil)
}

// setMap chooses the map of later requests; not while handles are open.
func (c *client) setMap(msg []byte) {
	n, err := wire.ParseSetMapReq(msg)
	switch {
	case err != nil:
	case len(c.iters)+len(c.tracks) > 0:
		err = service.ErrBusy
	case n == wire.MapICMAP:
		c.use = c.s.m
	case n == wire.MapStats:
		c.use = c.s.stats
	default:
		err = service.ErrNotExist
	}
	c.answer(wire.ResSetCurrentMap, err)
}

func (s *Service) logf(level service.Level, format string, args ...any) {
	s.log(level, fmt.Sprintf(format, args...))
}
