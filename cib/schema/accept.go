package schema

import (
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Notice is what there is to tell about a configuration's schema. The original
// writes it to the log in a daemon and to standard error in a tool.
type Notice struct {
	Error   bool // the configuration cannot be used
	Warning bool // it can, but should not stay so
	Tool    bool // a tool tells it as well
	Text    string
	Remarks []Remark // about the changes that upgrades made
	Faults  []Fault  // why it could not be upgraded, or not to the newest schema
}

// Remarked is the text that a tool shows of what was done and found: remarks up to
// a severity, then faults. The newline behind a remark is shown in any case, as the
// original's is without a label (schemas.c: cib_upgrade_err).
func (n Notice) Remarked(most Severity) string {
	return Remarked(n.Remarks, n.Faults, most)
}

// Remarked see Notice.Remarked.
func Remarked(remarks []Remark, faults []Fault, most Severity) string {
	var b strings.Builder
	for _, r := range remarks {
		if r.Severity <= most {
			b.WriteString(r.String())
		}
		b.WriteByte('\n')
	}
	for _, f := range faults {
		b.WriteString(f.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// Accept returns the configuration in a schema that the scheduler and the tools
// can work with, in memory alone: an old one is upgraded in a copy. It is nil for
// one that cannot be used. The notice's text is empty when there is nothing to
// tell (schemas.c: cli_config_update).
func (s *Set) Accept(root *xmltree.Node, apply Transformer) (*xmltree.Node, Notice) {
	name, ok := root.Get(attrValidation)
	at := s.claimed(name, ok)
	if !ok {
		name = "(none)"
	}
	if at >= s.Find(None) {
		return root, Notice{Warning: true, Tool: true, Text: "Schema validation of configuration is disabled " +
			"(enabling is encouraged and prevents common misconfigurations)"}
	}
	if at >= s.Minimum() {
		return root, Notice{}
	}
	r := s.Upgrade(root.Copy(), 0, apply)
	n := Notice{Remarks: r.Remarks, Faults: r.Faults}
	switch {
	case r.Best < s.Minimum():
		n.Error, n.Tool = true, true
		n.Text = "Cannot upgrade configuration (claiming schema " + name + ") to at least " +
			s.list[s.Minimum()].Name + " because it " + s.obstacle(at, r)
		return nil, n
	case r.Best < s.Latest():
		n.Warning = true
		n.Text = "Configuration with schema " + name + " was internally upgraded to acceptable (but not most recent) " + s.list[r.Best].Name
	default:
		n.Text = "Configuration with schema " + name + " was internally upgraded to latest version " + s.list[r.Best].Name
	}
	return r.CIB, n
}

// obstacle says why a CIB that claims the schema at could not be upgraded.
func (s *Set) obstacle(at int, r Result) string {
	if at < 0 || r.Best < at {
		first := "unknown"
		if at >= 0 {
			first = s.list[at].Name
		}
		return "does not validate with any schema from " + first + " to " + s.list[s.Latest()].Name
	}
	to := r.CIB.Attr(attrValidation)
	if to == "" {
		to = "unspecified version"
	}
	return "would not upgrade past " + to
}
