package pcmk

// OCF is the exit status of a resource agent, or what another kind of agent's
// status was mapped to (results.h: enum ocf_exitcode).
type OCF int

// Agents' results. The last two are Pacemaker's own.
const (
	OCFOK               OCF = 0
	OCFError            OCF = 1 // PCMK_OCF_UNKNOWN_ERROR
	OCFInvalidParam     OCF = 2
	OCFUnimplemented    OCF = 3 // PCMK_OCF_UNIMPLEMENT_FEATURE
	OCFInsufficientPriv OCF = 4
	OCFNotInstalled     OCF = 5
	OCFNotConfigured    OCF = 6
	OCFNotRunning       OCF = 7
	OCFPromoted         OCF = 8 // PCMK_OCF_RUNNING_PROMOTED
	OCFFailedPromoted   OCF = 9
	OCFDegraded         OCF = 190
	OCFDegradedPromoted OCF = 191
	OCFConnectionDied   OCF = 189 // from older DCs alone
	OCFUnknown          OCF = 193 // the action is pending
)

// String is the text of an agent's result (services.h: services_ocf_exitcode_str).
func (o OCF) String() string {
	switch o {
	case OCFOK:
		return "ok"
	case OCFError:
		return "error"
	case OCFInvalidParam:
		return "invalid parameter"
	case OCFUnimplemented:
		return "unimplemented feature"
	case OCFInsufficientPriv:
		return "insufficient privileges"
	case OCFNotInstalled:
		return "not installed"
	case OCFNotConfigured:
		return "not configured"
	case OCFNotRunning:
		return "not running"
	case OCFPromoted:
		return "promoted"
	case OCFFailedPromoted:
		return "promoted (failed)"
	case OCFDegraded:
		return "OCF_DEGRADED"
	case OCFDegradedPromoted:
		return "promoted (degraded)"
	}
	return "unknown"
}

// ExecStatus says how the attempt to run an agent went, besides what the agent
// said (results.h: enum pcmk_exec_status). It is op-status in the CIB.
type ExecStatus int

// Execution states.
const (
	ExecUnknown       ExecStatus = -2
	ExecPending       ExecStatus = -1
	ExecDone          ExecStatus = 0
	ExecCancelled     ExecStatus = 1
	ExecTimeout       ExecStatus = 2
	ExecNotSupported  ExecStatus = 3
	ExecError         ExecStatus = 4
	ExecErrorHard     ExecStatus = 5
	ExecErrorFatal    ExecStatus = 6
	ExecNotInstalled  ExecStatus = 7
	ExecNotConnected  ExecStatus = 8
	ExecInvalid       ExecStatus = 9
	ExecNoFenceDevice ExecStatus = 10
	ExecNoSecrets     ExecStatus = 11
)

// String is the text that users see (results.h: pcmk_exec_status_str).
func (s ExecStatus) String() string {
	switch s {
	case ExecPending:
		return "pending"
	case ExecDone:
		return "complete"
	case ExecCancelled:
		return "Cancelled"
	case ExecTimeout:
		return "Timed Out"
	case ExecNotSupported:
		return "NOT SUPPORTED"
	case ExecError:
		return "Error"
	case ExecErrorHard:
		return "Hard error"
	case ExecErrorFatal:
		return "Fatal error"
	case ExecNotInstalled:
		return "Not installed"
	case ExecNotConnected:
		return "Internal communication failure"
	case ExecInvalid:
		return "Cannot execute now"
	case ExecNoFenceDevice:
		return "No fence device"
	case ExecNoSecrets:
		return "CIB secrets unavailable"
	}
	return "UNKNOWN!"
}
