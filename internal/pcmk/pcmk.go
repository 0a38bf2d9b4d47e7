// Package pcmk holds the facts that all of Pacemaker's programs share: names of
// daemons and of their sockets, groups and message types, versions, paths,
// result codes with their texts, and the environment of /etc/default/pacemaker.
//
// Every daemon and tool of the Pacemaker half uses it; it does no I/O beside
// reading the environment and the user database.
//
//	me, _ := pcmk.DaemonByProgram("pacemaker-attrd")
//	me.Message                                    // "attrd": CPG group and IPC name
//	os.Exit(int(pcmk.RCFromLegacy(-62).Exit()))   // ETIME -> 124
//	pcmk.ExitNoSuch.String()                      // "No such object"
//	pcmk.Env("logfile")                           // PCMK_logfile, else HA_logfile
//
// Upstream: include/crm/crm.h, include/crm/common/results.h, lib/common/results.c,
// options.c, messages.c, cluster.h.
package pcmk

// Versions that are told to peers and users.
const (
	Version    = "2.1.5"       // what tools say
	Build      = "a3f44794f94" // Debian's; tools show it beside Version
	FeatureSet = "3.16.1"      // CRM_FEATURE_SET, in every controller message
	Features   = "agent-manpages cibsecrets corosync-ge-2 generated-manpages lha monotonic nagios ncurses remote systemd"
)

// Users and groups.
const (
	User  = "hacluster" // CRM_DAEMON_USER
	Group = "haclient"  // CRM_DAEMON_GROUP
	// NoUser is recorded for a client whose uid has no name.
	NoUser = "#unprivileged"
)

// Paths of the original packages.
const (
	DaemonDir   = "/usr/lib/pacemaker"          // CRM_DAEMON_DIR
	StateDir    = "/run/crm"                    // CRM_STATE_DIR
	VarDir      = "/var/lib/pacemaker"          // CRM_PACEMAKER_DIR
	CIBDir      = "/var/lib/pacemaker/cib"      // CRM_CONFIG_DIR
	PEDir       = "/var/lib/pacemaker/pengine"  // PE_STATE_DIR
	CoreDir     = "/var/lib/pacemaker/cores"    // CRM_CORE_DIR
	BlackboxDir = "/var/lib/pacemaker/blackbox" // CRM_BLACKBOX_DIR
	RscTmpDir   = "/run/resource-agents"        // CRM_RSCTMP_DIR
	LogFile     = "/var/log/pacemaker/pacemaker.log"
	SchemaDir   = "/usr/share/pacemaker"           // CRM_SCHEMA_DIRECTORY
	OCFRoot     = "/usr/lib/ocf"                   // OCF_ROOT_DIR
	OCFRADir    = "/usr/lib/ocf/resource.d"        // OCF_RA_PATH
	LSBDir      = "/etc/init.d"                    // INITDIR
	SecretsDir  = "/var/lib/pacemaker/lrm/secrets" // LRM_CIBSECRETS_DIR
	AuthKey     = "/etc/pacemaker/authkey"         // DEFAULT_REMOTE_KEY_LOCATION
	AuthKeyAlt  = "/etc/corosync/authkey"
	FenceDir    = "/usr/sbin" // RH_STONITH_DIR
)

// MsgType is a daemon's number in CPG messages (cluster.h: enum
// crm_ais_msg_types).
type MsgType uint32

// Message types.
const (
	MsgNone      MsgType = 0
	MsgAIS       MsgType = 1
	MsgLRMD      MsgType = 2
	MsgCIB       MsgType = 3
	MsgCRMD      MsgType = 4
	MsgAttrd     MsgType = 5
	MsgStonithd  MsgType = 6
	MsgTEngine   MsgType = 7
	MsgPEngine   MsgType = 8
	MsgStonithNG MsgType = 9
)

func (t MsgType) String() string {
	switch t {
	case MsgAIS:
		return "ais"
	case MsgLRMD:
		return "lrmd"
	case MsgCIB:
		return "cib"
	case MsgCRMD:
		return "crmd"
	case MsgAttrd:
		return "attrd"
	case MsgStonithd:
		return "stonithd"
	case MsgTEngine:
		return "tengine"
	case MsgPEngine:
		return "pengine"
	case MsgStonithNG:
		return "stonith-ng"
	}
	return "unknown"
}

// Daemon is one of the daemons that pacemakerd supervises, or itself.
type Daemon struct {
	Program  string   // pacemaker-attrd: file name and process name
	Message  string   // attrd: name in messages, and of the CPG group if Grouped
	Type     MsgType  // in CPG messages
	Grouped  bool     // member of a CPG group, so it needs the cluster
	Root     bool     // runs as root; the others as User
	Endpoint string   // the socket that pacemakerd checks
	Servers  []string // all its IPC sockets
}

// Daemons returns the supervised daemons in the order of their start
// (pcmkd_subdaemons.c: pcmk_children); they stop in the opposite order.
func Daemons() []Daemon {
	return []Daemon{
		{"pacemaker-based", "cib", MsgCIB, true, false, "cib_ro", []string{"cib_ro", "cib_rw", "cib_shm"}},
		{"pacemaker-fenced", "stonith-ng", MsgStonithNG, true, true, "stonith-ng", []string{"stonith-ng"}},
		{"pacemaker-execd", "lrmd", MsgLRMD, false, true, "lrmd", []string{"lrmd"}},
		{"pacemaker-attrd", "attrd", MsgAttrd, true, false, "attrd", []string{"attrd"}},
		{"pacemaker-schedulerd", "pengine", MsgPEngine, false, false, "pengine", []string{"pengine"}},
		{"pacemaker-controld", "crmd", MsgCRMD, true, false, "crmd", []string{"crmd"}},
	}
}

// MCP is the message and socket name of pacemakerd.
const MCP = "pacemakerd"

// DaemonByProgram finds a daemon by its program's name.
func DaemonByProgram(program string) (Daemon, bool) {
	for _, d := range Daemons() {
		if d.Program == program {
			return d, true
		}
	}
	return Daemon{}, false
}

// MessageName is the name that a program has in messages (messages.c:
// pcmk__message_name): a daemon's short name, any other program's own.
func MessageName(program string) string {
	if program == "" {
		return "unknown"
	}
	if d, ok := DaemonByProgram(program); ok {
		return d.Message
	}
	return program
}

// TypeOfName is the message type of a program or message name (cpg.c:
// text2msg_type); a number above the known types is a client's process id.
func TypeOfName(name string) MsgType {
	switch lower(MessageName(name)) {
	case "ais":
		return MsgAIS
	case "cib":
		return MsgCIB
	case "crmd", "dc":
		return MsgCRMD
	case "tengine":
		return MsgTEngine
	case "pengine":
		return MsgPEngine
	case "lrmd":
		return MsgLRMD
	case "stonithd":
		return MsgStonithd
	case "stonith-ng":
		return MsgStonithNG
	case "attrd":
		return MsgAttrd
	}
	var n uint32
	for i := 0; i < len(name) && name[i] >= '0' && name[i] <= '9' && n < 1<<28; i++ {
		n = n*10 + uint32(name[i]-'0')
	}
	if n <= uint32(MsgStonithNG) {
		return MsgNone
	}
	return MsgType(n)
}

// IsDaemonName tells whether a client's name is one that the daemons use
// (ipc_server.c: crm_is_daemon_name). Clients choose their names: it is no proof.
func IsDaemonName(name string) bool {
	switch MessageName(name) {
	case "crmd", "stonithd", "stonith-ng", "attrd", "cib", "pacemakerd", "dc", "tengine", "lrmd":
		return true
	}
	return false
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// VersionText is what --version of every program prints (output.c: text_version).
func VersionText() string {
	return "Pacemaker " + Version + "\nWritten by Andrew Beekhof and the Pacemaker project contributors\n"
}
