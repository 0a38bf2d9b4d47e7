// Package config reads corosync.conf: the syntax, the table of all options
// (Options), the typed keys that go into cmap, and the checked, immutable
// Config that the daemon runs by.
//
// The daemon's start-up and the cfg service (reload) call it: Parse gives the
// keys of a file, Derive a Config from keys. It reads no file and resolves no
// name itself; an Env does (package config/osenv for real).
//
// Upstream: exec/coroparse.c, exec/totemconfig.c, man corosync.conf(5).
package config

import "net/netip"

// Env is what the parser and the checks ask of the machine. Its methods may
// block (name service): on a running daemon Parse and Derive run outside of the loop.
type Env interface {
	// ReadFile returns at most limit bytes of a file. The error's text is the
	// system's, such as "No such file or directory"; ErrDirectory for a directory.
	ReadFile(path string, limit int) ([]byte, error)
	// ListFiles names the regular files of a directory, in the order of their
	// names; nil when the directory cannot be read.
	ListFiles(dir string) []string
	// UserID and GroupID look a name up; false: there is none.
	UserID(name string) (uint32, bool)
	GroupID(name string) (uint32, bool)
	// Hostname is the node name (uname).
	Hostname() string
	// LocalAddrs are the addresses of the network interfaces.
	LocalAddrs() []netip.Addr
	// NameOf is the name of an address, "" without one.
	NameOf(netip.Addr) string
	// Resolve returns the addresses of a name or literal, in order of
	// preference; v4 and v6 say which families are asked for.
	Resolve(name string, v4, v6 bool) []netip.Addr
}

// ErrDirectory is what ReadFile returns for a directory.
const ErrDirectory = fileError("Is a directory")

type fileError string

func (e fileError) Error() string { return string(e) }

// Error is a refusal of a configuration. Text is the original's, so that those who look
// for it in logs find it; it names the file and line where there is one.
type Error struct {
	Text string
	// Status is the daemon's exit status, Where the place that the original
	// names in its last log line.
	Status int
	Where  string
	// Keys are those that the refusal is about; Remarks finds them in the file.
	Keys []string
	// Hint says what to do where that does not follow from the text.
	Hint string
	// Notes and Warnings were found before it; they are to be logged first, at
	// levels debug and warning.
	Notes, Warnings []string
}

func (e *Error) Error() string { return e.Text }

// fault notes the keys that an objection is about, and what to do.
type fault struct {
	keys []string
	hint string
}

// at returns the text of an objection and notes its keys.
func (f *fault) at(text string, keys ...string) string {
	f.keys = keys
	return text
}

// Exit statuses of a refused configuration (exec/main.h: enum e_corosync_done).
const (
	StatusLogging = 7
	StatusConfig  = 8
)

// Limits of file sizes. The original has none; a larger file is a mistake.
const (
	maxFile = 16 << 20
	minKey  = 128  // totem.h: TOTEM_PRIVATE_KEY_LEN_MIN
	maxKey  = 4096 // totem.h: TOTEM_PRIVATE_KEY_LEN_MAX
)
