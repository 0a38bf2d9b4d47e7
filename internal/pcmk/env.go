package pcmk

import (
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// Names of options for Env and SetEnv (options_internal.h: PCMK__ENV_*); the
// variables are these with PCMK_ or HA_ before.
const (
	EnvLogFile     = "logfile"
	EnvLogFacility = "logfacility"
	EnvLogPriority = "logpriority"
	EnvDebug       = "debug"
	EnvStderr      = "stderr"
	EnvBlackbox    = "blackbox"
	EnvNodeStart   = "node_start_state"
	EnvMCP         = "mcp"
	EnvRespawned   = "respawned" // pacemakerd starts a daemon again that ended unexpectedly
	EnvClusterType = "cluster_type"
	EnvQuorumType  = "quorum_type"
	EnvShutdown    = "shutdown_delay"
)

// Env is the value of an option: of the variable PCMK_name, else HA_name; empty
// without (options.c: pcmk__env_option).
func Env(name string) string {
	if v, ok := os.LookupEnv("PCMK_" + name); ok {
		return v
	}
	return os.Getenv("HA_" + name)
}

// SetEnv sets both variables of an option, for this process and its children
// (options.c: pcmk__set_env_option).
func SetEnv(name, value string) {
	// The only error is an impossible name; names are constants.
	_ = os.Setenv("PCMK_"+name, value)
	_ = os.Setenv("HA_"+name, value)
}

// EnvEnabled tells whether an option is true, or lists this daemon
// (options.c: pcmk__env_option_enabled).
func EnvEnabled(program, name string) bool {
	v := Env(name)
	return v != "" && (IsTrue(v) || program != "" && strings.Contains(v, program))
}

// IsTrue is Pacemaker's idea of truth (strings.c: crm_is_true).
func IsTrue(s string) bool {
	v, _ := ParseBool(s)
	return v
}

// ParseBool reads a boolean as Pacemaker does (strings.c: crm_str_to_boolean).
func ParseBool(s string) (value, ok bool) {
	switch lower(s) {
	case "true", "on", "yes", "y", "1":
		return true, true
	case "false", "off", "no", "n", "0":
		return false, true
	}
	return false, false
}

// Limits of IPC messages (ipc_common.c: crm_ipc_default_buffer_size).
const (
	DefaultIPCBuffer = 128 * 1024
	MinIPCBuffer     = 12 * 1024
)

// IPCBuffer is the longest IPC message: PCMK_ipc_buffer, within reason.
func IPCBuffer() int {
	n := DefaultIPCBuffer
	if v, err := strconv.Atoi(strings.TrimSpace(Env("ipc_buffer"))); err == nil && v > 0 {
		n = min(v, 1<<30)
	}
	return max(n, MinIPCBuffer)
}

// SchemaDirectory is where the schemas are: PCMK_schema_directory or SchemaDir.
func SchemaDirectory() string {
	if d := Env("schema_directory"); d != "" {
		return d
	}
	return SchemaDir
}

// DaemonUser returns the ids of User (utils.c: pcmk_daemon_user).
func DaemonUser() (uid, gid uint32, err error) {
	u, err := user.Lookup(User)
	if err != nil {
		return 0, 0, err
	}
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, 0, err
	}
	g, err := strconv.ParseUint(u.Gid, 10, 32)
	return uint32(n), uint32(g), err
}

// UserName is the name of a user, NoUser if it has none.
func UserName(uid uint32) string {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return NoUser
	}
	return u.Username
}

// InGroup says whether a user is listed as a member of a system group
// (utils.c: pcmk__is_user_in_group): the primary group does not count.
func InGroup(user, group string) bool {
	text, err := os.ReadFile("/etc/group")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 4 && f[0] == group {
			return slices.Contains(strings.Split(f[3], ","), user)
		}
	}
	return false
}
