// Package wire holds the messages of the executor's interface (IPC service
// "lrmd"): requests, replies and notifications, as types, with one function
// that reads and one that writes each. The daemon (package lrmd) reads requests;
// its clients (lrmd/client) read the rest.
//
// Upstream: include/crm/lrmd.h for the names, lib/lrmd/lrmd_client.c:
// lrmd_create_op and daemons/execd/execd_commands.c for the forms.
package wire

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Versions of the interface (lrmd.h: LRMD_PROTOCOL_VERSION).
const (
	Protocol    = "1.1"
	MinProtocol = "1.0" // the oldest a client may have
)

// Operations.
const (
	OpRegister     = "register" // a client says who it is
	OpRscRegister  = "lrmd_rsc_register"
	OpRscExec      = "lrmd_rsc_exec"
	OpRscCancel    = "lrmd_rsc_cancel"
	OpUnregister   = "lrmd_rsc_unregister"
	OpRscInfo      = "lrmd_rsc_info"
	OpPoke         = "lrmd_rsc_poke"
	OpNewClient    = "lrmd_rsc_new_client"
	OpCheck        = "lrmd_check"
	OpAlertExec    = "lrmd_alert_exec"
	OpGetRecurring = "lrmd_get_recurring"
	OpForward      = "ipc_fwd" // Pacemaker Remote's proxies
)

// Options are the call options of a request.
type Options int

// Call options (lrmd.h: enum lrmd_call_options). DropRecurring counts at
// registration and only when both of its bits are set; it overlaps
// NotifyOrigOnly, which counts at execution.
const (
	NotifyOrigOnly    Options = 2
	DropRecurring     Options = 3
	NotifyChangesOnly Options = 4
)

// Has says whether all bits of o are set.
func (x Options) Has(o Options) bool { return x&o == o }

// Param is one parameter of an operation.
type Param struct{ Name, Value string }

// Params are parameters in the order they came; names are unique.
type Params []Param

// Get returns a parameter's value and whether it is there.
func (p Params) Get(name string) (string, bool) {
	for _, x := range p {
		if x.Name == name {
			return x.Value, true
		}
	}
	return "", false
}

// Rsc is a resource as the executor knows it: its id and its agent.
type Rsc struct{ ID, Class, Provider, Type string }

// SameAgent says whether both have the same agent; case does not count.
func (r Rsc) SameAgent(o Rsc) bool {
	return strings.EqualFold(r.Class, o.Class) && strings.EqualFold(r.Provider, o.Provider) && strings.EqualFold(r.Type, o.Type)
}

// reader reads typed attributes of one element; what is missing or malformed is
// zero, as upstream's crm_element_value_int leaves it.
type reader struct{ n *xmltree.Node }

func (r reader) str(name string) string { return r.n.Attr(name) }

func (r reader) int(name string) int {
	v, err := strconv.ParseInt(strings.TrimSpace(r.n.Attr(name)), 10, 32)
	if err != nil {
		return 0
	}
	return int(v)
}

func (r reader) int64(name string) int64 {
	v, err := strconv.ParseInt(strings.TrimSpace(r.n.Attr(name)), 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// ms reads a count of milliseconds, a guint upstream.
func (r reader) ms(name string) uint32 {
	v, err := strconv.ParseUint(strings.TrimSpace(r.n.Attr(name)), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(v)
}

func (r reader) bool(name string) bool {
	switch strings.ToLower(r.n.Attr(name)) {
	case "true", "on", "yes", "y", "1":
		return true
	}
	return false
}

// writer adds attributes to one element.
type writer struct{ n *xmltree.Node }

// str adds an attribute unless it is empty: upstream leaves NULLs out.
func (w writer) str(name, value string) {
	if value != "" {
		w.n.Attrs = append(w.n.Attrs, xmltree.Attr{Name: name, Value: value})
	}
}

func (w writer) int(name string, v int) { w.str(name, strconv.Itoa(v)) }

func (w writer) int64(name string, v int64) { w.str(name, strconv.FormatInt(v, 10)) }

func (w writer) ms(name string, v uint32) { w.str(name, strconv.FormatUint(uint64(v), 10)) }

// named finds the first element of that name anywhere in n.
func named(n *xmltree.Node, name string) *xmltree.Node {
	return n.Find(func(c *xmltree.Node) bool { return c.Name == name })
}

const attributes = "attributes"

// parseParams reads the parameters below n: attributes of the element
// `attributes`, and its `param` children (nvpair.c: xml2list). Of two with one
// name the later counts.
func parseParams(n *xmltree.Node) Params {
	list := n.Child(attributes)
	if list == nil {
		return nil
	}
	out := make(Params, 0, len(list.Attrs))
	at := make(map[string]int, len(list.Attrs))
	add := func(name, value string) {
		if i, ok := at[name]; ok {
			out[i].Value = value
			return
		}
		at[name] = len(out)
		out = append(out, Param{name, value})
	}
	for _, a := range list.Attrs {
		add(a.Name, a.Value)
	}
	list.Each("param", func(p *xmltree.Node) {
		name, ok := p.Get("name")
		value, ok2 := p.Get("value")
		if ok && ok2 {
			add(name, value)
		}
	})
	return out
}

// addParams writes the element `attributes`. What cannot be the name of an
// attribute becomes a `param` child (nvpair.c: hash2smartfield, which does so for
// a leading digit alone; every reader takes both forms).
func addParams(n *xmltree.Node, params Params) {
	list := n.AddNew(attributes)
	for _, p := range params {
		if xmlName(p.Name) {
			list.Attrs = append(list.Attrs, xmltree.Attr{Name: p.Name, Value: p.Value})
			continue
		}
		list.AddNew("param", xmltree.Attr{Name: "name", Value: p.Name}, xmltree.Attr{Name: "value", Value: p.Value})
	}
}

func xmlName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != ""
}

// NeedsProvider says whether agents of the class have a provider (agents.c:
// pcmk_ra_cap_provider).
func (r Rsc) NeedsProvider() bool { return strings.EqualFold(r.Class, "ocf") }
