package config

import (
	"net/netip"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// MaxLinks is how many networks a node may have (totem.h: INTERFACE_MAX).
const MaxLinks = 8

// DefaultStateDir is where the ring id file is, unless system.state_dir says otherwise.
const DefaultStateDir = "/var/lib/corosync"

// MaxNodes is how many nodes a link may have (totem.h: PROCESSOR_COUNT_MAX).
const MaxNodes = 384

// Transport is the way packets travel.
type Transport uint8

const (
	Knet Transport = iota
	UDPU
	UDP
)

// String is the word of the configuration file.
func (t Transport) String() string {
	return [...]string{"knet", "udpu", "udp"}[t]
}

// Config is a checked configuration. Immutable after Derive.
type Config struct {
	Transport     Transport
	ClusterName   string
	ConfigVersion uint64
	// NodeID is the local node, Self its place in Nodes, Pos its position in
	// the nodelist.
	NodeID uint32
	Self   int
	// Nodes in the order of the file.
	Nodes []Node
	Links [MaxLinks]Link
	// NetMTU is netmtu or the transport's default.
	NetMTU   uint32
	DSCP     uint8 // 0: the transport's own
	Totem    Totem
	Crypto   Crypto
	LinkMode string
	Quorum   Quorum

	System System
	// Notes and Warnings are to be logged at levels debug and warning, in order.
	Notes, Warnings []string

	ipVersion ipVersion
	clearHigh bool
	broadcast bool
	version   uint32
	localPos  int // position in the nodelist, -1 unknown
}

// Node is one node of the nodelist.
type Node struct {
	Pos   int // its N in nodelist.node.N
	ID    uint32
	Name  string
	Votes uint32
	Addrs [MaxLinks]netip.Addr // zero: the node has no such link
}

// Link is one network. Local is the address of the local node on it.
type Link struct {
	Configured bool
	Local      netip.Addr
	BindNet    netip.Addr // udp: of the interface section or the nodelist
	Mcast      netip.Addr // udp
	Port       uint16
	TTL        uint8
	Members    []Member // in the order of the nodelist

	Priority      uint8
	PingInterval  uint32 // ms
	PingTimeout   uint32 // ms
	PingPrecision uint32
	PongCount     uint32
	SCTP          bool
}

// Member is a node on a link.
type Member struct {
	NodeID uint32
	Addr   netip.Addr
}

// Totem holds the effective parameters of the protocol, derived ones included.
type Totem struct {
	Token, TokenRetransmit, Hold          time.Duration
	Join, SendJoin, Consensus             time.Duration
	Merge, Downcheck, MaxNetworkDelay     time.Duration
	TokenWarningPercent                   uint32
	RetransmitsBeforeLoss                 uint32
	FailRecvConst, SeqnoUnchangedConst    uint32
	HeartbeatFailuresAllowed              uint32
	WindowSize, MaxMessages, MissCount    uint32
	KnetPMTUDInterval, KnetMTU            uint32
	CompressionModel                      string
	CompressionLevel                      int32
	CompressionThreshold                  uint32
	BlockUnlistedIPs, CancelHoldOnRetrans bool
}

// Crypto is what knet protects packets with. Cipher and Hash are "none" or an
// algorithm's name; Key is empty exactly when both are "none".
type Crypto struct {
	Model, Cipher, Hash string
	Key                 string
}

// Enabled reports whether packets are protected at all.
func (c Crypto) Enabled() bool { return c.Cipher != "none" || c.Hash != "none" }

// Quorum holds the quorum section as it stands in the file; what it means
// together is decided by the votequorum service.
type Quorum struct {
	Provider                              string
	ExpectedVotes, Votes                  uint32 // 0: not given
	TwoNode, WaitForAll, WaitForAllSet    bool
	LastManStanding                       bool
	LastManStandingWindow                 time.Duration
	AutoTieBreaker                        bool
	AutoTieBreakerNode                    string
	AllowDownscale, ExpectedVotesTracking bool
	Device                                Device
}

// Device is the quorum device; Model "" means none.
type Device struct {
	Model                string
	Timeout, SyncTimeout time.Duration
	Votes                uint32
	VotesSet             bool
	MasterWins           bool
}

// System holds the settings of the daemon as a process.
type System struct {
	StateDir         string
	IPCSocket        bool // qb_ipc_type socket instead of shared memory
	SchedRR          bool
	Priority         string
	MoveToRootCgroup string // yes, no or auto
	KnetFallback     bool
}

// quorum reads the quorum section.
func quorum(m *cmap.Map) Quorum {
	num := func(key string, dflt uint32) uint32 {
		if n, ok := m.U32("quorum." + key); ok {
			return n
		}
		return dflt
	}
	on := func(key string) bool { n, _ := m.U8("quorum." + key); return n != 0 }
	q := Quorum{
		ExpectedVotes: num("expected_votes", 0), Votes: num("votes", 0),
		TwoNode: on("two_node"), WaitForAll: on("wait_for_all"), LastManStanding: on("last_man_standing"),
		LastManStandingWindow: ms(num("last_man_standing_window", 10000)),
		AutoTieBreaker:        on("auto_tie_breaker"), AllowDownscale: on("allow_downscale"),
		ExpectedVotesTracking: on("expected_votes_tracking"),
		Device: Device{Timeout: ms(num("device.timeout", 10000)), SyncTimeout: ms(num("device.sync_timeout", 30000)),
			MasterWins: on("device.master_wins")},
	}
	q.Provider, _ = m.Str("quorum.provider")
	q.AutoTieBreakerNode, _ = m.Str("quorum.auto_tie_breaker_node")
	q.Device.Model, _ = m.Str("quorum.device.model")
	q.Device.Votes, q.Device.VotesSet = m.U32("quorum.device.votes")
	_, q.WaitForAllSet = m.U8("quorum.wait_for_all")
	return q
}

// QuorumKeys are the keys of the quorum section, for what is wrong with them
// together.
func QuorumKeys(m *cmap.Map) (keys []string) {
	for key := range m.All("quorum.") {
		keys = append(keys, key)
	}
	return keys
}

// system reads the system section, whose values the parser has checked.
func system(m *cmap.Map) System {
	word := func(key, dflt string) string {
		if s, ok := m.Str("system." + key); ok {
			return s
		}
		return dflt
	}
	return System{
		StateDir: word("state_dir", DefaultStateDir), IPCSocket: word("qb_ipc_type", "native") == "socket",
		SchedRR: word("sched_rr", "yes") == "yes", Priority: word("priority", ""),
		MoveToRootCgroup: word("move_to_root_cgroup", "auto"), KnetFallback: word("allow_knet_handle_fallback", "no") == "yes",
	}
}

func ms(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

// Protect forbids library clients to change the keys that only a restart or a
// reload may change (exec/main.c: set_icmap_ro_keys_flag).
func Protect(m *cmap.Map) {
	for _, prefix := range []string{"internal_configuration.", "runtime.services.", "runtime.config.", "runtime.totem.",
		"uidgid.config.", "system.", "nodelist."} {
		m.SetReadOnly(prefix, true, true)
	}
	for _, key := range []string{"crypto_cipher", "crypto_hash", "crypto_model", "keyfile", "key", "secauth", "ip_version",
		"ip_dscp", "rrp_mode", "transport", "cluster_name", "netmtu", "threads", "version", "nodeid", "clear_node_high_bit"} {
		m.SetReadOnly("totem."+key, false, true)
	}
	m.SetReadOnly("config.reload_in_progress", false, true)
	m.SetReadOnly("config.totemconfig_reload_in_progress", false, true)
}
