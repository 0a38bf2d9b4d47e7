package model

// History is what the executor of one node recorded about one resource.
type History struct {
	ID                         string
	Class, Prov, Type          string
	HasClass, HasProv, HasType bool
	Container                  string
	HasContainer               bool
	ShutdownLock               int64
	Ops                        []*HistoryOp // as written
}

// HistoryOp is one recorded operation (lrm_rsc_op).
type HistoryOp struct {
	ID, Key          string // Key: operation_key, else the id
	Task             string
	HasTask          bool
	HasKey           bool   // operation_key was there
	CallText         string // call-id as written
	IntervalText     string // interval as written, for displays
	ExecTime         string // exec-time and queue-time as written
	QueueTime        string
	ExitReason       string
	HasExitReason    bool
	OnNode           string // attribute on_node
	CallID           int
	HasCallID        bool
	RC, Status       int
	StatusText       string
	RCText           string
	IntervalMS       uint32
	TransitionKey    string
	TransitionMagic  string
	MigrateSource    string
	MigrateTarget    string
	LastChange       int64
	HasLastChange    bool
	FeatureSet       string
	Digest           string
	RestartDigest    string
	HasRestartDigest bool
	ForceRestart     string
	HasForceRestart  bool
	SecureParams     string
	HasSecureParams  bool
	SecureDigest     string
	Node             *Node     // where it is recorded, once known
	Rsc              *Resource // what it was matched to, once known
}

// Results and states of operations (enum ocf_exitcode, enum pcmk_exec_status).
const (
	RCOk             = 0
	RCError          = 1
	RCInvalidParam   = 2
	RCUnimplemented  = 3
	RCPrivilege      = 4
	RCNotInstalled   = 5
	RCNotConfigured  = 6
	RCNotRunning     = 7
	RCPromoted       = 8
	RCFailedPromoted = 9
	RCDegraded       = 190
	RCDegradedProm   = 191
	RCUnknown        = 193

	ExecUnknown       = -2
	ExecPending       = -1
	ExecDone          = 0
	ExecCancelled     = 1
	ExecTimeout       = 2
	ExecNotSupported  = 3
	ExecError         = 4
	ExecErrorHard     = 5
	ExecErrorFatal    = 6
	ExecNotInstalled  = 7
	ExecNotConnected  = 8
	ExecInvalid       = 9
	ExecNoFenceDevice = 10
	ExecNoSecrets     = 11
	ExecMax           = 11
)

// IsProbe says whether the operation was a probe.
func (o *HistoryOp) IsProbe() bool { return o.Task == Monitor && o.IntervalMS == 0 }

// MaskedProbe says whether the operation is a probe whose failure means "not here"
// (pcmk_xe_mask_probe_failure).
func (o *HistoryOp) MaskedProbe() bool {
	return o.IsProbe() && (o.RC == RCNotInstalled || o.RC == RCInvalidParam || o.Status == ExecNotInstalled)
}

// DigestResult says what a comparison of digests found.
type DigestResult uint8

// The results.
const (
	DigestMatch DigestResult = iota
	DigestRestart
	DigestAll
	DigestUnknown
)

// Digest is what the parameters of an operation hash to.
type Digest struct {
	Result               DigestResult
	All, Secure, Restart string
	HasRestart           bool
}

// ParamCheck is a comparison of parameters that has to wait until bundles are placed.
type ParamCheck struct {
	Op          *HistoryOp
	Rsc         *Resource
	Node        *Node
	LastFailure bool // else: the operation is active
}
