package wire

import (
	"fmt"

	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Functions of the service between nodes (cpg.c: enum cpg_message_req_types).
const (
	ExecProcJoin     = 0
	ExecProcLeave    = 1
	ExecJoinList     = 2
	ExecMcast        = 3
	ExecDownListOld  = 4
	ExecDownList     = 5
	ExecPartialMcast = 6
)

// Sizes of the fixed parts of exec messages.
const (
	ProcSize         = 168
	JoinListSize     = 24
	joinEntrySize    = 144
	McastSize        = 184
	DownListSize     = 1568
	PartialMcastSize = 200
)

// Reason says why a process is in the joined or left list of a change.
type Reason uint32

// Reasons (ipc_cpg.h: enum lib_cpg_confchg_reason); members have ReasonNone.
const (
	ReasonNone     Reason = 0
	ReasonJoin     Reason = 1
	ReasonLeave    Reason = 2
	ReasonNodeDown Reason = 3
	ReasonNodeUp   Reason = 4
	ReasonProcDown Reason = 5
)

func (r Reason) String() string {
	switch r {
	case ReasonNone:
		return "none"
	case ReasonJoin:
		return "join"
	case ReasonLeave:
		return "leave"
	case ReasonNodeDown:
		return "nodedown"
	case ReasonNodeUp:
		return "nodeup"
	case ReasonProcDown:
		return "procdown"
	}
	return fmt.Sprintf("reason(%d)", uint32(r))
}

// Proc is PROCJOIN or PROCLEAVE: one process of the sending node joins or
// leaves. Appended and parsed by the daemon.
type Proc struct {
	Leave  bool
	Group  Name
	PID    uint32
	Reason Reason
}

// Append appends the message.
func (p *Proc) Append(b []byte) []byte {
	fn := ExecProcJoin
	if p.Leave {
		fn = ExecProcLeave
	}
	b, m := mar.Extend(b, ProcSize)
	mar.PutReq(m, mar.ID(service.CPG, fn), ProcSize)
	putName(m, 16, &p.Group)
	mar.PutU32(m, 152, p.PID)
	mar.PutU32(m, 160, uint32(p.Reason))
	return b
}

// ParseProc reads PROCJOIN and PROCLEAVE.
func ParseProc(b []byte, swapped bool) (Proc, error) {
	if err := mar.Need("cpg procjoin", b, ProcSize); err != nil {
		return Proc{}, err
	}
	v := mar.View{B: b, Swapped: swapped}
	g, err := getName(v, 16)
	if err != nil {
		return Proc{}, err
	}
	return Proc{v.I32(0)&0xffff == ExecProcLeave, g, v.U32(152), Reason(v.U32(160))}, nil
}

// JoinEntry is a process of the node that sends a join list.
type JoinEntry struct {
	PID   uint32
	Group Name
}

// AppendJoinList appends the list of the local processes, sent in every sync
// round that finds one.
func AppendJoinList(b []byte, list []JoinEntry) []byte {
	size := JoinListSize + joinEntrySize*len(list)
	b, m := mar.Extend(b, size)
	mar.PutReq(m, mar.ID(service.CPG, ExecJoinList), size)
	for i := range list {
		e := m[JoinListSize+i*joinEntrySize:]
		mar.PutU32(e, 0, list[i].PID)
		putName(e, 8, &list[i].Group)
	}
	return b
}

// JoinList is a parsed JOINLIST; entries are read one by one.
type JoinList struct{ v mar.View }

// ParseJoinList checks the whole list. Its length comes from the header, as
// upstream's does.
func ParseJoinList(b []byte, swapped bool) (JoinList, error) {
	if err := mar.Need("cpg joinlist", b, JoinListSize); err != nil {
		return JoinList{}, err
	}
	v := mar.View{B: b, Swapped: swapped}
	size := v.U32(8)
	if size < JoinListSize || uint64(size) > uint64(len(b)) {
		return JoinList{}, &mar.ShortError{What: "cpg joinlist", Have: len(b), Need: int(size)}
	}
	if (size-JoinListSize)%joinEntrySize != 0 {
		return JoinList{}, fmt.Errorf("cpg joinlist: %d bytes are not a whole number of entries", size-JoinListSize)
	}
	v.B = b[:size]
	l := JoinList{v}
	for i := range l.Len() {
		if _, err := getName(v, JoinListSize+i*joinEntrySize+8); err != nil {
			return JoinList{}, err
		}
	}
	return l, nil
}

// Len is the number of entries.
func (l JoinList) Len() int {
	if len(l.v.B) == 0 {
		return 0
	}
	return (len(l.v.B) - JoinListSize) / joinEntrySize
}

// At is the entry i.
func (l JoinList) At(i int) JoinEntry {
	off := JoinListSize + i*joinEntrySize
	n, _ := getName(l.v, off+8) // checked by ParseJoinList
	return JoinEntry{l.v.U32(off), n}
}

// Source names the client that multicast: node and the daemon's handle of the
// connection. Receivers ignore it.
type Source struct {
	Node uint32
	Conn uint64
}

// Mcast is a message to a group. The sending daemon writes the header with
// PutHeader and passes the client's data through; the receiving one parses.
type Mcast struct {
	Group  Name
	PID    uint32
	Source Source
	Data   []byte
}

// PutHeader fills the McastSize bytes that precede the data.
func (m *Mcast) PutHeader(h *[McastSize]byte) {
	mar.PutReq(h[:], mar.ID(service.CPG, ExecMcast), McastSize+len(m.Data))
	putName(h[:], 16, &m.Group)
	mar.PutU64(h[:], 152, 0)
	mar.PutU64(h[:], 160, 0)
	mar.PutU32(h[:], 152, uint32(len(m.Data)))
	mar.PutU32(h[:], 160, m.PID)
	putSource(h[:], 168, m.Source)
}

// ParseMcast reads MCAST. The length field must fit the message; bytes after
// the data are ignored.
func ParseMcast(b []byte, swapped bool) (Mcast, error) {
	if err := mar.Need("cpg mcast", b, McastSize); err != nil {
		return Mcast{}, err
	}
	v := mar.View{B: b, Swapped: swapped}
	n := v.U32(152)
	if err := mar.Count("cpg mcast length", b, McastSize, n, 1, len(b)); err != nil {
		return Mcast{}, err
	}
	g, err := getName(v, 16)
	if err != nil {
		return Mcast{}, err
	}
	return Mcast{g, v.U32(160), getSource(v, 168), b[McastSize : McastSize+n]}, nil
}

func putSource(b []byte, off int, s Source) {
	mar.PutU32(b, off, s.Node)
	mar.PutU32(b, off+4, 0)
	mar.PutU64(b, off+8, s.Conn)
}

func getSource(v mar.View, off int) Source { return Source{v.U32(off), v.U64(off + 8)} }

// Part says which piece of a message over the atomic size this is.
type Part uint32

// Parts (ipc_cpg.h: enum lib_cpg_partial_types).
const (
	PartFirst     Part = 1
	PartContinued Part = 2
	PartLast      Part = 3
)

// PartialMcast is a piece of a message to a group. Total is the length of the
// whole message, Data the piece.
type PartialMcast struct {
	Group  Name
	Total  uint32
	PID    uint32
	Part   Part
	Source Source
	Data   []byte
}

// PutHeader fills the PartialMcastSize bytes that precede the data.
func (m *PartialMcast) PutHeader(h *[PartialMcastSize]byte) {
	clear(h[:])
	mar.PutReq(h[:], mar.ID(service.CPG, ExecPartialMcast), PartialMcastSize+len(m.Data))
	putName(h[:], 16, &m.Group)
	mar.PutU32(h[:], 152, m.Total)
	mar.PutU32(h[:], 160, uint32(len(m.Data)))
	mar.PutU32(h[:], 168, m.PID)
	mar.PutU32(h[:], 176, uint32(m.Part))
	putSource(h[:], 184, m.Source)
}

// ParsePartialMcast reads PARTIAL_MCAST.
func ParsePartialMcast(b []byte, swapped bool) (PartialMcast, error) {
	if err := mar.Need("cpg partial mcast", b, PartialMcastSize); err != nil {
		return PartialMcast{}, err
	}
	v := mar.View{B: b, Swapped: swapped}
	n := v.U32(160)
	if err := mar.Count("cpg fragment length", b, PartialMcastSize, n, 1, len(b)); err != nil {
		return PartialMcast{}, err
	}
	g, err := getName(v, 16)
	if err != nil {
		return PartialMcast{}, err
	}
	return PartialMcast{
		Group: g, Total: v.U32(152), PID: v.U32(168), Part: Part(v.U32(176)),
		Source: getSource(v, 184), Data: b[PartialMcastSize : PartialMcastSize+n],
	}, nil
}

// DownList tells, in every sync round, how many members the sender's old
// membership had and which of them are gone. Receivers only log it: each node
// acts on what it computed itself.
type DownList struct {
	OldMembers uint32
	Left       []uint32
}

// Append appends the message, always of DownListSize bytes. More than
// mar.ProcessorMax left nodes cannot exist and panic.
func (d *DownList) Append(b []byte) []byte {
	if len(d.Left) > mar.ProcessorMax {
		panic("cpg downlist: more nodes left than a ring can have")
	}
	b, m := mar.Extend(b, DownListSize)
	mar.PutReq(m, mar.ID(service.CPG, ExecDownList), DownListSize)
	mar.PutU32(m, 16, d.OldMembers)
	mar.PutU32(m, 24, uint32(len(d.Left)))
	for i, n := range d.Left {
		mar.PutU32(m, 32+4*i, n)
	}
	return b
}

// ParseDownList reads DOWNLIST.
func ParseDownList(b []byte, swapped bool) (DownList, error) {
	if err := mar.Need("cpg downlist", b, DownListSize); err != nil {
		return DownList{}, err
	}
	v := mar.View{B: b, Swapped: swapped}
	n := v.U32(24)
	if err := mar.Count("cpg downlist nodes", b, 32, n, 4, mar.ProcessorMax); err != nil {
		return DownList{}, err
	}
	d := DownList{OldMembers: v.U32(16), Left: make([]uint32, n)}
	for i := range d.Left {
		d.Left[i] = v.U32(32 + 4*i)
	}
	return d, nil
}
