package wire

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Registration is a device as a client or the CIB describes it.
type Registration struct {
	ID, Agent, Namespace string
	Provides             string // rsc_provides
	Params               []Pair // in order, without doubles
}

func registrationOf(e *xmltree.Node) *Registration {
	r := &Registration{ID: e.ID(), Agent: e.Attr("agent"), Namespace: e.Attr("namespace"), Provides: e.Attr("rsc_provides")}
	if r.ID == "" {
		r.ID = e.Attr("st_device_id") // of a call to a registered device
	}
	a := e.Child("attributes")
	if a == nil {
		return r
	}
	for _, x := range a.Attrs {
		r.put(x.Name, x.Value)
	}
	a.Each("param", func(p *xmltree.Node) {
		name, ok1 := p.Get("name")
		value, ok2 := p.Get("value")
		if ok1 && ok2 {
			r.put(name, value)
		}
	})
	return r
}

func (r *Registration) put(name, value string) {
	for i := range r.Params {
		if r.Params[i].Name == name {
			r.Params[i].Value = value
			return
		}
	}
	r.Params = append(r.Params, Pair{name, value})
}

// XML is create_device_registration_xml.
func (r *Registration) XML() *xmltree.Node {
	n := xmltree.New("st_device_id")
	args := n.AddNew("attributes")
	setIf(n, "id", r.ID)
	n.Set("st_origin", "create_device_registration_xml")
	setIf(n, "agent", r.Agent)
	if r.Namespace != "" && r.Namespace != "any" {
		n.Set("namespace", r.Namespace)
	}
	setIf(n, "rsc_provides", r.Provides)
	for _, p := range r.Params {
		if _, dup := args.Get(p.Name); !dup {
			args.Set(p.Name, p.Value)
		}
	}
	return n
}

// MaxLevel bounds the number of a level: 1 to MaxLevel-1 (ST_LEVEL_MAX).
const MaxLevel = 10

// TargetKind says how a level names its targets.
type TargetKind int

// The kinds.
const (
	NoTarget TargetKind = iota
	ByName
	ByPattern
	ByAttribute
)

// Level is a level of a fencing topology.
type Level struct {
	ID        string
	IndexText string
	Index     int
	Kind      TargetKind
	Target    string // name, pattern, or name of the attribute
	Value     string // of the attribute
	Devices   []string
}

// LevelOf reads a level; standalone callers ignore attributes themselves.
func LevelOf(e *xmltree.Node) *Level {
	l := &Level{ID: e.ID(), IndexText: e.Attr("index"), Index: atoi(e.Attr("index"))}
	if v, ok := e.Get("target"); ok {
		l.Kind, l.Target = ByName, v
	} else if v, ok := e.Get("target-pattern"); ok {
		l.Kind, l.Target = ByPattern, v
	} else if v, ok := e.Get("target-attribute"); ok {
		if value, ok := e.Get("target-value"); ok {
			l.Kind, l.Target, l.Value = ByAttribute, v, value
		}
	}
	if d, ok := e.Get("devices"); ok {
		l.Devices = strings.Split(d, ",")
	}
	return l
}

// Key is the name under which the levels of a target are kept (stonith_level_key).
func (l *Level) Key() string {
	switch l.Kind {
	case ByName, ByPattern:
		return l.Target
	case ByAttribute:
		return l.Target + "=" + l.Value
	}
	return "unknown-" + l.ID
}

// Desc names the level in notifications.
func (l *Level) Desc() string {
	if l == nil {
		return "missing"
	}
	return l.Key() + "[" + strconv.Itoa(l.Index) + "]"
}

func (l *Level) setTarget(n *xmltree.Node) {
	switch l.Kind {
	case ByName:
		n.Set("target", l.Target)
	case ByPattern:
		n.Set("target-pattern", l.Target)
	case ByAttribute:
		n.Set("target-attribute", l.Target)
		n.Set("target-value", l.Value)
	}
}

// XML describes the level for its registration (create_level_registration_xml).
func (l *Level) XML() *xmltree.Node {
	n := xmltree.New("fencing-level", xmltree.Attr{Name: "st_origin", Value: "create_level_registration_xml"})
	setInt(n, "id", l.Index)
	setInt(n, "index", l.Index)
	l.setTarget(n)
	setIf(n, "devices", strings.Join(l.Devices, ","))
	return n
}

// RemoveXML describes it for its removal.
func (l *Level) RemoveXML() *xmltree.Node {
	n := xmltree.New("fencing-level", xmltree.Attr{Name: "st_origin", Value: "stonith_api_remove_level_full"})
	l.setTarget(n)
	setInt(n, "index", l.Index)
	return n
}
