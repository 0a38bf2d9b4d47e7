package history

import (
	"maps"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// filtered returns the parameters that count for a digest.
func filtered(params map[string]string) map[string]string {
	out := maps.Clone(params)
	plan.FilterForDigest(out)
	return out
}

// Metadata is what is used of an agent's description of itself.
type Metadata struct {
	ReloadAgent  bool    // it has the action reload-agent of OCF 1.1
	LegacyReload bool    // it has the older action reload
	Params       []Param // newest first, as the lists in the CIB go
}

// Param is a parameter of an agent.
type Param struct {
	Name                        string
	Reloadable, Unique, Private bool
}

// maxParams bounds what an agent can declare: agents have some dozens.
const maxParams = 4096

// ParseMetadata reads an agent's description (controld_cache_metadata).
func ParseMetadata(class, text string) (*Metadata, error) {
	root, err := xmltree.ParseString(text, xmltree.Limits{Bytes: 4 << 20})
	if err != nil {
		return nil, err
	}
	m := &Metadata{}
	modern := false
	if v := root.Child("version"); class == "ocf" && v != nil {
		modern = rules.CompareVersions(content(v), "1.1") >= 0
	}
	if as := root.Child("actions"); as != nil {
		for a := as.Child("action"); a != nil; a = a.NextNamed() {
			switch name := a.Attr("name"); {
			case name == taskReloadAgent && modern:
				m.ReloadAgent = true
			case strings.EqualFold(name, taskReload) && !modern:
				m.LegacyReload = true
			}
		}
	}
	private := false
	if ps := root.Child("parameters"); ps != nil {
		for p := ps.Child("parameter"); p != nil && len(m.Params) < maxParams; p = p.NextNamed() {
			if name, ok := p.Get("name"); ok {
				q := Param{name, model.True(p.Attr("reloadable")), model.True(p.Attr("unique")), model.True(p.Attr("private"))}
				private = private || q.Private
				m.Params = append(m.Params, q)
			}
		}
	}
	slices.Reverse(m.Params)
	for i := range m.Params {
		switch m.Params[i].Name {
		case "password", "passwd", "user":
			m.Params[i].Private = m.Params[i].Private || !private
		}
	}
	return m, nil
}

func content(x *xmltree.Node) string {
	var b strings.Builder
	for c := x.First; c != nil; c = c.Next {
		if c.Kind == xmltree.Text || c.Kind == xmltree.CData {
			b.WriteString(c.Name)
		}
	}
	return b.String()
}

// needsMetadata says whether the entry of an operation needs its agent's description
// (crm_op_needs_metadata).
func needsMetadata(class, task string) bool {
	switch class {
	case "ocf", "stonith", "nagios":
	default:
		return false
	}
	switch task {
	case taskStart, taskMonitor, "promote", "demote", taskReload, taskReloadAgent, taskMigrateTo, taskMigrateFrom, taskNotify:
		return true
	}
	return false
}

// restart tells which parameters cannot change without a restart (append_restart_list).
func (m *Metadata) restart(o *Op, x *xmltree.Node) {
	if o.Interval > 0 || !m.ReloadAgent && !m.LegacyReload {
		return
	}
	in := map[string]string{}
	list := wordList{}
	for _, p := range m.Params {
		if m.ReloadAgent && p.Reloadable || !m.ReloadAgent && !p.Unique {
			continue
		}
		list.add(p.Name)
		if v, ok := o.Params[p.Name]; ok {
			in[p.Name] = v
		}
	}
	x.Set("op-force-restart", list.String())
	x.Set("op-restart-digest", plan.ParamsDigest(in))
}

// secure tells which parameters are secrets, with a digest of the others
// (append_secure_list).
func (m *Metadata) secure(o *Op, x *xmltree.Node) {
	in := filtered(o.Params)
	list := wordList{}
	for _, p := range m.Params {
		if p.Private {
			list.add(p.Name)
			delete(in, p.Name)
		} else if v, ok := o.Params[p.Name]; ok {
			in[p.Name] = v
		}
	}
	if list.String() != "" {
		x.Set("op-secure-params", list.String())
		x.Set("op-secure-digest", plan.ParamsDigest(in))
	}
}

// wordList is words with blanks around each, so that one can be found as " word ".
type wordList struct{ b []byte }

func (l *wordList) add(w string) {
	if len(l.b) == 0 {
		l.b = append(l.b, ' ')
	}
	l.b = append(append(l.b, ' '), w...)
}

func (l *wordList) String() string {
	if len(l.b) == 0 {
		return ""
	}
	return string(l.b) + "  "
}
