// Package alerts is the alerts section of the CIB: which agents are told of
// what, and the environment that they are told in. It runs nothing.
//
// The controller (nodes, fencing, resources) and the attribute manager
// (attributes) use it. Upstream: lib/pengine/rules_alerts.c,
// lib/common/alerts.c, lib/lrmd/lrmd_alerts.c.
package alerts

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Kind is what an alert tells of.
type Kind uint8

const (
	Node Kind = 1 << iota
	Fencing
	Resource
	Attribute

	defaults = Node | Fencing | Resource // without <select>
)

func (k Kind) String() string {
	switch k {
	case Node:
		return "node"
	case Fencing:
		return "fencing"
	case Resource:
		return "resource"
	case Attribute:
		return "attribute"
	}
	return "unknown"
}

// Defaults of an alert's meta attributes.
const (
	DefaultTimeout = 30 * time.Second
	DefaultFormat  = "%H:%M:%S.%06N"
)

// Alert is one agent to run, for one recipient.
type Alert struct {
	ID, Path  string
	Recipient string // empty when the alert has none
	Timeout   time.Duration
	Format    string // of the timestamp, as strftime's with %N
	Kinds     Kind
	Attrs     []string // attributes it is told of, nil for all
	Env       []xmltree.Attr
}

// Parse reads an alerts section; n may be nil. A recipient's settings stand
// over those of its alert.
func Parse(n *xmltree.Node, now iso8601.Time) []Alert {
	var out []Alert
	if n == nil {
		return nil
	}
	n.Each("alert", func(a *xmltree.Node) {
		if a.ID() == "" || a.Attr("path") == "" {
			return
		}
		base := Alert{ID: a.ID(), Path: a.Attr("path"), Timeout: DefaultTimeout, Format: DefaultFormat, Kinds: defaults}
		base.read(a, now)
		found := false
		a.Each("recipient", func(r *xmltree.Node) {
			found = true
			e := base
			e.Env, e.Attrs = slices.Clone(base.Env), slices.Clone(base.Attrs)
			e.Recipient = r.Attr("value")
			e.read(r, now)
			out = append(out, e)
		})
		if !found {
			out = append(out, base)
		}
	})
	slices.Reverse(out) // upstream's order: the last one is run first
	return out
}

func (a *Alert) read(n *xmltree.Node, now iso8601.Time) {
	lookup := func(tag, id string) *xmltree.Node { return nil }
	env := &rules.Env{Now: now}
	// Variables are taken as written, without rules (get_envvars_from_cib).
	if set := n.Child("instance_attributes"); set != nil {
		set.Each("nvpair", func(nv *xmltree.Node) { a.setEnv(nv.Attr("name"), nv.Attr("value")) })
	}
	meta := map[string]string{}
	rules.Apply(rules.ParseSets(n, "meta_attributes", "", lookup), env, meta, false)
	if v, ok := meta["timeout"]; ok {
		a.Timeout = DefaultTimeout
		if ms, ok := iso8601.MSec(v); ok && ms > 0 {
			a.Timeout = time.Duration(ms) * time.Millisecond
		}
	}
	if v, ok := meta["timestamp-format"]; ok {
		a.Format = v
	}
	if s := n.Child("select"); s != nil {
		a.selectKinds(s)
	}
}

func (a *Alert) setEnv(name, value string) {
	if name == "" {
		return
	}
	for i := range a.Env {
		if a.Env[i].Name == name {
			a.Env[i].Value = value
			return
		}
	}
	a.Env = append(a.Env, xmltree.Attr{Name: name, Value: value})
}

func (a *Alert) selectKinds(s *xmltree.Node) {
	var k Kind
	s.Elements(func(e *xmltree.Node) {
		switch e.Name {
		case "select_nodes":
			k |= Node
		case "select_fencing":
			k |= Fencing
		case "select_resources":
			k |= Resource
		case "select_attributes":
			k |= Attribute
			var names []string
			e.Each("attribute", func(at *xmltree.Node) { names = append(names, at.Attr("name")) })
			if names != nil {
				a.Attrs = names
			}
		}
	})
	if k != 0 {
		a.Kinds = k
	}
}

// Wants says whether the alert is told of that kind of event; attr is the name
// of the attribute for one about an attribute.
func (a *Alert) Wants(k Kind, attr string) bool {
	return a.Kinds&k != 0 && (k != Attribute || a.Attrs == nil || slices.Contains(a.Attrs, attr))
}

// Environment is what the agent is told of an event: values by their short
// names ("node", "desc", …), of kind k, at that time. Every value goes out
// under its old and its new name.
func (a *Alert) Environment(k Kind, values []xmltree.Attr, now time.Time) []xmltree.Attr {
	var out []xmltree.Attr
	add := func(name, value string) {
		out = append(out, xmltree.Attr{Name: "CRM_notify_" + name, Value: value}, xmltree.Attr{Name: "CRM_alert_" + name, Value: value})
	}
	for _, v := range values {
		add(v.Name, v.Value)
	}
	add("kind", k.String())
	add("version", pcmk.Version)
	add("recipient", a.Recipient)
	add("timestamp", Format(a.Format, now))
	add("timestamp_epoch", strconv.FormatInt(now.Unix(), 10))
	add("timestamp_usec", pad(int64(now.Nanosecond()/1000), 6))
	return append(out, a.Env...)
}

func pad(n int64, width int) string {
	s := strconv.FormatInt(n, 10)
	if len(s) < width {
		s = strings.Repeat("0", width-len(s)) + s
	}
	return s
}

// Format writes a time by a format of strftime(3), in the C locale, with %N for
// the fraction of a second and %nN for n digits of it (iso8601.c:
// pcmk__time_format_hr). An unknown conversion is left as it is.
func Format(format string, t time.Time) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		j := i + 1
		for j < len(format) && format[j] >= '0' && format[j] <= '9' {
			j++
		}
		if j >= len(format) {
			b.WriteString(format[i:])
			break
		}
		if format[j] == 'N' {
			b.WriteString(fraction(format[i+1:j], t))
		} else if s, ok := conversion(format[j], t); ok && j == i+1 {
			b.WriteString(s)
		} else {
			b.WriteString(format[i : j+1])
		}
		i = j
	}
	return b.String()
}

// fraction is the fraction of a second: microseconds, cut to the digits asked
// for.
func fraction(width string, t time.Time) string {
	digits := pad(int64(t.Nanosecond()/1000), 6)
	n, err := strconv.Atoi(width)
	if err != nil || n > len(digits) {
		n = len(digits)
	}
	return digits[:n]
}

func conversion(c byte, t time.Time) (string, bool) {
	layout := ""
	switch c {
	case 'Y':
		layout = "2006"
	case 'y':
		layout = "06"
	case 'm':
		layout = "01"
	case 'd':
		layout = "02"
	case 'e':
		layout = "_2"
	case 'H':
		layout = "15"
	case 'I':
		layout = "03"
	case 'M':
		layout = "04"
	case 'S':
		layout = "05"
	case 'p':
		layout = "PM"
	case 'T':
		layout = "15:04:05"
	case 'R':
		layout = "15:04"
	case 'r':
		layout = "03:04:05 PM"
	case 'F':
		layout = "2006-01-02"
	case 'D', 'x':
		layout = "01/02/06"
	case 'X':
		layout = "15:04:05"
	case 'c':
		layout = "Mon Jan _2 15:04:05 2006"
	case 'a':
		layout = "Mon"
	case 'A':
		layout = "Monday"
	case 'b', 'h':
		layout = "Jan"
	case 'B':
		layout = "January"
	case 'j':
		return pad(int64(t.YearDay()), 3), true
	case 'z':
		layout = "-0700"
	case 'Z':
		layout = "MST"
	case 's':
		return strconv.FormatInt(t.Unix(), 10), true
	case 'n':
		return "\n", true
	case 't':
		return "\t", true
	case '%':
		return "%", true
	default:
		return "", false
	}
	return t.Format(layout), true
}

// ConfigChanged says whether a notification of the CIB manager is about alerts
// or, with options, cluster options (alerts.c: pcmk__alert_in_patchset).
func ConfigChanged(notify *xmltree.Node, options bool) bool {
	result := notify.Child("cib_update_result")
	if result == nil {
		return false
	}
	changed := false
	result.Elements(func(patch *xmltree.Node) {
		patch.Each("change", func(ch *xmltree.Node) { changed = changed || touches(ch, options) })
	})
	return changed
}

const configPath = "/cib/configuration"

func touches(ch *xmltree.Node, options bool) bool {
	path := ch.Attr("path")
	if options && strings.Contains(path, configPath+"/crm_config") || strings.Contains(path, configPath+"/alerts") {
		return true
	}
	if path != configPath {
		return false
	}
	// A section that is new as a whole.
	made := ch.First
	return made != nil && made.Name == "alerts"
}
