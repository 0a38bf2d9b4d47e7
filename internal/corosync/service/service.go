// Package service is the contract between the corosync daemon and its service
// engines (cmap, cfg, cpg, quorum, votequorum, …).
//
// Everything here is called on the daemon's one loop thread. A service never
// blocks, never starts a goroutine and keeps no slice it was handed: msg, hdr
// and body are valid only during the call, in both directions.
//
// Upstream: include/corosync/coroapi.h (struct corosync_service_engine),
// exec/service.c, exec/sync.c, exec/ipc_glue.c.
package service

import "time"

// ID is a service number, the upper half of a request id on the wire.
type ID uint16

// Service numbers (coroapi.h: enum corosync_service_ids).
const (
	CMAP       ID = 0
	CFG        ID = 1
	CPG        ID = 2
	Quorum     ID = 3
	Pload      ID = 4
	Votequorum ID = 5
	Mon        ID = 6
	Watchdog   ID = 7
)

// RingID names one membership: the representative's node id and a sequence
// number that only grows.
type RingID struct {
	Rep uint32
	Seq uint64
}

// Conn is one library client of one service. It is owned by the loop.
type Conn interface {
	// Handle is unique for the life of the daemon and never 0.
	Handle() uint64
	// PID, UID, GID are the peer's credentials at connect time.
	PID() uint32
	UID() uint32
	GID() uint32
	// Reply queues the answer to the client's request; body may be nil. Some
	// answers come much later than the request (cfg shutdown, reload).
	Reply(hdr, body []byte)
	// Event queues an asynchronous message for the client's dispatch. Events
	// are never dropped while the client lives.
	Event(hdr, body []byte)
	// State is the service's own value for this client.
	State() any
	SetState(any)
}

// FlowControl says when a library request may be served (coroapi.h:
// enum cs_lib_flow_control).
type FlowControl uint8

// A request that multicasts is refused with TRY_AGAIN while the totem queue is
// full or a sync is running; others are served at any time.
const (
	FlowRequired FlowControl = iota
	FlowNotRequired
)

// LibFn is one library request of a service, indexed by request id.
type LibFn struct {
	Flow FlowControl
	// Handle serves one request. msg starts with the 16-byte request header,
	// whose size was checked against the received length.
	Handle func(c Conn, msg []byte)
	// MinSize is the smallest valid msg; shorter ones are refused before Handle.
	MinSize int
}

// ExecFn is one message between nodes, indexed by the lower half of the id.
type ExecFn struct {
	Name string // shown nowhere by the original; used in traces
	// Deliver gets the message in total order. msg starts with the 16-byte
	// header. swapped says that the sender's byte order differs from ours.
	Deliver func(from uint32, msg []byte, swapped bool)
	MinSize int
}

// Syncer is the part of a service that rebuilds its state after a membership
// change (README.recovery: init, process, activate, abort).
type Syncer interface {
	// SyncInit starts a round. trans are the members that came with us from the
	// old ring, members all of the new one, both ascending.
	SyncInit(trans, members []uint32, ring RingID)
	// SyncProcess sends the service's state; it is called again on later token
	// rotations until it returns true.
	SyncProcess() (done bool)
	// SyncActivate ends the round: all nodes have sent their state.
	SyncActivate()
	// SyncAbort ends a round that a further membership change interrupted; what
	// it gathered is forgotten.
	SyncAbort()
}

// Engine describes a service to the daemon. Immutable after registration.
type Engine struct {
	ID     ID
	Name   string // "corosync_cpg"
	Title  string // text of the log line "Service engine loaded: …"
	Socket string // name of the library socket; empty: none
	Short  string // name in runtime.services.NAME
	// LoadedBy is the engine under whose name a failed Start is reported, if not
	// this one: the original loads votequorum from within corosync_quorum.
	LoadedBy string
	Priority int // unloaded in descending order; votequorum 2, others 1
	// AllowInquorate: requests are served without quorum.
	AllowInquorate bool
	Lib            []LibFn
	Exec           []ExecFn
	Sync           Syncer // nil: takes no part in sync
	// Start is called once, in load order, before the ring runs. An error ends the daemon
	// with status 20 and its text in the log.
	Start func() error
	// Stop is called at unload.
	Stop func()
	// Opened and Closed tell of library clients; nil if of no interest.
	Opened func(c Conn)
	Closed func(c Conn)
	// Confchg tells of every configuration change, before the sync round of it.
	Confchg func(transitional bool, members, left, joined []uint32, ring RingID)
}

// Host is what the daemon offers to its services. Owned by the loop.
type Host interface {
	// NodeID is the local node.
	NodeID() uint32
	// Mcast queues a message to all nodes, ours included, in total order. hdr
	// starts with the 16-byte header (id = service<<16 | fn, size of both
	// parts). Both parts are copied. It returns ErrTryAgain when there is no room.
	Mcast(hdr, body []byte) error
	// Room says whether a message of n bytes would be taken now.
	Room(n int) bool
	// Now is the loop's clock (monotonic), read once per turn.
	Now() time.Time
	// After calls fn on the loop once d has passed, unless stopped.
	After(d time.Duration, fn func()) Timer
	// Ring is the current ring and its members, ascending.
	Ring() (RingID, []uint32)
	// Shutdown leaves the ring and ends the daemon with the status, after the
	// current turn. leave false: at once, as if killed (cfg KILLNODE).
	Shutdown(status int, leave bool)
}

// Timer is a pending Host.After call.
type Timer interface {
	// Stop cancels it; false when it already ran or was stopped.
	Stop() bool
}

// Error is a cs_error_t, the result code of every Corosync library call
// (include/corosync/corotypes.h).
type Error int32
