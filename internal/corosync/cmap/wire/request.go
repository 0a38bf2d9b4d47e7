package wire

import "github.com/pacesync/pacesync/internal/corosync/mar"

// Library requests (ipc_cmap.h: enum req_cmap_types).
const (
	ReqSet           = 0
	ReqDelete        = 1
	ReqGet           = 2
	ReqAdjust        = 3
	ReqIterInit      = 4
	ReqIterNext      = 5
	ReqIterFinalize  = 6
	ReqTrackAdd      = 7
	ReqTrackDelete   = 8
	ReqSetCurrentMap = 9
)

// Smallest sizes of library requests.
const (
	SetReqSize      = 296
	KeyReqSize      = 280 // DELETE, ITER_INIT
	GetReqSize      = 288
	AdjustReqSize   = 288
	HandleReqSize   = 24 // ITER_NEXT, ITER_FINALIZE, TRACK_DELETE
	TrackAddReqSize = 296
	SetMapReqSize   = 24
)

// SetReq stores a value. Client appends, daemon parses, as with every request.
type SetReq struct {
	Key   string
	Type  uint8
	Value []byte
}

// AppendHeader appends all but the value, which follows on the wire.
func (r *SetReq) AppendHeader(b []byte) []byte {
	b, m := mar.Extend(b, SetReqSize)
	mar.PutReq(m, ReqSet, SetReqSize+len(r.Value))
	putName(m, 16, r.Key)
	mar.PutU64(m, 280, uint64(len(r.Value)))
	m[288] = r.Type
	return b
}

// ParseSetReq reads the request.
func ParseSetReq(b []byte) (SetReq, error) {
	if err := mar.Need("cmap set request", b, SetReqSize); err != nil {
		return SetReq{}, err
	}
	key, err := getName("cmap set request", b, 16)
	if err != nil {
		return SetReq{}, err
	}
	value, err := span("cmap set request value", b, SetReqSize, mar.View{B: b}.U64(280))
	return SetReq{key, b[288], value}, err
}

// AppendDeleteReq appends a request to delete a key.
func AppendDeleteReq(b []byte, key string) []byte { return appendKeyReq(b, ReqDelete, key) }

// AppendIterInitReq appends a request to start an iteration over the keys that
// begin with prefix.
func AppendIterInitReq(b []byte, prefix string) []byte { return appendKeyReq(b, ReqIterInit, prefix) }

func appendKeyReq(b []byte, id int32, key string) []byte {
	b, m := mar.Extend(b, KeyReqSize)
	mar.PutReq(m, id, KeyReqSize)
	putName(m, 16, key)
	return b
}

// ParseKeyReq reads the key of DELETE and the prefix of ITER_INIT.
func ParseKeyReq(b []byte) (string, error) {
	if err := mar.Need("cmap key request", b, KeyReqSize); err != nil {
		return "", err
	}
	return getName("cmap key request", b, 16)
}

// GetReq asks for a value. Room is the length that the client has space for; 0
// asks for length and type alone.
type GetReq struct {
	Key  string
	Room uint64
}

// Append appends the request.
func (r *GetReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, GetReqSize)
	mar.PutReq(m, ReqGet, GetReqSize)
	putName(m, 16, r.Key)
	mar.PutU64(m, 280, r.Room)
	return b
}

// ParseGetReq reads the request. Room is as the client wrote it: the daemon
// must bound it before it allocates.
func ParseGetReq(b []byte) (GetReq, error) {
	if err := mar.Need("cmap get request", b, GetReqSize); err != nil {
		return GetReq{}, err
	}
	key, err := getName("cmap get request", b, 16)
	return GetReq{key, mar.View{B: b}.U64(280)}, err
}

// AdjustReq adds Step to an integer.
type AdjustReq struct {
	Key  string
	Step int32
}

// Append appends the request.
func (r *AdjustReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, AdjustReqSize)
	mar.PutReq(m, ReqAdjust, AdjustReqSize)
	putName(m, 16, r.Key)
	mar.PutU32(m, 280, uint32(r.Step))
	return b
}

// ParseAdjustReq reads the request.
func ParseAdjustReq(b []byte) (AdjustReq, error) {
	if err := mar.Need("cmap adjust request", b, AdjustReqSize); err != nil {
		return AdjustReq{}, err
	}
	key, err := getName("cmap adjust request", b, 16)
	return AdjustReq{key, mar.View{B: b}.I32(280)}, err
}

// AppendIterNextReq asks for the next key of an iteration.
func AppendIterNextReq(b []byte, handle uint64) []byte {
	return appendHandleReq(b, ReqIterNext, handle)
}

// AppendIterFinalizeReq ends an iteration.
func AppendIterFinalizeReq(b []byte, handle uint64) []byte {
	return appendHandleReq(b, ReqIterFinalize, handle)
}

// AppendTrackDeleteReq ends the tracking of a key.
func AppendTrackDeleteReq(b []byte, handle uint64) []byte {
	return appendHandleReq(b, ReqTrackDelete, handle)
}

func appendHandleReq(b []byte, id int32, handle uint64) []byte {
	b, m := mar.Extend(b, HandleReqSize)
	mar.PutReq(m, id, HandleReqSize)
	mar.PutU64(m, 16, handle)
	return b
}

// ParseHandleReq reads the handle of ITER_NEXT, ITER_FINALIZE and TRACK_DELETE.
func ParseHandleReq(b []byte) (uint64, error) {
	if err := mar.Need("cmap handle request", b, HandleReqSize); err != nil {
		return 0, err
	}
	return mar.View{B: b}.U64(16), nil
}

// Track flags: the kinds of change of interest, and whether Key is the
// beginning of all keys of interest (cmap.h: CMAP_TRACK_*). The kinds are also
// what Notify.Event tells.
const (
	TrackDelete = 1
	TrackModify = 2
	TrackAdd    = 4
	TrackPrefix = 8
)

// TrackAddReq asks for events. Instance comes back in each of them.
type TrackAddReq struct {
	Key      string
	Flags    int32
	Instance uint64
}

// Append appends the request.
func (r *TrackAddReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, TrackAddReqSize)
	mar.PutReq(m, ReqTrackAdd, TrackAddReqSize)
	putName(m, 16, r.Key)
	mar.PutU32(m, 280, uint32(r.Flags))
	mar.PutU64(m, 288, r.Instance)
	return b
}

// ParseTrackAddReq reads the request.
func ParseTrackAddReq(b []byte) (TrackAddReq, error) {
	if err := mar.Need("cmap track request", b, TrackAddReqSize); err != nil {
		return TrackAddReq{}, err
	}
	v := mar.View{B: b}
	key, err := getName("cmap track request", b, 16)
	return TrackAddReq{key, v.I32(280), v.U64(288)}, err
}

// Maps of SET_CURRENT_MAP.
const (
	MapICMAP = 0
	MapStats = 1
)

// AppendSetMapReq chooses the map that later requests of the connection use.
func AppendSetMapReq(b []byte, m int32) []byte {
	b, msg := mar.Extend(b, SetMapReqSize)
	mar.PutReq(msg, ReqSetCurrentMap, SetMapReqSize)
	mar.PutU32(msg, 16, uint32(m))
	return b
}

// ParseSetMapReq reads the number of the map.
func ParseSetMapReq(b []byte) (int32, error) {
	if err := mar.Need("cmap set map request", b, SetMapReqSize); err != nil {
		return 0, err
	}
	return mar.View{B: b}.I32(16), nil
}
