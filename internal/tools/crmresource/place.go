package crmresource

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/show"
)

func attrs(pairs ...string) (out []xmltree.Attr) {
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, xmltree.Attr{Name: pairs[i], Value: pairs[i+1]})
	}
	return out
}

// place carries out --move and --ban.
func (p *program) place() error {
	switch {
	case p.o.node == nil:
		return p.banCurrent()
	case p.o.command == ban:
		return p.banFrom(p.node.Name)
	}
	return p.moveTo(p.node)
}

// until is the end of the constraint's life, empty for none (parse_cli_lifetime).
func (p *program) until() (string, error) {
	if p.o.lifetime == nil {
		return "", nil
	}
	d, err := iso8601.Duration(*p.o.lifetime)
	if err != nil {
		p.out.Errf("Invalid duration specified: %s\nPlease refer to https://en.wikipedia.org/wiki/ISO_8601#Durations "+
			"for examples of valid durations", *p.o.lifetime)
		return "", &failure{status: pcmk.ExitUsage}
	}
	at := (&show.View{Now: p.now}).ISOTime(p.now.Unix() + d)
	p.out.Info("Migration will take effect until: " + at)
	return at, nil
}

// location makes a location constraint; with a life it has a rule.
func (p *program) location(id, host, score, until string, ids [3]string) *xmltree.Node {
	role := "Started"
	if p.o.promoted {
		role = "Promoted"
	}
	n := xmltree.New("constraints")
	l := n.AddNew("rsc_location", attrs("id", id, "rsc", *p.o.id, "role", role)...)
	if until == "" {
		l.Set("node", host)
		l.Set("score", score)
		return n
	}
	rule := l.AddNew("rule", attrs("id", ids[0], "score", score, "boolean-op", "and")...)
	rule.AddNew("expression", attrs("id", ids[1], "attribute", "#uname", "operation", "eq", "value", host, "type", "string")...)
	rule.AddNew("date_expression", attrs("id", ids[2], "operation", "lt", "end", until)...)
	return n
}

// banFrom keeps the resource off a node (cli_resource_ban).
func (p *program) banFrom(host string) error {
	until, err := p.until()
	if err != nil {
		return err
	}
	rsc, id := *p.o.id, "cli-ban-"+*p.o.id+"-on-"+host
	what := "running"
	if p.o.promoted {
		what = "being promoted"
	}
	p.out.Infof("WARNING: Creating rsc_location constraint '%s' with a score of -INFINITY for resource %s on %s.\n\tThis will "+
		"prevent %s from %s on %s until the constraint is removed using the clear option or by editing the CIB with an "+
		"appropriate tool\n\tThis will be the case even if %s is the last node in the cluster", id, rsc, host, rsc, what, host, host)
	doc := p.location(id, host, "-INFINITY", until, [3]string{id + "-rule", id + "-expr", id + "-lifetime"})
	return p.call(client.Call{Op: client.Modify, Section: "constraints", Data: doc})
}

// prefer draws the resource to a node (cli_resource_prefer).
func (p *program) prefer(host string) error {
	until, err := p.until()
	if err != nil {
		return err
	}
	rsc := *p.o.id
	doc := p.location("cli-prefer-"+rsc, host, "INFINITY", until,
		[3]string{"cli-prefer-rule-" + rsc, "cli-prefer-expr-" + rsc, "cli-prefer-lifetime-end-" + rsc})
	return p.call(client.Call{Op: client.Modify, Section: "constraints", Data: doc})
}

// banCurrent keeps the resource off the one node where it is (ban_or_move).
func (p *program) banCurrent() error {
	n, active := activeNode(p.rsc)
	if active == 1 {
		return p.banFrom(n.Name)
	}
	id := *p.o.id
	if !p.rsc.Is(model.Promotable) {
		return usage("Resource '%s' not moved: active in %d locations.\nTo prevent '%s' from running on a specific location, specify a node.",
			id, active, id)
	}
	count := 0
	for _, k := range p.rsc.Children {
		if k.State(true) == model.Promoted {
			count++
			n = k.Current()
		}
	}
	if count == 1 && n != nil {
		return p.banFrom(n.Name)
	}
	return usage("Resource '%s' not moved: active in %d locations (promoted in %d).\nTo prevent '%s' from running on a specific location, "+
		"specify a node.To prevent '%s' from being promoted at a specific location, specify a node and the --promoted option.",
		id, active, count, id, id)
}

// activeNode is where a resource is active, and on how many nodes that count: only
// clean ones for one that needs no fencing (pe__find_active_requires).
func activeNode(r *model.Resource) (*model.Node, int) {
	n, all, clean := r.ActiveOn()
	if r.Is(model.NeedsFencing) {
		return n, all
	}
	return n, clean
}

// moveTo carries out --move with --node (cli_resource_move).
func (p *program) moveTo(dest *model.Node) error {
	r := p.rsc
	if p.o.promoted && !r.Is(model.Promotable) {
		if top := r.Top(); top.Is(model.Promotable) {
			p.out.Infof("Using parent '%s' for move instead of '%s'.", r.ID, *p.o.id)
			r, p.o.id = top, &top.ID
		} else {
			p.out.Infof("Ignoring --promoted option: %s is not promotable", *p.o.id)
			p.o.promoted = false
		}
	}
	current, active := activeNode(r)
	if r.Is(model.Promotable) {
		var at *model.Node
		count := 0
		for _, k := range r.Children {
			if k.State(true) == model.Promoted {
				r, at = k, k.Current()
				count++
			}
		}
		if p.o.promoted || count != 0 {
			active, current = count, at
		}
	}
	if active > 1 {
		if !r.IsClone() {
			return failed(pcmk.RCMultiple)
		}
		current = nil
	}
	if current == dest && !p.o.force {
		return failed(pcmk.RCAlready)
	}
	for _, n := range p.c.Nodes {
		if p.clearFor(n.Name, p.o.force, false) != nil {
			break
		}
	}
	p.clearFor(dest.Name, p.o.force, true) // what is left of earlier moves is no reason to stop
	if err := p.prefer(dest.Name); err != nil || !p.o.force || current == dest {
		return err
	}
	how := "active"
	if p.o.promoted {
		how = "promoted"
	}
	switch {
	case current != nil:
		p.banFrom(current.Name)
	case active > 1:
		p.out.Infof("Resource '%s' is currently %s in %d locations. One may now move to %s", *p.o.id, how, active, dest.Name)
		p.out.Infof("To prevent '%s' from being %s at a specific location, specify a node.", *p.o.id, how)
	}
	return nil
}

// clear removes the constraints of --move and --ban (clear_constraints).
func (p *program) clear() error {
	before := locationIDs(p.root)
	var err error
	switch {
	case p.o.expired:
		err = p.clearExpired()
	case p.node != nil:
		err = p.clearFor(p.node.Name, p.o.force, true)
	default:
		for _, n := range p.c.Nodes {
			if err = p.clearFor(n.Name, p.o.force, true); err != nil {
				break
			}
		}
	}
	if p.out.Quiet {
		return err
	}
	root, qerr := p.query()
	if qerr != nil {
		return failedWith(session.RC(qerr), "Could not get modified CIB: %s\n", session.RC(qerr).Error())
	}
	after := locationIDs(root)
	for _, id := range before {
		if !slices.Contains(after, id) {
			p.out.Info("Removing constraint: " + id)
		}
	}
	return nil
}

func locationIDs(root *xmltree.Node) (ids []string) {
	root.Path("configuration", "constraints").Each("rsc_location", func(n *xmltree.Node) { ids = append(ids, n.ID()) })
	slices.Sort(ids)
	return ids
}

// clearFor removes the constraints for one node; any says that a preference for
// another node goes as well, bans that bans do (cli_resource_clear).
func (p *program) clearFor(host string, any, bans bool) error {
	rsc := text(p.o.id)
	x := "//rsc_location[@id='cli-prefer-" + rsc + "'][rule[@id='cli-prefer-rule-" + rsc + "']/expression[@attribute='#uname' and @value='" + host + "']]"
	if err := p.call(client.Call{Op: client.Delete, Section: x, Options: client.XPath}); !harmless(err) {
		return err
	}
	doc := xmltree.New("constraints")
	if bans {
		doc.AddNew("rsc_location", attrs("id", "cli-ban-"+rsc+"-on-"+host)...)
	}
	l := doc.AddNew("rsc_location", attrs("id", "cli-prefer-"+rsc)...)
	if !any {
		l.Set("node", host)
	}
	if err := p.call(client.Call{Op: client.Delete, Section: "constraints", Data: doc}); !harmless(err) {
		return err
	}
	return nil
}

// harmless says whether err is none, or tells that there was nothing to remove.
func harmless(err error) bool {
	f, ok := err.(*failure)
	return err == nil || ok && f.status == pcmk.RC(unix.ENXIO).Exit()
}

// clearExpired removes constraints whose time is over (cli_resource_clear_all_expired).
func (p *program) clearExpired() (err error) {
	var ids []string
	p.root.Path("configuration", "constraints").Each("rsc_location", func(n *xmltree.Node) {
		if p.expiredOne(n) {
			ids = append(ids, n.ID())
		}
	})
	for _, id := range ids {
		doc := xmltree.New("constraints")
		doc.AddNew("rsc_location", attrs("id", id)...)
		if err = p.call(client.Call{Op: client.Delete, Section: "constraints", Data: doc}); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) expiredOne(n *xmltree.Node) bool {
	id, rsc := n.ID(), n.Attr("rsc")
	life := ""
	switch {
	case strings.HasPrefix(id, "cli-ban-"):
		life = id + "-lifetime"
	case strings.HasPrefix(id, "cli-prefer-"):
		life = "cli-prefer-lifetime-end-" + rsc
	default:
		return false
	}
	if p.o.id != nil && *p.o.id != rsc || p.o.promoted && n.Attr("role") != "Promoted" {
		return false
	}
	if p.node != nil && n.Attr("node") != p.node.Name && n.Find(func(e *xmltree.Node) bool {
		return e.Name == "expression" && e.Attr("attribute") == "#uname" && e.Attr("value") == p.node.Name
	}) == nil {
		return false
	}
	date := n.Find(func(e *xmltree.Node) bool { return e.Name == "date_expression" && e.ID() == life })
	if date == nil {
		return false
	}
	end, err := iso8601.Parse(date.Attr("end"), iso8601.Time{Unix: p.now.Unix()})
	return err == nil && time.Unix(end.Unix, 0).Before(p.now)
}
