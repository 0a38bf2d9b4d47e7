package config

import (
	"slices"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// change says when a new value of an option takes effect.
type change uint8

const (
	// live: with a reload (corosync-cfgtool -R) and with a write into cmap.
	live change = iota
	// onReload: with a reload only.
	onReload
	// onStart: at the next start of the daemon.
	onStart
	// fixed: at the next start; a reload that changes it says so in the log and
	// keeps the old value (exec/cfg.c: remove_ro_entries).
	fixed
)

func (c change) String() string {
	switch c {
	case live:
		return "at once"
	case onReload:
		return "reload"
	case onStart:
		return "restart"
	case fixed:
		return "restart (a reload refuses it)"
	}
	panic("unknown change")
}

// section is the part of the file that an option stands in. What a key means
// depends on the section and not on its dotted name alone: `totem.token: 5`
// outside of a section is an unknown key (coroparse.c: main_cp_cb_data_state).
type section uint8

const (
	secNone section = iota // outside of all sections that matter
	secTotem
	secInterface
	secMember
	secLogging
	secLoggerSubsys
	secLoggingDaemon
	secUIDGID
	secQuorum
	secDevice
	secNodelist
	secNode
	secSystem
	secResources
	secResourcesSystem
	secResourcesProcess
	secNozzle
	secCmap // in cmap only, not in the file
)

// sections tells which path opens which section. A path that is not listed
// belongs to the section around it.
var sections = [...]struct {
	path string
	sec  section
}{
	{"totem", secTotem},
	{"totem.interface", secInterface},
	{"totem.interface.member", secMember},
	{"logging.logger_subsys", secLoggerSubsys},
	{"logging.logging_daemon", secLoggingDaemon},
	{"uidgid", secUIDGID},
	{"quorum", secQuorum},
	{"quorum.device", secDevice},
	{"nodelist", secNodelist},
	{"nodelist.node", secNode},
	{"system", secSystem},
	{"resources", secResources},
	{"resources.system", secResourcesSystem},
	{"resources.process", secResourcesProcess},
	{"nozzle", secNozzle},
}

// Option is one line of the table that everything about an option derives
// from: the type of its cmap key, the check of its value, its default, the
// runtime.config key, the manual. Immutable.
type Option struct {
	// Key is the cmap key; N stands for a link number or node position, NAME
	// for the name of a logging subsystem.
	Key  string
	Type cmap.Type
	// Values are the only ones the parser takes, Bad its error text for others.
	Values []string
	Bad    string
	// Words are the only ones that mean something where the parser takes any: what
	// reads the option refuses others, or takes them for its default.
	Words []string
	// anyCase: capital letters are as good.
	anyCase bool
	Default string // for the manual
	Doc     string

	sec    section
	change change
	// read is the parser of an option that 3.1.7 doesn't have. What it refuses stays
	// a string, as there, and Derive warns of it.
	read  func(string) (cmap.Value, bool)
	timer *timer // volatile totem parameters only
}

// timer is a number that a reload or a write into cmap changes while the ring
// runs (totemconfig.c: totem_volatile_config_read).
type timer struct {
	// dflt is the value of a missing key, unless def computes it from what
	// stands above in the table.
	dflt uint32
	def  func(v *numbers) uint32
	// add is added to the key's value as well as to the default; nil: nothing.
	add func(v *numbers) uint32
	// zero: 0 is a value and does not mean "default".
	zero bool
	// min and what are for the check "The WHAT (%d ms) may not be less than (MIN ms).".
	min  uint32
	what string
}

// Smallest values of timers: three ticks of a 100 Hz clock
// (totemconfig.c: MINIMUM_TIMEOUT, MINIMUM_TIMEOUT_HOLD).
const (
	minTimeout = 30
	minHold    = 14
)

// Options returns the table in the order of the manual. The totem timers stand
// in the order in which they are computed.
func Options() []Option {
	return slices.Concat(totemTimers(), totemOptions(), interfaceOptions(), nodelistOptions(),
		quorumOptions(), loggingOptions(), systemOptions(), nozzleOptions(), otherOptions())
}
