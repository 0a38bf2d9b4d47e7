package config

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// DefaultFile is where the daemon reads its configuration from.
const DefaultFile = "/etc/corosync/corosync.conf"

// Parse reads corosync.conf and the files of uidgid.d beside it into typed
// keys (coroparse.c: coroparse_configparse). The error is an *Error with the
// original's text; nothing of a bad file is returned.
func Parse(env Env, file string) (*cmap.Map, error) {
	data, err := env.ReadFile(file, maxFile+1)
	if err == ErrDirectory {
		data, err = nil, nil // as upstream: opens, and reads as empty
	}
	if err == nil && len(data) > maxFile {
		err = fileError("File too large")
	}
	if err != nil {
		return nil, &Error{Text: clip(fmt.Sprintf("Can't read file %s: %v", file, err), 511), Status: StatusConfig}
	}
	s := &store{env: env, m: cmap.NewMap(), options: Options()}
	if err := scan(data, file, s); err != nil {
		return nil, err
	}
	dir := filepath.Join(filepath.Dir(file), "uidgid.d")
	for _, name := range env.ListFiles(dir) {
		path := filepath.Join(dir, name)
		data, err := env.ReadFile(path, maxFile)
		if err != nil {
			continue // as upstream: a file that cannot be read grants nothing
		}
		if err := scan(data, path, uidgidFile{s}); err != nil {
			return nil, err
		}
	}
	return s.m, nil
}

func clip(s string, n int) string { return s[:min(len(s), n)] }

// store turns sections and keys into typed cmap keys (coroparse.c:
// main_config_parser_cb).
type store struct {
	env     Env
	m       *cmap.Map
	options []Option

	link    int64  // linknumber of the interface section
	ifaceKV []pair // its values, under the name after totem.interface.N.
	members []string
	subsys  *string // of logger_subsys and logging_daemon
	daemon  *string
	logKV   []pair
	node    int // position of the node section

	line  int            // being read
	lines map[string]int // where each key got its value; nil: nobody asks
}

func (s *store) at(line int) { s.line = line }

// pair is a value that waits for the end of its section, which says its key.
type pair struct {
	name string
	val  cmap.Value
	line int
}

func (s *store) open(path string, around section) (section, string) {
	sec := around
	for _, x := range sections {
		if x.path == path {
			sec = x.sec
			s.enter(sec)
		}
	}
	return sec, ""
}

// enter resets what a section gathers.
func (s *store) enter(sec section) {
	switch sec {
	case secInterface:
		s.link, s.ifaceKV, s.members = 0, nil, nil
	case secLoggerSubsys, secLoggingDaemon:
		s.subsys, s.daemon, s.logKV = nil, nil, nil
	case secNodelist:
		s.node = 0
	}
}

func (s *store) item(path, key, value string, in section) string {
	switch in {
	case secInterface:
		return s.interfaceItem(path, value)
	case secLoggerSubsys, secLoggingDaemon:
		switch {
		case key == "subsys":
			s.subsys = &value
		case key == "name" && in == secLoggingDaemon:
			s.daemon = &value
		default:
			s.logKV = append(s.logKV, pair{key, cmap.Str(value), s.line})
		}
		return ""
	case secUIDGID:
		return s.uidgid(key, value)
	case secMember:
		if key != "memberaddr" {
			return "Only memberaddr is allowed in member section"
		}
		s.members = append(s.members, value)
		return ""
	case secNode:
		full := clip("nodelist.node."+strconv.Itoa(s.node)+"."+key, maxPath-1)
		return s.typed(full, s.find(in, "nodelist.node.N."+key, key), value)
	}
	return s.typed(path, s.find(in, path, key), value)
}

// find looks an option up. Sections that may stand more than once know their
// keys by their last part, the others by the full path.
func (s *store) find(in section, path, key string) *Option {
	for i := range s.options {
		o := &s.options[i]
		switch {
		case o.sec != in:
		case o.Key == path:
			return o
		case in >= secResources && in <= secResourcesProcess && strings.HasSuffix(o.Key, "."+key):
			return o
		}
	}
	return nil
}

// typed checks a value by its option and stores it; unknown keys are strings.
func (s *store) typed(key string, o *Option, value string) string {
	v, text := convert(key, o, value)
	if text != "" {
		return text
	}
	return s.set(key, v)
}

func (s *store) set(key string, v cmap.Value) string {
	if s.lines != nil {
		s.lines[key] = s.line
	}
	if err := s.m.Set(key, v); err != nil {
		return clip256(fmt.Sprintf("Can't store key \"%s\" into icmap, returned error is %v", key, err))
	}
	return ""
}

// clip256 is what becomes of a text that the original's buffer of 256 does not hold.
func clip256(s string) string {
	if len(s) >= 256 {
		return "Can't format parser error message"
	}
	return s
}

// convert makes the typed value of a key; text says what is wrong with it.
func convert(key string, o *Option, value string) (v cmap.Value, text string) {
	if o != nil && o.read != nil {
		if v, ok := o.read(value); ok {
			return v, ""
		}
		return cmap.Str(value), ""
	}
	if o == nil || o.Type == cmap.String {
		if o != nil && o.Values != nil && !slices.Contains(o.accepted(), value) {
			return v, o.Bad
		}
		return cmap.Str(value), ""
	}
	if o.Type == cmap.Uint64 {
		// The original's own range check fails an assertion here and dumps core.
		if n, ok := parseUnsigned(value); ok {
			return cmap.U64(n), ""
		}
		return v, rangeText(key, "0", "18446744073709551615", value)
	}
	lo, hi := limits(o.Type)
	n, ok := parseInteger(value, lo, hi)
	if !ok {
		return v, rangeText(key, strconv.FormatInt(lo, 10), strconv.FormatInt(hi, 10), value)
	}
	switch o.Type {
	case cmap.Uint8:
		return cmap.U8(uint8(n)), ""
	case cmap.Uint16:
		return cmap.U16(uint16(n)), ""
	case cmap.Uint32:
		return cmap.U32(uint32(n)), ""
	case cmap.Int32:
		return cmap.I32(int32(n)), ""
	}
	panic("config: option " + o.Key + " has a type without parser")
}

// accepted are the values that the file may give: the compression model "none"
// is the default but no word of the file.
func (o *Option) accepted() []string {
	if o.Key == "totem.knet_compression_model" {
		return o.Values[1:]
	}
	return o.Values
}

func rangeText(key, lo, hi, value string) string {
	return clip256(fmt.Sprintf("Value of key \"%s\" is expected to be integer in range (%s..%s), but \"%s\" was given", key, lo, hi, value))
}

func limits(t cmap.Type) (lo, hi int64) {
	switch t {
	case cmap.Uint8:
		return 0, math.MaxUint8
	case cmap.Uint16:
		return 0, math.MaxUint16
	case cmap.Uint32:
		return 0, math.MaxUint32
	case cmap.Int32:
		return math.MinInt32, math.MaxInt32
	}
	panic("config: no limits for " + t.String())
}

func (s *store) interfaceItem(path, value string) string {
	name, _ := strings.CutPrefix(path, "totem.interface.")
	o := s.find(secInterface, "totem.interface.N."+name, "")
	if o == nil {
		return s.typed(path, nil, value)
	}
	v, text := convert(path, o, value)
	if text != "" {
		return text
	}
	if name == "linknumber" {
		n, _ := v.AsUint()
		s.link = int64(n)
		return ""
	}
	s.ifaceKV = slices.DeleteFunc(s.ifaceKV, func(p pair) bool { return p.name == name })
	s.ifaceKV = append(s.ifaceKV, pair{name, v, s.line})
	return ""
}

// uidgid grants access to a user or group.
func (s *store) uidgid(key, value string) string {
	var lookup func(string) (uint32, bool)
	what, file := "", ""
	switch key {
	case "uid":
		lookup, what, file = s.env.UserID, "user", "/etc/passwd"
	case "gid":
		lookup, what, file = s.env.GroupID, "group", "/etc/group"
	default:
		return "uidgid: Only uid and gid are allowed items"
	}
	id := uint32(0)
	if n, ok := parseInteger(value, 0, math.MaxUint32); ok {
		id = uint32(n)
	} else if id, ok = lookup(value); !ok {
		return fmt.Sprintf("The '%s' %s is not found in %s, please read the documentation.", value, what, file)
	}
	return s.set(fmt.Sprintf("uidgid.config.%s.%d", key, id), cmap.U8(1))
}

func (s *store) close(path string, in section) string {
	switch in {
	case secInterface:
		return s.closeInterface()
	case secLoggerSubsys:
		if s.subsys == nil {
			return "No subsys key in logger_subsys directive"
		}
		return s.closeLogger("logging.logger_subsys."+*s.subsys, "subsys")
	case secLoggingDaemon:
		return s.closeDaemon()
	case secNode:
		s.node++
	}
	return ""
}

func (s *store) closeInterface() string {
	base := fmt.Sprintf("totem.interface.%d.", s.link)
	for _, p := range s.ifaceKV {
		s.line = p.line
		if text := s.set(base+p.name, p.val); text != "" {
			return text
		}
	}
	// The original keeps members in a list that it fills from the front.
	slices.Reverse(s.members)
	for i, addr := range s.members {
		if text := s.set(base+"member."+strconv.Itoa(i), cmap.Str(addr)); text != "" {
			return text
		}
	}
	s.ifaceKV, s.members = nil, nil
	return ""
}

// closeLogger stores a logging section under its final name, and the names that
// identify it last. Of a key given twice the first value stays: upstream's list again.
func (s *store) closeLogger(base string, names ...string) string {
	slices.Reverse(s.logKV)
	for _, p := range s.logKV {
		s.line = p.line
		if text := s.set(clip(base+"."+p.name, maxPath-1), p.val); text != "" {
			return text
		}
	}
	s.logKV = nil
	for _, name := range names {
		v := s.subsys
		if name == "name" {
			v = s.daemon
		}
		if text := s.set(clip(base+"."+name, maxPath-1), cmap.Str(*v)); text != "" {
			return text
		}
	}
	return ""
}

// closeDaemon ends a logging_daemon section. That of the daemon "corosync" is
// another way to write the logging section.
func (s *store) closeDaemon() string {
	if s.daemon == nil {
		return "No name key in logging_daemon directive"
	}
	corosync := *s.daemon == "corosync"
	switch {
	case corosync && s.subsys == nil:
		return s.closeLogger("logging")
	case corosync:
		return s.closeLogger("logging.logger_subsys."+*s.subsys, "subsys")
	case s.subsys == nil:
		return s.closeLogger("logging.logging_daemon."+*s.daemon, "name")
	}
	return s.closeLogger("logging.logging_daemon."+*s.daemon+"."+*s.subsys, "subsys", "name")
}

// uidgidFile reads the files of uidgid.d (coroparse.c: uidgid_config_parser_cb).
type uidgidFile struct{ s *store }

func (u uidgidFile) at(line int) { u.s.at(line) }

func (u uidgidFile) open(path string, _ section) (section, string) {
	if path != "uidgid" {
		return secNone, "uidgid: Can't add subsection different than uidgid"
	}
	return secUIDGID, ""
}

func (u uidgidFile) item(path, key, value string, _ section) string {
	if path != "uidgid."+key {
		key = "" // outside of the section
	}
	return u.s.uidgid(key, value)
}

func (u uidgidFile) close(string, section) string { return "" }
