package history

import (
	"fmt"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Input is an event that Step takes.
type Input interface{ input() }

// The inputs beside Request.
type (
	// Info answers QueryInfo: what the executor knows of a resource.
	Info struct {
		Rsc   string
		Known bool
		Agent Agent
	}
	// Registered answers Register.
	Registered struct {
		Rsc string
		RC  pcmk.RC
	}
	// Unregistered answers Unregister; EINPROGRESS means that the result of an operation
	// will say when it is done.
	Unregistered struct {
		Token int
		RC    pcmk.RC
	}
	// Described answers Describe, with the agent's description or none.
	Described struct {
		Token int
		Agent Agent
		Meta  *Metadata
	}
	// Started answers Exec.
	Started struct {
		Token, CallID int
		RC            pcmk.RC
	}
	// Cancelled answers Cancel: whether there was something to cancel.
	Cancelled struct {
		Token int
		RC    pcmk.RC
	}
	// Deletable answers MayDelete.
	Deletable struct {
		Token int
		RC    pcmk.RC
	}
	// Event is the result of an operation. Its time is that of the executor.
	Event struct{ Op Op }
	// ClearFailure forgets the last failure of a resource, if it was of that task, when
	// one is given.
	ClearFailure struct {
		Rsc, Task string
		Interval  uint32
	}
	// Refuse fails a request without running it.
	Refuse struct {
		Request Request
		Status  pcmk.ExecStatus
		RC      pcmk.OCF
		Reason  string
	}
	// Quit cancels what recurs, before the node leaves.
	Quit struct{}
)

func (Request) input()      {}
func (Info) input()         {}
func (Registered) input()   {}
func (Unregistered) input() {}
func (Described) input()    {}
func (Started) input()      {}
func (Cancelled) input()    {}
func (Deletable) input()    {}
func (Event) input()        {}
func (ClearFailure) input() {}
func (Refuse) input()       {}
func (Quit) input()         {}

// Effect is something to be done outside.
type Effect interface{ effect() }

// The effects. Those for the executor are answered by an input; they are sent in order.
type (
	// Log is a line for the log, with a level of syslog.
	Log struct {
		Level Level
		Text  string
	}
	// QueryInfo asks the executor for a resource.
	QueryInfo struct{ Rsc string }
	// Register makes a resource known to the executor.
	Register struct {
		Rsc   string
		Agent Agent
	}
	// Unregister makes it forget one.
	Unregister struct {
		Token int
		Rsc   string
	}
	// Exec begins an operation.
	Exec struct {
		Token int
		Op    Op
	}
	// Cancel ends an operation that recurs.
	Cancel struct {
		Token     int
		Rsc, Task string
		Interval  uint32
	}
	// Describe asks an agent to describe itself.
	Describe struct {
		Token int
		Rsc   string
		Agent Agent
	}
	// Update writes to the status section of the CIB.
	Update struct {
		Status *xmltree.Node // an element status
		Op     string        // what it tells, for the log
	}
	// Erase removes an entry from the CIB: by path, or by content when Match is set.
	Erase struct {
		Path  string
		Match *xmltree.Node
	}
	// MayDelete asks whether a user may delete the history of a resource.
	MayDelete struct {
		Token      int
		Path, User string
	}
	// Delete removes the history of a resource from the CIB.
	Delete struct {
		Rsc, Path, User string
	}
	// Answer tells a result to who asked for the operation, without the CIB. Sys is a
	// subsystem of Host, empty for the transitioner of the DC.
	Answer struct {
		Host, Sys string
		State     *xmltree.Node // an element node_state
		Ref       string        // the operation, for the log
	}
	// Reprobed answers a request to detect all resources anew.
	Reprobed struct{ Host, Sys string }
	// ForgetNode removes the history of the whole node from the CIB.
	ForgetNode struct{ User string }
	// Refreshed sets last-lrm-refresh, since nothing else tells the DC of a deletion.
	Refreshed struct{ Rsc string }
	// Alert tells the alert agents of a result.
	Alert struct{ Op Op }
	// NoStart says that a start was refused because the node leaves (I_SHUTDOWN).
	NoStart struct{}
	// Broken says that the executor cannot be used (I_FAIL).
	Broken struct{ Why string }
	// Changed says that an operation ended: who waits for that may look again.
	Changed struct{}
)

func (Log) effect()        {}
func (QueryInfo) effect()  {}
func (Register) effect()   {}
func (Unregister) effect() {}
func (Exec) effect()       {}
func (Cancel) effect()     {}
func (Describe) effect()   {}
func (Update) effect()     {}
func (Erase) effect()      {}
func (MayDelete) effect()  {}
func (Delete) effect()     {}
func (Answer) effect()     {}
func (Reprobed) effect()   {}
func (ForgetNode) effect() {}
func (Refreshed) effect()  {}
func (Alert) effect()      {}
func (NoStart) effect()    {}
func (Broken) effect()     {}
func (Changed) effect()    {}

// Level is how much a line of the log matters, in the numbers of syslog.
type Level uint8

// The levels.
const (
	Err     Level = 3
	Warning Level = 4
	Notice  Level = 5
	Inform  Level = 6
	Debug   Level = 7
)

func (k *Keeper) emit(x Effect) { k.out = append(k.out, x) }

func (k *Keeper) notef(l Level, format string, args ...any) {
	k.emit(Log{l, fmt.Sprintf(format, args...)})
}
