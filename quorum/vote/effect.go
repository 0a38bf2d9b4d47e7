package vote

import (
	"fmt"

	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/wire"
)

// Effect is something that the shell does for the core. String is its form in
// golden stories.
type Effect interface {
	String() string
}

// Messages to multicast.
type (
	SendNodeInfo    struct{ wire.NodeInfo }
	SendReconfigure struct{ wire.Reconfigure }
	SendDeviceReg   struct{ wire.QdeviceReg }
	SendRename      struct{ wire.QdeviceReconfigure }
)

// Events for library clients that track votequorum, and the quorum service.
type (
	// Decided goes to the quorum service: the members of the ring and whether
	// they are quorate.
	Decided struct {
		Quorate bool
		Ring    service.RingID
		Members []uint32
	}
	// TellQuorum, TellExpected and TellNodeList go to the trackers; the shell
	// adds their contexts.
	TellQuorum   struct{ wire.VoteQuorum }
	TellExpected struct{ Expected uint32 }
	TellNodeList struct {
		Ring    service.RingID
		Members []uint32
	}
	// Registered answers the device client whose registration was pending.
	Registered struct{ Status service.Error }
)

// KeyType is the type of a runtime key.
type KeyType uint8

const (
	KeyU8 KeyType = iota
	KeyU32
)

// SetKey stores runtime.votequorum.NAME in the configuration map.
type SetKey struct {
	Name  string
	Type  KeyType
	Value uint32
}

// SaveBarrier stores the expected votes barrier on disk.
type SaveBarrier struct{ Value uint32 }

// Log is a line for the log, subsystem VOTEQ.
type Log struct {
	Level service.Level
	Text  string
}

func (e SendNodeInfo) String() string {
	return fmt.Sprintf("send nodeinfo node=%d votes=%d expected=%d flags=%v", e.Node, e.Votes, e.Expected, e.Flags)
}

func (e SendReconfigure) String() string {
	what := [...]string{"", "expected", "votes", "cancel-wfa"}[e.Param&3]
	return fmt.Sprintf("send reconfigure %s=%d node=%d", what, e.Value, e.Node)
}

func (e SendDeviceReg) String() string {
	return fmt.Sprintf("send qdevice register=%v name=%s", e.Register, e.Name)
}

func (e SendRename) String() string {
	return fmt.Sprintf("send qdevice rename %s to %s", e.Old, e.New)
}

func (e Decided) String() string {
	return fmt.Sprintf("quorum: quorate=%v ring=%d.%d members=%d", e.Quorate, e.Ring.Rep, e.Ring.Seq, e.Members)
}

func (e TellQuorum) String() string {
	s := fmt.Sprintf("event quorum quorate=%v", e.Quorate)
	for _, n := range e.Nodes {
		s += fmt.Sprintf(" %d:%v", n.Node, n.State)
	}
	return s
}

func (e TellExpected) String() string { return fmt.Sprintf("event expected votes=%d", e.Expected) }

func (e TellNodeList) String() string {
	return fmt.Sprintf("event nodelist ring=%d.%d members=%d", e.Ring.Rep, e.Ring.Seq, e.Members)
}

func (e Registered) String() string { return fmt.Sprintf("reply register: %v", e.Status) }

func (e SetKey) String() string { return fmt.Sprintf("key %s=%d", e.Name, e.Value) }

func (e SaveBarrier) String() string { return fmt.Sprintf("save barrier %d", e.Value) }

func (e Log) String() string {
	name := "debug"
	switch e.Level {
	case service.LevelCrit:
		name = "crit"
	case service.LevelError:
		name = "error"
	case service.LevelWarning:
		name = "warning"
	case service.LevelNotice:
		name = "notice"
	case service.LevelInfo:
		name = "info"
	}
	return "log " + name + ": " + e.Text
}

func (v *Vote) emit(e Effect) { v.out = append(v.out, e) }

func (v *Vote) logf(level service.Level, format string, args ...any) {
	if !v.mute {
		v.emit(Log{level, fmt.Sprintf(format, args...)})
	}
}

func (v *Vote) key(name string, t KeyType, value uint32) { v.emit(SetKey{name, t, value}) }

// tellQuorum lists all known nodes, and the device while one is registered here.
func (v *Vote) tellQuorum() { v.emit(TellQuorum{v.QuorumEvent()}) }

// QuorumEvent is the current state as an event, without context.
func (v *Vote) QuorumEvent() wire.VoteQuorum {
	q := wire.VoteQuorum{Quorate: v.quorate}
	for _, n := range v.nodes {
		q.Nodes = append(q.Nodes, wire.VoteNode{Node: n.id, State: n.state})
	}
	if v.us.flags&wire.FlagQdeviceRegistered != 0 {
		q.Nodes = append(q.Nodes, wire.VoteNode{Node: wire.QdeviceNode, State: v.device.state})
	}
	return q
}

// NodeListEvent is the current ring as an event, without context.
func (v *Vote) NodeListEvent() wire.VoteNodeList {
	return wire.VoteNodeList{Ring: v.ring, Members: v.members}
}

func (v *Vote) tellDecided() { v.emit(Decided{v.quorate, v.ring, v.members}) }
