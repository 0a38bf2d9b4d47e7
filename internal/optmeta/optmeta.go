// Package optmeta writes the description of a daemon's options that its argument
// "metadata" prints, in the form of an OCF agent's. pcs, crmsh and graphical tools
// read it.
//
// The daemons with options call it. It replaces lib/common/options.c:
// pcmk__format_option_metadata.
package optmeta

import (
	"strings"

	"github.com/pacesync/pacesync/internal/pcmk"
)

// Option is one option. Long may be empty: then Short stands for it.
type Option struct {
	Name    string
	Type    string // boolean, select, time, integer, percentage, …
	Values  string // what is allowed, separated by ", "; empty: whatever fits the type
	Default string
	Short   string
	Long    string
	// Blank says that the default is the empty text, and not that there is none.
	Blank bool
}

// ocfVersion is the version of the OCF standard that the form follows.
const ocfVersion = "1.1"

// Format describes the options of a daemon.
func Format(name, short, long string, options []Option) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<resource-agent name=\"" + name + "\" version=\"" + pcmk.Version + "\">\n" +
		"  <version>" + ocfVersion + "</version>\n")
	desc(&b, "  ", "longdesc", long, "")
	desc(&b, "  ", "shortdesc", short, "")
	b.WriteString("  <parameters>\n")
	for _, o := range options {
		o.write(&b)
	}
	b.WriteString("  </parameters>\n</resource-agent>\n")
	return b.String()
}

func (o Option) write(b *strings.Builder) {
	long := o.Long
	if long == "" {
		long = o.Short
	}
	b.WriteString("    <parameter name=\"" + o.Name + "\">\n")
	desc(b, "      ", "longdesc", long, o.Values)
	desc(b, "      ", "shortdesc", o.Short, "")
	b.WriteString("      <content type=\"" + o.Type + `"`)
	if o.Default != "" || o.Blank {
		b.WriteString(` default="` + o.Default + `"`)
	}
	if o.Values == "" || o.Type != "select" {
		b.WriteString("/>\n    </parameter>\n")
		return
	}
	b.WriteString(">\n")
	for v := range strings.SplitSeq(o.Values, ", ") {
		b.WriteString("        <option value=\"" + v + "\" />\n")
	}
	b.WriteString("      </content>\n    </parameter>\n")
}

func desc(b *strings.Builder, indent, tag, text, values string) {
	b.WriteString(indent + "<" + tag + ` lang="en">` + strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;",
		`"`, "&quot;", "'", "&apos;").Replace(text))
	if values != "" {
		b.WriteString("  Allowed values: " + values)
	}
	b.WriteString("</" + tag + ">\n")
}
