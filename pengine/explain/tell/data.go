package tell

import (
	"encoding/json"
	"strconv"

	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/explain"
)

// reason is a finding as data: its kind, its text, and the fields that are set.
type reason map[string]string

func data(f *explain.Finding) reason {
	r := reason{"kind": f.Kind.String(), "text": f.Text()}
	if f.Scored() {
		r["score"] = f.Score.String()
	}
	for _, x := range f.Fields() {
		r[x.Name] = x.Value
	}
	return r
}

func list(fs []explain.Finding) []reason {
	out := make([]reason, 0, len(fs))
	for i := range fs {
		out = append(out, data(&fs[i]))
	}
	return out
}

type jsonPlace struct {
	Instance string `json:"instance"`
	Node     string `json:"node"`
	Role     string `json:"role"`
}

type jsonNode struct {
	Node      string   `json:"node"`
	Instance  string   `json:"instance"`
	Score     string   `json:"score,omitempty"`
	Usable    bool     `json:"usable"`
	Chosen    bool     `json:"chosen"`
	Role      string   `json:"role,omitempty"`
	Choice    []reason `json:"choice"`
	Reasons   []reason `json:"reasons"`
	Promotion []reason `json:"promotion,omitempty"`
}

type jsonStep struct {
	Remedy  string `json:"remedy"`
	Text    string `json:"text"`
	Command string `json:"command,omitempty"`
}

type jsonChange struct {
	Node  string     `json:"node"`
	Role  string     `json:"role"`
	Steps []jsonStep `json:"steps"`
	Where string     `json:"where"`
	Also  []string   `json:"also,omitempty"`
}

type jsonAnswer struct {
	Resource string       `json:"resource"`
	Variant  string       `json:"variant"`
	Leader   string       `json:"leader,omitempty"`
	Summary  string       `json:"summary"`
	Now      []jsonPlace  `json:"now"`
	Next     []jsonPlace  `json:"next"`
	Reasons  []reason     `json:"reasons"`
	Nodes    []jsonNode   `json:"nodes"`
	Changes  []jsonChange `json:"changes,omitempty"`
	Recheck  string       `json:"recheck,omitempty"`
}

func places(ps []explain.Place) []jsonPlace {
	out := make([]jsonPlace, 0, len(ps))
	for _, p := range ps {
		out = append(out, jsonPlace(p))
	}
	return out
}

func recheck(a *explain.Answer) string {
	if a.Recheck == 0 {
		return ""
	}
	return explain.Date(a.Recheck)
}

func points(n *explain.NodeAnswer) string {
	if !n.Known {
		return ""
	}
	return n.Score.String()
}

// JSON is an answer as JSON.
func JSON(a *explain.Answer) ([]byte, error) {
	out := jsonAnswer{Resource: a.Resource, Variant: a.Variant, Leader: a.Leader, Summary: headline(a), Now: places(a.Now), Next: places(a.Next),
		Reasons: list(a.Reasons), Nodes: []jsonNode{}, Recheck: recheck(a)}
	for i := range a.Nodes {
		n := &a.Nodes[i]
		out.Nodes = append(out.Nodes, jsonNode{n.Node, n.Instance, points(n), n.Usable, n.Chosen, n.Role, list(n.Choice), list(n.Reasons), list(n.Promoted)})
	}
	for _, c := range a.Changes {
		j := jsonChange{Node: c.Node, Role: c.Role, Where: c.Where, Also: c.Also}
		for _, s := range c.Steps {
			j.Steps = append(j.Steps, jsonStep{s.Remedy, s.Text, s.Command})
		}
		out.Changes = append(out.Changes, j)
	}
	return encode(out)
}

func encode(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

// TableJSON is the summary of all resources as JSON.
func TableJSON(lines []explain.Line) ([]byte, error) {
	type row struct {
		Resource string `json:"resource"`
		Variant  string `json:"variant"`
		Where    string `json:"where"`
		Running  bool   `json:"running"`
		Reason   reason `json:"reason,omitempty"`
		Cause    reason `json:"cause,omitempty"`
	}
	out := make([]row, 0, len(lines))
	for _, l := range lines {
		r := row{Resource: l.Resource, Variant: l.Variant, Where: l.Where, Running: !l.Blocked}
		if l.Reason != nil {
			r.Reason = data(l.Reason)
		}
		if l.Cause != nil {
			r.Cause = data(l.Cause)
		}
		out = append(out, r)
	}
	return encode(out)
}

// XML adds an answer to the output.
func XML(out *pcmkout.Out, a *explain.Answer) {
	x := out.Node("explanation")
	x.Attrs = attrs("resource", a.Resource, "variant", a.Variant, "summary", headline(a), "leader", a.Leader, "recheck", recheck(a))
	for _, l := range []struct {
		name string
		list []explain.Place
	}{{"now", a.Now}, {"next", a.Next}} {
		for _, p := range l.list {
			pcmkout.Add(x, l.name, "").Attrs = attrs("instance", p.Instance, "node", p.Node, "role", p.Role)
		}
	}
	findings(x, "reason", a.Reasons)
	for i := range a.Nodes {
		n := &a.Nodes[i]
		y := x.AddNew("node", attrs("name", n.Node, "instance", n.Instance, "score", points(n), "usable", strconv.FormatBool(n.Usable),
			"chosen", strconv.FormatBool(n.Chosen), "role", n.Role)...)
		findings(y, "choice", n.Choice)
		findings(y, "reason", n.Reasons)
		findings(y, "promotion", n.Promoted)
	}
	for _, c := range a.Changes {
		y := x.AddNew("change", attrs("node", c.Node, "role", c.Role, "where", c.Where)...)
		for _, s := range c.Steps {
			y.AddNew("step", attrs("remedy", s.Remedy, "text", s.Text, "command", s.Command)...)
		}
		for _, also := range c.Also {
			y.AddNew("also", attrs("text", also)...)
		}
	}
}

// TableXML adds the summary of all resources to the output.
func TableXML(out *pcmkout.Out, lines []explain.Line) {
	for _, l := range lines {
		x := out.Node("explanation")
		x.Attrs = attrs("resource", l.Resource, "variant", l.Variant, "where", l.Where, "running", strconv.FormatBool(!l.Blocked))
		if l.Reason != nil {
			findings(x, "reason", []explain.Finding{*l.Reason})
		}
		if l.Cause != nil {
			findings(x, "cause", []explain.Finding{*l.Cause})
		}
	}
}

func findings(to *xmltree.Node, name string, fs []explain.Finding) {
	for i := range fs {
		f := &fs[i]
		pairs := []string{"kind", f.Kind.String(), "text", f.Text()}
		if f.Scored() {
			pairs = append(pairs, "score", f.Score.String())
		}
		for _, x := range f.Fields() {
			pairs = append(pairs, x.Name, x.Value)
		}
		to.AddNew(name, attrs(pairs...)...)
	}
}

// attrs makes attributes of names and values; empty values are left out.
func attrs(pairs ...string) (out []xmltree.Attr) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, xmltree.Attr{Name: pairs[i], Value: pairs[i+1]})
		}
	}
	return out
}
