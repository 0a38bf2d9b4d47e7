package engine

// Names of operations that are not changes of the document.
const (
	opSyncAll      = "cib_sync"
	opSyncOne      = "cib_sync_one"
	opNoop         = "noop"
	opDeleteAlt    = "cib_delete_alt"
	opPrimary      = "cib_master"
	opSecondary    = "cib_slave"
	opAllSecondary = "cib_slave_all"
	opIsPrimary    = "cib_ismaster"
	opShutdown     = "cib_shutdown_req"
	opPing         = "ping"
	opRegister     = "register"
	opNotify       = "cib_notify"
)

// inputKind says where an operation's data is.
type inputKind uint8

const (
	noInput inputKind = iota
	dataInput
	patchInput
)

// operation is what the daemon must know before it carries one out
// (based_common.c: cib_server_ops).
type operation struct {
	modifies   bool // the request goes to all nodes
	privileged bool // not for the socket that only reads
	input      inputKind
}

func operationOf(name string) (operation, bool) {
	switch name {
	case "cib_query", opNoop, opPing:
		return operation{false, false, noInput}, true
	case "cib_modify", "cib_replace", "cib_create", "cib_delete", opDeleteAlt, opPrimary:
		return operation{true, true, dataInput}, true
	case "cib_apply_diff":
		return operation{true, true, patchInput}, true
	case "cib_bump", "cib_erase", "cib_upgrade":
		return operation{true, true, noInput}, true
	case opSyncAll, opSyncOne, opSecondary, opAllSecondary, opIsPrimary, opShutdown:
		return operation{false, true, noInput}, true
	}
	return operation{}, false
}
