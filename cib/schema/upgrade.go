package schema

import (
	"fmt"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Severity is how much a remark matters. The values are syslog's.
type Severity uint8

// The severities.
const (
	Warning Severity = 4
	Info    Severity = 6
	Debug   Severity = 7
)

// Remark is something to tell about a change that a step made, worded as
// operators know it from the stylesheets.
type Remark struct {
	Severity Severity
	Plain    bool // it is shown without a label (upgrade-1.3.xsl knows none)
	Text     string
}

// String is the remark as a tool shows it.
func (r Remark) String() string {
	switch {
	case r.Plain:
		return r.Text
	case r.Severity == Warning:
		return "WARNING: " + r.Text
	case r.Severity == Info:
		return "INFO: " + r.Text
	}
	return "DEBUG: " + r.Text
}

// Step is the Transformer of the steps that are built in, which are all that
// Pacemaker ever had: pacemaker-1.3 to 2.0 and 2.10 to 3.0.
func Step(step Version, root *xmltree.Node) (*xmltree.Node, []Remark, error) {
	switch step.Transform {
	case "upgrade-1.3":
		up, remarks := UpgradeTo20(root)
		return up, remarks, nil
	case "upgrade-2.10":
		up, remarks := UpgradeTo30(root)
		return up, remarks, nil
	}
	return nil, nil, fmt.Errorf("schema: the step %s from %s is not built in", step.Transform, step.Name)
}
