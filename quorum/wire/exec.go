package wire

import (
	"bytes"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Functions of votequorum between nodes (votequorum.c:
// MESSAGE_REQ_EXEC_VOTEQUORUM_*).
const (
	ExecNodeInfo           = 0
	ExecReconfigure        = 1
	ExecQdeviceReg         = 2
	ExecQdeviceReconfigure = 3
)

// Sizes of exec messages as sent. MinReconfigureSize is what is read of the
// second.
const (
	NodeInfoSize           = 32
	ReconfigureSize        = 32
	MinReconfigureSize     = 25
	QdeviceRegSize         = 280
	MinQdeviceRegSize      = 275
	QdeviceReconfigureSize = 528
	MinQdeviceReconfigure  = 526
)

// QdeviceNode is the node id that stands for the quorum device.
const QdeviceNode = 0

// MaxQdeviceName is the length of a device name's field, with its NUL.
const MaxQdeviceName = 255

// NodeFlags describe a node to its peers (votequorum.c: NODE_FLAGS_*).
// Unknown bits are kept and passed on.
type NodeFlags uint32

const (
	FlagQuorate           NodeFlags = 1
	FlagLeaving           NodeFlags = 2
	FlagWFAStatus         NodeFlags = 4
	FlagFirst             NodeFlags = 8
	FlagQdeviceRegistered NodeFlags = 16
	FlagQdeviceAlive      NodeFlags = 32
	FlagQdeviceCastVote   NodeFlags = 64
	FlagQdeviceMasterWins NodeFlags = 128
)

// String lists the known flags, "-" for none.
func (f NodeFlags) String() string {
	var out []string
	for i, s := range [...]string{"quorate", "leaving", "wfa", "first", "qdev-registered", "qdev-alive", "qdev-vote", "qdev-master-wins"} {
		if f&(1<<i) != 0 {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, "+")
}

// NodeInfo tells of a node's votes, or with node 0 of the device's.
type NodeInfo struct {
	Node, Votes, Expected uint32
	Flags                 NodeFlags
}

// Append appends the message.
func (n *NodeInfo) Append(b []byte) []byte {
	b, m := mar.Extend(b, NodeInfoSize)
	mar.PutReq(m, mar.ID(service.Votequorum, ExecNodeInfo), NodeInfoSize)
	mar.PutU32(m, 16, n.Node)
	mar.PutU32(m, 20, n.Votes)
	mar.PutU32(m, 24, n.Expected)
	mar.PutU32(m, 28, uint32(n.Flags))
	return b
}

// ParseNodeInfo reads NODEINFO.
func ParseNodeInfo(b []byte, swapped bool) (NodeInfo, error) {
	if err := mar.Need("votequorum nodeinfo", b, NodeInfoSize); err != nil {
		return NodeInfo{}, err
	}
	v := mar.View{B: b, Swapped: swapped}
	return NodeInfo{v.U32(16), v.U32(20), v.U32(24), NodeFlags(v.U32(28))}, nil
}

// Param says what a RECONFIGURE changes.
type Param uint8

const (
	ParamExpectedVotes Param = 1
	ParamNodeVotes     Param = 2
	ParamCancelWFA     Param = 3
)

// Reconfigure changes expected votes of all, or the votes of one node, or ends
// the wait for all members.
type Reconfigure struct {
	Node, Value uint32
	Param       Param
}

// Append appends the message.
func (r *Reconfigure) Append(b []byte) []byte {
	b, m := mar.Extend(b, ReconfigureSize)
	mar.PutReq(m, mar.ID(service.Votequorum, ExecReconfigure), ReconfigureSize)
	mar.PutU32(m, 16, r.Node)
	mar.PutU32(m, 20, r.Value)
	m[24] = byte(r.Param)
	return b
}

// ParseReconfigure reads RECONFIGURE.
func ParseReconfigure(b []byte, swapped bool) (Reconfigure, error) {
	if err := mar.Need("votequorum reconfigure", b, MinReconfigureSize); err != nil {
		return Reconfigure{}, err
	}
	v := mar.View{B: b, Swapped: swapped}
	return Reconfigure{v.U32(16), v.U32(20), Param(b[24])}, nil
}

// QdeviceReg registers or unregisters the device's name in the cluster.
type QdeviceReg struct {
	Register bool
	Name     string // below MaxQdeviceName bytes
}

// Append appends the message.
func (q *QdeviceReg) Append(b []byte) []byte {
	b, m := mar.Extend(b, QdeviceRegSize)
	mar.PutReq(m, mar.ID(service.Votequorum, ExecQdeviceReg), QdeviceRegSize)
	if q.Register {
		mar.PutU32(m, 16, 1)
	}
	mar.PutCString(m[20:20+MaxQdeviceName], q.Name)
	return b
}

// ParseQdeviceReg reads QDEVICE_REG. An operation that is neither is an error.
func ParseQdeviceReg(b []byte, swapped bool) (QdeviceReg, error) {
	if err := mar.Need("votequorum qdevice registration", b, MinQdeviceRegSize); err != nil {
		return QdeviceReg{}, err
	}
	op := mar.View{B: b, Swapped: swapped}.U32(16)
	if op > 1 {
		return QdeviceReg{}, &mar.CountError{What: "votequorum qdevice operation", Value: uint64(op), Max: 1}
	}
	name, err := qdeviceName(b[20:])
	return QdeviceReg{op == 1, name}, err
}

// qdeviceName reads a name field; the first MaxQdeviceName bytes of b.
func qdeviceName(b []byte) (string, error) {
	f := b[:MaxQdeviceName]
	if bytes.IndexByte(f, 0) < 0 {
		return "", &mar.CountError{What: "qdevice name length", Value: MaxQdeviceName, Max: MaxQdeviceName - 1}
	}
	return mar.CString(f), nil
}

// QdeviceReconfigure renames the device.
type QdeviceReconfigure struct{ Old, New string }

// Append appends the message.
func (q *QdeviceReconfigure) Append(b []byte) []byte {
	b, m := mar.Extend(b, QdeviceReconfigureSize)
	mar.PutReq(m, mar.ID(service.Votequorum, ExecQdeviceReconfigure), QdeviceReconfigureSize)
	mar.PutCString(m[16:16+MaxQdeviceName], q.Old)
	mar.PutCString(m[271:271+MaxQdeviceName], q.New)
	return b
}

// ParseQdeviceReconfigure reads QDEVICE_RECONFIGURE; it has no field with a
// byte order.
func ParseQdeviceReconfigure(b []byte) (QdeviceReconfigure, error) {
	if err := mar.Need("votequorum qdevice rename", b, MinQdeviceReconfigure); err != nil {
		return QdeviceReconfigure{}, err
	}
	old, err := qdeviceName(b[16:])
	if err != nil {
		return QdeviceReconfigure{}, err
	}
	name, err := qdeviceName(b[271:])
	return QdeviceReconfigure{old, name}, err
}
