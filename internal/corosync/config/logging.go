package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Logging is the logging section. Immutable after ReadLogging.
type Logging struct {
	// Main holds for every subsystem that has no entry in Subsys.
	Main   LogTarget
	Subsys []LogSubsys // in the order of their names
	// Timestamp is in front of each line of files and standard error.
	Timestamp Timestamp
	// FileLine and FunctionName put the place in our source before the text.
	FileLine, FunctionName bool
	Facility               int // of syslog, already shifted (LOG_DAEMON is 24)
	// Blackbox turns the flight recorder on.
	Blackbox bool
	// Warnings are to be logged at level warning.
	Warnings []string
}

// LogTarget says what of a subsystem goes where.
type LogTarget struct {
	Stderr, Syslog, File bool
	LogFile              string
	// The least important levels of the file (and standard error) and of syslog.
	FileLevel, SyslogLevel service.Level
}

// LogSubsys is the target of one subsystem.
type LogSubsys struct {
	Name string
	LogTarget
}

// Timestamp is the form of the time in a log line.
type Timestamp uint8

const (
	TimeHires   Timestamp = iota // Nov 22 09:26:29.123
	TimeSeconds                  // Nov 22 09:26:29
	TimeNone
)

// Limits of subsystems (logsys.h: LOGSYS_MAX_SUBSYS_NAMELEN, LOGSYS_MAX_SUBSYS_COUNT).
const (
	maxSubsysName = 64
	maxSubsys     = 32
)

// ReadLogging reads the logging keys. The error is an *Error with status 7; a
// running daemon keeps its old settings then (exec/logconfig.c:
// corosync_main_config_read_logging).
func ReadLogging(m *cmap.Map) (*Logging, error) {
	r := &logReader{m: m, l: &Logging{Facility: 24, Blackbox: true}}
	text := r.format()
	if text == "" {
		def := LogTarget{Stderr: true, Syslog: true, FileLevel: service.LevelInfo, SyslogLevel: service.LevelInfo}
		r.l.Main, text = r.target("logging", def)
	}
	if text == "" {
		text = r.subsystems()
	}
	if text != "" {
		return nil, &Error{Text: inConfig(text + "."), Status: StatusLogging, Where: "main.c:1389", Keys: r.keys}
	}
	return r.l, nil
}

// LogFileKeys are the keys that name log files.
func LogFileKeys(m *cmap.Map) (keys []string) {
	for key := range m.All("logging.") {
		if strings.HasSuffix(key, ".logfile") {
			keys = append(keys, key)
		}
	}
	return keys
}

type logReader struct {
	fault
	m *cmap.Map
	l *Logging
}

// onOff reads a key that is on or off.
func (r *logReader) onOff(name string, dflt bool) (v bool, text string) {
	switch s, ok := r.m.Str("logging." + name); {
	case !ok:
		return dflt, ""
	case s == "on":
		return true, ""
	case s == "off":
		return false, ""
	}
	return dflt, r.at("unknown value for "+name, "logging."+name)
}

func (r *logReader) format() (text string) {
	if r.l.FileLine, text = r.onOff("fileline", false); text != "" {
		return text
	}
	if r.l.FunctionName, text = r.onOff("function_name", false); text != "" {
		return text
	}
	switch s, ok := r.m.Str("logging.timestamp"); {
	case !ok, s == "hires":
		r.l.Timestamp = TimeHires
	case s == "on":
		r.l.Timestamp = TimeSeconds
	case s == "off":
		r.l.Timestamp = TimeNone
	default:
		return r.at("unknown value for timestamp", "logging.timestamp")
	}
	r.l.Blackbox, text = r.onOff("blackbox", true)
	return text
}

// target reads the keys below path; missing ones are as in def.
func (r *logReader) target(path string, def LogTarget) (t LogTarget, text string) {
	t = def
	key := func(name string) (string, bool) { return r.m.Str(path + "." + name) }
	for _, dest := range []struct {
		name string
		to   *bool
	}{{"to_stderr", &t.Stderr}, {"to_syslog", &t.Syslog}} {
		if text = destination(key, dest.name, dest.to); text != "" {
			return t, r.at(text, path+"."+dest.name)
		}
	}
	if s, ok := key("syslog_facility"); ok {
		if r.l.Facility, ok = facility(s); !ok {
			return t, r.at("unknown syslog facility specified", path+".syslog_facility")
		}
	}
	if s, ok := key("syslog_level"); ok {
		r.obsolete("syslog_level", "syslog_priority")
		if t.SyslogLevel, ok = priority(s); !ok {
			return t, r.at("unknown syslog level specified", path+".syslog_level")
		}
	}
	if s, ok := key("syslog_priority"); ok {
		if t.SyslogLevel, ok = priority(s); !ok {
			return t, r.at("unknown syslog priority specified", path+".syslog_priority")
		}
	}
	if s, ok := key("logfile"); ok {
		t.LogFile = s
	}
	if _, ok := key("to_file"); ok {
		r.obsolete("to_file", "to_logfile")
	}
	for _, name := range []string{"to_file", "to_logfile"} {
		if text = destination(key, name, &t.File); text != "" {
			return t, r.at(text, path+"."+name)
		}
	}
	if s, ok := key("logfile_priority"); ok {
		if t.FileLevel, ok = priority(s); !ok {
			return t, r.at("unknown logfile priority specified", path+".logfile_priority")
		}
	}
	switch s, ok := key("debug"); {
	case s == "on":
		t.FileLevel, t.SyslogLevel = service.LevelDebug, service.LevelDebug
	case s == "trace":
		t.FileLevel, t.SyslogLevel = service.LevelTrace, service.LevelTrace
	case ok && s != "off":
		return t, r.at("unknown value for debug", path+".debug")
	}
	return t, ""
}

func (r *logReader) obsolete(name, instead string) {
	r.l.Warnings = append(r.l.Warnings, fmt.Sprintf(
		"Warning: the %s config parameter has been obsoleted. See corosync.conf man page %s directive.", name, instead))
}

// subsystems reads the logger_subsys sections. A section without debug turns
// debugging off for its subsystem, whatever the main section says.
func (r *logReader) subsystems() string {
	base := r.l.Main
	if s, _ := r.m.Str("logging.debug"); s == "on" || s == "trace" {
		plain := &logReader{m: r.m, l: &Logging{}}
		base.FileLevel = plain.level("logfile_priority")
		base.SyslogLevel = plain.level("syslog_priority")
	}
	const prefix = "logging.logger_subsys."
	for key := range r.m.All(prefix) {
		name, leaf, ok := strings.Cut(strings.TrimPrefix(key, prefix), ".")
		if !ok || name == "" || leaf != "subsys" {
			continue
		}
		if len(name) >= maxSubsysName || len(r.l.Subsys) >= maxSubsys {
			return r.at("unable to create new logging subsystem", key)
		}
		t, text := r.target(prefix+name, base)
		if text != "" {
			return text
		}
		r.l.Subsys = append(r.l.Subsys, LogSubsys{name, t})
	}
	return ""
}

// level is a level of the main section without its debug setting.
func (r *logReader) level(name string) service.Level {
	if s, ok := r.m.Str("logging." + name); ok {
		if p, ok := priority(s); ok {
			return p
		}
	}
	return service.LevelInfo
}

// destination reads yes, on, no or off.
func destination(key func(string) (string, bool), name string, to *bool) string {
	switch s, ok := key(name); {
	case !ok:
	case s == "yes", s == "on":
		*to = true
	case s == "no", s == "off":
		*to = false
	default:
		return "unknown value for " + name
	}
	return ""
}

// priority is the level of a syslog priority name, in any case of letters.
func priority(s string) (service.Level, bool) {
	switch strings.ToLower(s) {
	case "emerg":
		return 0, true
	case "alert":
		return 1, true
	case "crit":
		return service.LevelCrit, true
	case "err", "error":
		return service.LevelError, true
	case "warning":
		return service.LevelWarning, true
	case "notice":
		return service.LevelNotice, true
	case "info":
		return service.LevelInfo, true
	case "debug":
		return service.LevelDebug, true
	}
	return 0, false
}

// facility is the number of a syslog facility.
func facility(s string) (int, bool) {
	for i, n := range facilityNames() {
		if n != "" && n == s {
			return i << 3, true
		}
	}
	return 0, false
}

// facilityNames are the names of the syslog facilities, at their numbers (libqb
// lib/log.c: facilitynames).
func facilityNames() [24]string {
	return [...]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
		"", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
}

// facilities are the names alone.
func facilities() []string {
	names := facilityNames()
	return slices.DeleteFunc(names[:], func(n string) bool { return n == "" })
}
