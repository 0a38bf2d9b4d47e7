package schema

import "github.com/pacesync/pacesync/internal/xmltree"

// Notice is what there is to tell about a configuration's schema. The original
// writes it to the log in a daemon and to standard error in a tool.
type Notice struct {
	Error   bool // the configuration cannot be used
	Warning bool // it can, but should not stay so
	Tool    bool // a tool tells it as well
	Text    string
}

// Accept returns the configuration in a schema that the scheduler and the tools
// can work with, in memory alone: an old one is upgraded in a copy. The notice's
// text is empty when there is nothing to tell (schemas.c: cli_config_update).
func (s *Set) Accept(root *xmltree.Node, apply Transformer) (*xmltree.Node, Notice) {
	name, ok := root.Get(attrValidation)
	at := s.Find(name)
	if !ok {
		name = "(none)"
	}
	if at >= s.Find("none") {
		return root, Notice{Warning: true, Tool: true, Text: "Schema validation of configuration is disabled " +
			"(enabling is encouraged and prevents common misconfigurations)"}
	}
	least := s.Minimum()
	if at >= least {
		return root, Notice{}
	}
	up, best, _ := s.Upgrade(root.Copy(), 0, apply)
	switch {
	case best < least && (best < at || at == -1):
		first := "unknown"
		if at >= 0 {
			first = s.list[at].Name
		}
		return nil, Notice{Error: true, Tool: true, Text: "Cannot upgrade configuration (claiming schema " + name + ") to at least " +
			s.list[least].Name + " because it does not validate with any schema from " + first + " to " + s.list[s.Latest()].Name}
	case best < least:
		to := up.Attr(attrValidation)
		if to == "" {
			to = "unspecified version"
		}
		return nil, Notice{Error: true, Tool: true, Text: "Cannot upgrade configuration (claiming schema " + name + ") to at least " +
			s.list[least].Name + " because it would not upgrade past " + to}
	case best < s.Latest():
		return up, Notice{Warning: true, Text: "Configuration with schema " + name + " was internally upgraded to acceptable (but not most recent) " +
			s.list[best].Name}
	}
	return up, Notice{Text: "Configuration with schema " + name + " was internally upgraded to latest version " + s.list[best].Name}
}
