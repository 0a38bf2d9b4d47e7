package wire

import "github.com/pacesync/pacesync/internal/xmltree"

// Phase is a step of an operation: what was asked for, or, when the reboot of
// several devices is split, its two halves (enum st_remap_phase).
type Phase int

// The phases.
const (
	Requested Phase = iota
	PhaseOff
	PhaseOn
	Phases // how many there are
)

// PhaseInfo is what an offered device says about one phase.
type PhaseInfo struct {
	Timeout    int // seconds, 0 for the default
	DelayMax   int
	DelayBase  int
	Required   bool // has to be executed whenever the action is
	Disallowed bool // not by this node
}

// Offered is a device of a peer that can fence the target.
type Offered struct {
	ID, Namespace, Agent string
	Verified             bool
	Flags                Flags
	Phase                [Phases]PhaseInfo
	Params               []Pair // of a query without target
}

// Pair is a parameter.
type Pair struct{ Name, Value string }

// Offer is the answer to a query.
type Offer struct {
	Target  string
	Count   int
	Devices []Offered
	// Reboot says that the parts for off and on are to be sent as well.
	Reboot bool
}

func offerOf(n *xmltree.Node) (*Offer, error) {
	o := &Offer{Target: n.Attr("st_target"), Count: atoi(n.Attr("st-available-devices"))}
	n.Elements(func(e *xmltree.Node) {
		if id := e.ID(); id != "" && len(o.Devices) <= maxDevices {
			o.Devices = append(o.Devices, offeredOf(e))
		}
	})
	if len(o.Devices) > maxDevices {
		return nil, ErrTooMany
	}
	return o, nil
}

// offeredOf reads one device. Nodes that do not tell what their agent can do
// are old ones, taken to support "on" (add_device_properties).
func offeredOf(e *xmltree.Node) Offered {
	d := Offered{ID: e.ID(), Namespace: e.Attr("namespace"), Agent: e.Attr("agent"), Verified: atoi(e.Attr("st_monitor_verified")) != 0, Flags: SupportsOn}
	if f, ok := atoiOK(e.Attr("st_device_support_flags")); ok {
		d.Flags = Flags(uint32(f))
	}
	d.Phase[Requested] = phaseOf(e)
	e.Elements(func(c *xmltree.Node) {
		switch c.ID() {
		case "off":
			d.Phase[PhaseOff] = phaseOf(c)
		case "on":
			d.Phase[PhaseOn] = phaseOf(c)
		}
	})
	if a := e.Child("attributes"); a != nil {
		for _, x := range a.Attrs {
			d.Params = append(d.Params, Pair(x))
		}
	}
	return d
}

func phaseOf(e *xmltree.Node) PhaseInfo {
	return PhaseInfo{
		Timeout: atoi(e.Attr("st_action_timeout")), DelayMax: atoi(e.Attr("st_delay_max")), DelayBase: atoi(e.Attr("st_delay_base")),
		Required: atoi(e.Attr("st_required")) != 0, Disallowed: isTrue(e.Attr("st_action_disallowed")),
	}
}

// isTrue is crm_is_true for the values that messages have.
func isTrue(s string) bool { return s == "true" || s == "1" || s == "yes" || s == "on" || s == "y" }

func (p PhaseInfo) set(e *xmltree.Node) {
	if p.Required {
		e.Set("st_required", "1")
	}
	if p.Timeout != 0 {
		setInt(e, "st_action_timeout", p.Timeout)
	}
	if p.DelayMax > 0 {
		setInt(e, "st_delay_max", p.DelayMax)
	}
	if p.DelayBase > 0 {
		setInt(e, "st_delay_base", p.DelayBase)
	}
}

func (p PhaseInfo) setDisallowed(e *xmltree.Node) {
	if p.Disallowed {
		e.Set("st_action_disallowed", "true")
	}
}

// XML is stonith_query_capable_device_cb's list.
func (o *Offer) XML() *xmltree.Node {
	n := xmltree.New("stonith_query_capable_device_cb")
	setIf(n, "st_target", o.Target)
	for i := range o.Devices {
		o.Devices[i].add(n, o.Reboot, o.Target == "")
	}
	setInt(n, "st-available-devices", len(o.Devices))
	return n
}

func (d *Offered) add(list *xmltree.Node, reboot, params bool) {
	e := list.AddNew("st_device_id", xmltree.Attr{Name: "id", Value: d.ID})
	setIf(e, "namespace", d.Namespace)
	setIf(e, "agent", d.Agent)
	verified := 0
	if d.Verified {
		verified = 1
	}
	setInt(e, "st_monitor_verified", verified)
	setInt(e, "st_device_support_flags", int(d.Flags))
	d.Phase[Requested].set(e)
	if reboot {
		d.Phase[Requested].setDisallowed(e)
		for _, half := range [...]struct {
			id string
			p  Phase
		}{{"off", PhaseOff}, {"on", PhaseOn}} {
			c := e.AddNew("st_device_action", xmltree.Attr{Name: "id", Value: half.id})
			d.Phase[half.p].set(c)
			d.Phase[half.p].setDisallowed(c)
		}
	}
	if params {
		a := e.AddNew("attributes")
		for _, p := range d.Params {
			if _, dup := a.Get(p.Name); !dup {
				a.Set(p.Name, p.Value)
			}
		}
	}
}
