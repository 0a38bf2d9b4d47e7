package wire

import (
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Replies and the event (ipc_cmap.h: enum res_cmap_types). SET, DELETE,
// ADJUST_INT, ITER_FINALIZE and SET_CURRENT_MAP are answered with a bare header
// (mar.AppendStatus), as is every error but GET's.
const (
	ResSet           = 0
	ResDelete        = 1
	ResGet           = 2
	ResAdjust        = 3
	ResIterInit      = 4
	ResIterNext      = 5
	ResIterFinalize  = 6
	ResTrackAdd      = 7
	ResTrackDelete   = 8
	EventNotify      = 9
	ResSetCurrentMap = 10
)

// Sizes of the fixed parts of replies and events.
const (
	GetResSize    = 40
	HandleResSize = 32 // ITER_INIT, TRACK_ADD, TRACK_DELETE
	ItemResSize   = 304
	NotifySize    = 336
)

// GetRes is a value, or its length and type alone.
type GetRes struct {
	Len   uint64 // of the whole value
	Type  uint8
	Value []byte // at most the room asked for
}

// AppendGetRes appends a reply with room bytes for the value, of which the
// value fills the first; room must not be less than len(r.Value). An error has
// no room.
func AppendGetRes(b []byte, r *GetRes, room int, status service.Error) []byte {
	b, m := mar.Extend(b, GetResSize+room)
	mar.PutRes(m, ResGet, GetResSize+room, status)
	mar.PutU64(m, 24, r.Len)
	m[32] = r.Type
	copy(m[GetResSize:], r.Value)
	return b
}

// ParseGetRes reads the reply. Value is what there is of it: nothing when no
// room was asked for.
func ParseGetRes(b []byte) (GetRes, error) {
	if err := mar.Need("cmap get reply", b, GetResSize); err != nil {
		return GetRes{}, err
	}
	n := mar.View{B: b}.U64(24)
	return GetRes{n, b[32], b[GetResSize : GetResSize+int(min(n, uint64(len(b)-GetResSize)))]}, nil
}

// AppendHandleRes appends the handle or instance that ITER_INIT, TRACK_ADD and
// TRACK_DELETE are answered with; id says which.
func AppendHandleRes(b []byte, id int32, handle uint64, status service.Error) []byte {
	b, m := mar.Extend(b, HandleResSize)
	mar.PutRes(m, id, HandleResSize, status)
	mar.PutU64(m, 24, handle)
	return b
}

// ParseHandleRes reads the answer of ITER_INIT, TRACK_ADD and TRACK_DELETE.
func ParseHandleRes(b []byte) (uint64, error) {
	if err := mar.Need("cmap handle reply", b, HandleResSize); err != nil {
		return 0, err
	}
	return mar.View{B: b}.U64(24), nil
}

// Item is a key that an iteration visits.
type Item struct {
	Key  string
	Len  uint64
	Type uint8
}

// AppendItemRes appends the answer of ITER_NEXT: an item, or the zero item with
// ErrNoSections at the end.
func AppendItemRes(b []byte, it *Item, status service.Error) []byte {
	b, m := mar.Extend(b, ItemResSize)
	mar.PutRes(m, ResIterNext, ItemResSize, status)
	putName(m, 24, it.Key)
	mar.PutU64(m, 288, it.Len)
	m[296] = it.Type
	return b
}

// ParseItemRes reads an item.
func ParseItemRes(b []byte) (Item, error) {
	if err := mar.Need("cmap iteration item", b, ItemResSize); err != nil {
		return Item{}, err
	}
	key, err := getName("cmap iteration item", b, 24)
	return Item{key, mar.View{B: b}.U64(288), b[296]}, err
}

// Notify tells of a change: Event is TrackAdd, TrackModify or TrackDelete. What
// did not exist has type 0 and no bytes.
type Notify struct {
	Instance         uint64
	Key              string
	Event            int32
	NewType, OldType uint8
	New, Old         []byte
}

// Append appends the event.
func (n *Notify) Append(b []byte) []byte {
	size := NotifySize + len(n.New) + len(n.Old)
	b, m := mar.Extend(b, size)
	mar.PutRes(m, EventNotify, size, service.OK)
	mar.PutU64(m, 24, n.Instance)
	putName(m, 32, n.Key)
	mar.PutU32(m, 296, uint32(n.Event))
	m[304], m[312] = n.NewType, n.OldType
	mar.PutU64(m, 320, uint64(len(n.New)))
	mar.PutU64(m, 328, uint64(len(n.Old)))
	copy(m[NotifySize:], n.New)
	copy(m[NotifySize+len(n.New):], n.Old)
	return b
}

// ParseNotify reads the event.
func ParseNotify(b []byte) (Notify, error) {
	if err := mar.Need("cmap notification", b, NotifySize); err != nil {
		return Notify{}, err
	}
	v := mar.View{B: b}
	n := Notify{Instance: v.U64(24), Event: v.I32(296), NewType: b[304], OldType: b[312]}
	var err error
	if n.Key, err = getName("cmap notification", b, 32); err != nil {
		return Notify{}, err
	}
	if n.New, err = span("cmap notification new value", b, NotifySize, v.U64(320)); err != nil {
		return Notify{}, err
	}
	n.Old, err = span("cmap notification old value", b, NotifySize+len(n.New), v.U64(328))
	return n, err
}
