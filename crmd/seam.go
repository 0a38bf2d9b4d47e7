package crmd

import (
	"time"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// completion says what follows a transition that ends or is aborted; a later
// one wins over an earlier one (upstream enum pcmk__graph_next).
type completion uint8

const (
	completeDone     completion = iota // nothing more to do: I_TE_SUCCESS
	completeWait                       // stop here, something else goes on: no input
	completeRestart                    // calculate again: I_PE_CALC
	completeShutdown                   // the graph was our way out: I_STOP
)

// infinity is the priority of an abort that lets no further action start.
const infinity = 1000000

// downEvent is an action of the current graph that takes a node down.
type downEvent struct {
	task      string // "stonith" or "do_shutdown"
	action    int    // id in the graph
	confirmed bool
}

// transitioner executes what the scheduler wants. It exists on every node and
// works on the DC.
type transitioner interface {
	start()                  // A_TE_START: watch the CIB, no transition yet
	stop()                   // A_TE_STOP
	invoke(reply schedReply) // A_TE_INVOKE: execute this graph
	cancel() (stall bool)    // A_TE_CANCEL "Peer Cancelled": true while actions are still in flight
	halt() (stall bool)      // A_TE_HALT "Peer Halt"
	active() bool            // a transition is being executed
	known() bool             // any graph was executed since start (else the DC knows of no expected loss)
	abort(prio int, c completion, reason string, cause *xmltree.Node)
	abortAfter(d time.Duration, prio int, c completion, reason string)
	cibChanged(notify *xmltree.Node)       // cib_diff_notify
	missed(status *xmltree.Node)           // the status as it is, after changes of it were not told
	nodeGone(id string)                    // actions for it cannot complete any more
	matchDown(id string) (downEvent, bool) // is its loss what the graph wanted?
	confirmDown(id string)                 // the node is down as wanted
	throttleChanged()
	optionsChanged()      // c.opt has new values
	message(m *message)   // for "tengine": direct answers to operations
	recheckBy() time.Time // from the last graph, zero when none
}

// schedReply is the scheduler's answer to the request in progress.
type schedReply struct {
	ref   string // reference of the request
	input string // file the scheduler saved its input to
	graph *xmltree.Node
}

// executor runs operations here and keeps their history in the CIB.
type executor interface {
	connect() (stall bool)    // A_LRM_CONNECT: true while another attempt is due (after waitRetry)
	disconnect() (stall bool) // A_LRM_DISCONNECT: true while operations are in flight
	reconnect()               // both, after a failed action of the DC
	connected() bool
	invoke(m *message)        // for "lrmd": lrm_invoke, lrm_delete, lrm_refresh, lrm_fail, reprobe
	nodeState() *xmltree.Node // <node_state><lrm>: what is sent when joining; nil when unknown
	clearLastFailure(rsc, node, op string, intervalMS uint)
	deleteFromCIB(m *message) // lrm_delete with mode="cib"
	alert(id, path string, timeout time.Duration, env []xmltree.Attr)
	updatesPending() bool // entries of the history that the CIB manager has not answered
	stopRecurring()       // at exit; logs what is left active
}

// fencer is the connection to the fencer and the DC's reactions to fencing.
type fencer interface {
	connect() // keep connected from now on
	disconnect(final bool)
	nodeUp(name string) // it is a member again: forget that its state is to be cleaned
	takeOver()          // new DC: clean what the old one left
	notDC()             // someone else is DC: forget
	syncHistory()
	forget(name string) // node removed: failures too
}
