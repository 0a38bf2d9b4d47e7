// Package crmattribute is the program crm_attribute: cluster options and node
// attributes, asked for and changed, in the CIB or by way of the attribute
// manager. crm_master, crm_standby, crm_failcount and agents call it.
//
// Upstream: tools/crm_attribute.c, crm_attribute(8).
package crmattribute

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/attr"
	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/attrd/attrdclient"
	"github.com/pacesync/pacesync/internal/attrd/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	o := options{command: 'G'}
	if _, status, ok := o.context().Run(e.Args, valued, e.Stdout, e.Stderr); !ok {
		return status
	}
	s, status, ok := session.Begin(e, &o.Common, o.fancy, pcmkout.Text, pcmkout.XML, pcmkout.None)
	if !ok {
		return int(status)
	}
	if o.Version {
		s.Out.ShowVersion(false)
		return s.End(pcmk.ExitOK, "")
	}
	t := &tool{options: o, s: s, env: e, ctx: context.Background()}
	end := t.run()
	if t.cib != nil {
		if err := t.cib.Close(); err != nil && end == nil {
			end = &stop{pcmk.ExitIOErr, err.Error()}
		}
	}
	if end == nil {
		return s.End(pcmk.ExitOK, "")
	}
	return s.End(end.status, end.text)
}

// stop ends the program with a status and a text for the user.
type stop struct {
	status pcmk.Exit
	text   string
}

func failed(err error, format string, args ...any) *stop {
	return &stop{session.RC(err).Exit(), fmt.Sprintf(format, args...)}
}

func usage(text string) *stop { return &stop{pcmk.ExitUsage, text} }

// tool is one run.
type tool struct {
	options
	s     *session.Session
	env   *applet.Env
	ctx   context.Context
	cib   session.CIB
	place attr.Place
	host  string // name of the node, if it is about one
}

func (t *tool) run() *stop {
	if t.promotion && t.name == "" {
		return usage("-p/--promotion must be called from an OCF resource agent or with a resource ID specified")
	}
	var err error
	if t.cib, err = session.OpenCIB(t.ctx, t.env); err != nil {
		return failed(err, "Could not connect to the CIB: %v", session.RC(err))
	}
	t.place = attr.Place{Section: t.chooseSection(), SetType: t.setType, Set: t.set, ID: t.id, Name: t.name}
	if !fold(t.place.Section, "crm_config", "tickets") {
		if end := t.findNode(); end != nil {
			return end
		}
	}
	if t.command == 'D' && t.name == "" && t.pattern == nil {
		return usage("Error: must specify attribute name or pattern to delete")
	}
	if t.pattern != nil && t.command != 'G' && !fold(t.place.Section, "status") {
		return usage("Error: pattern can only be used with query, or with till-reboot update or delete")
	}
	return t.carryOut()
}

func fold(s string, words ...string) bool {
	for _, w := range words {
		if strings.EqualFold(s, w) {
			return true
		}
	}
	return false
}

// chooseSection is where the attribute is (crm_attribute.c: set_type).
func (t *tool) chooseSection() string {
	switch {
	case t.section == nil && t.promotion:
		return "status"
	case t.section == nil && t.node != nil:
		return "nodes"
	case t.section == nil:
		return "crm_config"
	case fold(*t.section, "reboot"):
		return "status"
	case fold(*t.section, "forever"):
		return "nodes"
	}
	return *t.section
}

// findNode decides which node is meant and finds its id. An agent's environment
// names its node; else the cluster is asked.
func (t *tool) findNode() *stop {
	if t.node != nil {
		t.host = *t.node
	}
	if target := attrdclient.Target(t.host); target != "" {
		t.host = target
	} else if _, file := os.LookupEnv("CIB_file"); file {
		t.host, _ = os.Hostname()
	}
	if t.host == "" {
		host, end := localNode(t.ctx, t.env.Name)
		if end != nil {
			return end
		}
		t.host = host
	}
	var err error
	if t.place.Node, t.place.Remote, err = attr.NodeID(t.ctx, t.cib, t.host); err != nil {
		return failed(err, "Could not map name=%s to a UUID", t.host)
	}
	return nil
}

func (t *tool) carryOut() *stop {
	var err error
	switch {
	case t.byAttrd() && t.sendToAttrd() == nil:
		return nil
	case t.command == 'D':
		err = t.delete()
	case t.command == 'u':
		err = t.update()
	default:
		err = t.query()
	}
	switch {
	case errors.Is(err, attr.ErrNotUnique):
		return failed(err, "Please choose from one of the matches below and supply the 'id' with --attr-id")
	case err != nil:
		return failed(err, "Error performing operation: %v", pcmk.RCFromLegacy(int(session.RC(err))))
	}
	return nil
}

// byAttrd: transient attributes are changed by way of the attribute manager,
// unless the CIB is a file.
func (t *tool) byAttrd() bool {
	_, file := os.LookupEnv("CIB_file")
	_, shadow := os.LookupEnv("CIB_shadow")
	return fold(t.place.Section, "status") && !file && !shadow && t.command != 'G'
}

func (t *tool) sendToAttrd() error {
	v := wire.Value{Task: wire.Update, Name: t.name, Host: attrdclient.Target(t.host), Remote: t.place.Remote}
	if t.pattern != nil {
		v.Name, v.Pattern = "", *t.pattern
	}
	if t.command == 'u' {
		v.Value, v.Set = *t.value, t.set
	}
	return attrdclient.Send(t.ctx, t.env.Name, wire.Message{Value: v})
}

func (t *tool) tell(text string) { t.s.Out.Info(text) }

func (t *tool) opts() client.Opt {
	if t.inhibit {
		return client.InhibitNotify
	}
	return 0
}

// each calls f for every attribute of the place whose name matches the pattern.
// XPath knows no patterns, so all are fetched. A place with one attribute is left
// alone, as by the original, which looks within what it found.
func (t *tool) each(f func(attr.Place) error) error {
	all := t.place
	all.ID, all.Name = "", ""
	found, err := attr.Find(t.ctx, t.cib, all)
	if err != nil {
		return err
	}
	re, err := regexp.CompilePOSIX(*t.pattern)
	if err != nil || len(found) == 1 {
		return nil
	}
	for _, n := range found {
		if !re.MatchString(n.Attr("name")) {
			continue
		}
		one := t.place
		one.Name = n.Attr("name")
		if err := f(one); err != nil {
			return err
		}
	}
	return nil
}

// delete is content when there is nothing to delete.
func (t *tool) delete() error {
	one := func(p attr.Place) error {
		err := attr.Delete(t.ctx, t.cib, p, t.opts(), t.tell)
		if errors.Is(err, unix.ENXIO) {
			return nil
		}
		return err
	}
	if t.pattern == nil {
		return one(t.place)
	}
	if err := t.each(one); !errors.Is(err, unix.ENXIO) {
		return err
	}
	return nil
}

func (t *tool) update() error {
	one := func(p attr.Place) error {
		return attr.Update(t.ctx, t.cib, p, *t.value, t.opts(), t.tell, t.s.Out.Err)
	}
	if t.pattern == nil {
		return one(t.place)
	}
	return t.each(one)
}

func (t *tool) query() error {
	p := t.place
	var re *regexp.Regexp
	if t.pattern != nil {
		p.ID, p.Name = "", ""
		var err error
		if re, err = regexp.CompilePOSIX(*t.pattern); err != nil {
			return pcmk.RC(unix.ENXIO)
		}
	}
	found, err := attr.Find(t.ctx, t.cib, p)
	switch {
	case errors.Is(err, unix.ENXIO) && t.fallback != nil:
		name := t.name
		if t.pattern != nil {
			name = *t.pattern
		}
		t.show(name, t.fallback, t.host)
		return nil
	case err != nil:
		return err
	}
	shown := 0
	for _, n := range found {
		if re == nil || re.MatchString(n.Attr("name")) {
			t.show(n.Attr("name"), value(n), n.Attr("attr_host"))
			shown++
		}
	}
	if shown == 0 && len(found) > 1 {
		return pcmk.RC(unix.ENXIO)
	}
	return nil
}

// value is nil for an attribute without one.
func value(n *xmltree.Node) *string {
	if v := n.Attr("value"); v != "" {
		return &v
	}
	return nil
}

// show writes one attribute (crm_attribute.c: attribute_text).
func (t *tool) show(name string, value *string, host string) {
	switch {
	case t.s.Out.Format == pcmkout.XML:
		v := ""
		if value != nil {
			v = *value
		}
		t.s.Attribute(t.place.Section, t.id, name, v, host)
	case t.Quiet:
		if value != nil {
			t.s.Out.Print(*value + "\n")
		}
	default:
		id, v := "", "(null)"
		if t.id != "" {
			id = "id=" + t.id
		}
		if value != nil {
			v = *value
		}
		if name != "" {
			name = "name=" + name
		}
		t.s.Out.Info("scope=" + t.place.Section + " " + id + " " + name + " value=" + v)
	}
}

// pid is how clients of the controller call themselves.
