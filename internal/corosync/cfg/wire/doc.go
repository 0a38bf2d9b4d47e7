// Package wire holds the messages between clients and the daemon's
// configuration and control service (service 1, socket "cfg"). The daemon's
// engine parses requests and appends replies and events; the client library
// does the reverse. Messages between nodes are the engine's own.
//
//	request              id  size  fields
//	RING_STATUS_GET       0    16
//	RING_REENABLE         1    16
//	KILL_NODE             2   288  node @16, reason {u16 length @24, text[256] @26}
//	TRY_SHUTDOWN          3    24  flags @16
//	REPLY_TO_SHUTDOWN     4    24  answer @16
//	GET_NODE_ADDRS        5    24  node @16
//	LOCAL_GET             6    16
//	RELOAD_CONFIG         7    16
//	REOPEN_LOG_FILES      8    16
//	NODE_STATUS_GET       9    32  node @16, version @24
//	TRACK_START          10    24  flags u8 @16
//	TRACK_STOP           11    16
//
//	reply                id   size  fields
//	RING_STATUS_GET       0  10272  count @24, names [16][128] @32, states [16][512] @2080
//	RING_REENABLE         1     24
//	TRACK_START, _STOP  2,3     24
//	KILL_NODE             8     24
//	TRY_SHUTDOWN          9     24
//	event TEST_SHUTDOWN  10     32  flags @24
//	GET_NODE_ADDRS       11 32+16n  family @24, count @28, addresses [n][16] @32
//	LOCAL_GET            12     32  node @24
//	REPLY_TO_SHUTDOWN    13     24
//	RELOAD_CONFIG        14     24
//	REOPEN_LOG_FILES     15     24
//	NODE_STATUS_GET      16   4200  see NodeStatus; 32 bytes when the version is refused
//
// Upstream: include/corosync/ipc_cfg.h, cfg.h.
package wire

// Limits of the service.
const (
	MaxLinks        = 8   // cfg.h: CFG_MAX_LINKS
	MaxRings        = 16  // ipc_cfg.h: CFG_MAX_INTERFACES
	ringNameSize    = 128 // ipc_cfg.h: CFG_INTERFACE_NAME_MAX_LEN
	ringStateSize   = 512 // ipc_cfg.h: CFG_INTERFACE_STATUS_MAX_LEN
	ReasonSize      = 256 // room for the reason of a kill, NUL included (corotypes.h: CS_MAX_NAME_LENGTH)
	hostSize        = 256 // cfg.h: CFG_MAX_HOST_LEN
	addrSize        = 16  // totem.h: TOTEMIP_ADDRLEN
	StatusVersionV1 = 1   // cfg.h: CFG_NODE_STATUS_V1
)
