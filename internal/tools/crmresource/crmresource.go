// Package crmresource is the program crm_resource: it shows resources and changes
// how the cluster treats them. The multi-call binary calls Run.
//
// Upstream: tools/crm_resource.c, crm_resource_print.c, crm_resource_runtime.c,
// crm_resource_ban.c, crm_resource(8).
package crmresource

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/cib/file"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/cibconn"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/model"
)

// program is one call of crm_resource.
type program struct {
	env  *applet.Env
	o    *options
	s    *session.Session
	out  *pcmkout.Out
	ctx  context.Context
	cib  session.CIB
	root *xmltree.Node // the CIB as it was read
	r    *pengine.Result
	c    *model.Cluster
	rsc  *model.Resource // that --resource names
	node *model.Node     // that --node names
	now  time.Time

	followed map[*model.Resource]bool // by --recursive
}

// failure ends a command with a status and a text, either of which may be missing.
type failure struct {
	status pcmk.Exit
	text   string
	rc     pcmk.RC // the result behind it, if there is one
}

func (f *failure) Error() string { return f.text }

// Unwrap makes the result known to session.RC.
func (f *failure) Unwrap() error {
	if f.rc == pcmk.OK {
		return nil
	}
	return f.rc
}

func usage(format string, args ...any) error {
	return &failure{status: pcmk.ExitUsage, text: fmt.Sprintf(format, args...)}
}

// failed is the failure of an operation, by its result.
func failed(rc pcmk.RC) error {
	if rc == pcmk.OK {
		return nil
	}
	return &failure{status: rc.Exit(), rc: rc}
}

func failedWith(rc pcmk.RC, format string, args ...any) error {
	return &failure{rc.Exit(), fmt.Sprintf(format, args...), rc}
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	p := &program{env: e, o: &options{kind: "instance_attributes", level: -1}, ctx: context.Background(), now: time.Now()}
	if _, status, ok := p.o.context(e).Run(e.Args, "GHINSTdginpstuvx", e.Stdout, e.Stderr); !ok {
		return status
	}
	s, status, ok := session.Begin(e, &p.o.Common, p.o.fancy, pcmkout.Text, pcmkout.XML)
	if !ok {
		fmt.Fprintln(e.Stderr, "Error performing operation: "+status.String())
		return int(status)
	}
	p.s, p.out = s, s.Out
	status, said := pcmk.ExitOK, ""
	if err := p.run(); err != nil {
		f, ok := err.(*failure)
		if !ok {
			f = &failure{status: session.RC(err).Exit()}
		}
		status, said = f.status, f.text
	}
	if p.cib != nil {
		if err := p.cib.Close(); err != nil && status == pcmk.ExitOK {
			status = pcmk.ExitIOErr
		}
	}
	if status != pcmk.ExitOK && status != pcmk.ExitUsage {
		if said != "" {
			said += "\n"
		}
		said += "Error performing operation: " + status.String()
	}
	return s.End(status, said)
}

// run checks the options, reads what the command needs and carries it out.
func (p *program) run() error {
	o := p.o
	if o.command == noCommand {
		o.command = list
	}
	if o.expired && o.command != clearAll {
		return usage("--expired requires --clear or -U")
	}
	if err := p.operands(); err != nil {
		return err
	}
	p.forms()
	if o.Version {
		p.out.ShowVersion(false)
		return nil
	}
	n := o.command.needs()
	if o.expired {
		n.resource = false
	}
	if o.configured {
		if err := p.checkConfigured(); err != nil {
			return err
		}
		n = needs{}
	}
	if n.resource && o.id == nil {
		return usage("Must supply a resource id with -r")
	}
	if n.node && o.node == nil {
		return usage("Must supply a node name with -N")
	}
	if n.find != noResource && o.id != nil {
		n.cluster = true
	}
	if err := p.read(n); err != nil {
		return err
	}
	if err := p.lookUp(n); err != nil {
		return err
	}
	return p.carryOut()
}

// operands checks what is no option.
func (p *program) operands() error {
	if len(p.o.rest) == 0 {
		return nil
	}
	if p.o.command == execute || p.o.command == digests {
		for _, a := range p.o.rest {
			if name, value, ok := strings.Cut(a, "="); !ok || name == "" || value == "" {
				return usage("Error parsing '%s' as a name=value pair", p.env.Args[0]) // the first word, as in the original
			}
		}
		return nil
	}
	text := "non-option ARGV-elements:\n"
	for i, a := range p.o.rest {
		text += fmt.Sprintf("[%d of %d] %s\n", i+1, len(p.o.rest), a)
	}
	return usage("%s", text)
}

// forms chooses how lists are written, which depends on the command.
func (p *program) forms() {
	if p.out.Format == pcmkout.XML {
		p.out.Substitute = true
		switch p.o.command {
		case execute, list, queryXML, queryRaw, activeOps, allOps, constraints:
			p.out.SimpleList = true
		}
		return
	}
	p.out.Fancy = p.o.fancy || p.o.command == list || p.o.command == constraints
}

// read opens the CIB and reads the state of the cluster.
func (p *program) read(n needs) (err error) {
	if n.cib {
		if p.cib, err = session.OpenCIB(p.ctx, p.env); err != nil {
			rc := session.RC(err)
			return failedWith(rc, "Could not connect to the CIB: %s", rc.Error())
		}
	}
	if !n.cluster {
		return nil
	}
	return p.load()
}

// load reads the state of the cluster, again if need be.
func (p *program) load() error {
	root, err := p.query()
	if err != nil {
		return err
	}
	root, said, ok := cibconn.Upgrade(root)
	if said != "" {
		fmt.Fprintln(p.env.Stderr, said)
	}
	if !ok {
		return failed(pcmk.RCSchemaValidation)
	}
	_, offset := p.now.Zone()
	r, err := pengine.Status(pengine.Input{CIB: root, Now: iso8601.Time{Unix: p.now.Unix(), Offset: offset}})
	if err != nil {
		return failed(pcmk.RCSchemaValidation)
	}
	p.root, p.r, p.c = root, r, r.Cluster
	return nil
}

func (p *program) query() (*xmltree.Node, error) {
	if p.o.xmlFile != nil {
		data, err := os.ReadFile(*p.o.xmlFile)
		if err != nil {
			return nil, failed(pcmk.RCCIBCorrupt)
		}
		root, err := xmltree.Parse(data, xmltree.Limits{})
		if err != nil {
			return nil, failed(pcmk.RCCIBCorrupt)
		}
		root.StripText()
		return root, nil
	}
	return p.cib.Do(p.ctx, client.Call{Op: client.Query, Options: client.ScopeLocal})
}

// lookUp finds the resource and the node that the options name.
func (p *program) lookUp(n needs) error {
	o := p.o
	if n.find != noResource && o.id != nil {
		if p.rsc = findResource(p.c.Resources, *o.id, n.find); p.rsc == nil {
			return &failure{status: pcmk.ExitNoSuch, text: "Resource '" + *o.id + "' not found"}
		}
		if strings.Contains(*o.id, ":") && p.rsc.Parent.IsClone() {
			switch o.command {
			case ban, clearAll, move, restart:
				return &failure{status: pcmk.ExitInvalidParam, text: "Cannot operate on clone resource instance '" + *o.id + "'"}
			}
		}
	}
	if o.node != nil && p.c != nil {
		if p.node = p.c.Node(*o.node); p.node == nil {
			return &failure{status: pcmk.ExitNoSuch, text: "Node '" + *o.node + "' not found"}
		}
	}
	return nil
}

// findResource finds a resource by id, by the name of its history, or by its name
// without instance number (native_find_rsc).
func findResource(list []*model.Resource, id string, f finding) *model.Resource {
	for _, r := range list {
		if r.ID == id || r.CloneName == id || (f == anyName || !r.Is(model.Unique)) && model.BaseName(r.ID) == id {
			return r
		}
		if k := findResource(r.Children, id, f); k != nil {
			return k
		}
	}
	return nil
}

// carryOut does what the command says.
func (p *program) carryOut() error {
	switch p.o.command {
	case list, listRaw, listCTS, activeOps, allOps, queryXML, queryRaw, locate, why, getParam, getProperty, constraints, digests:
		return p.show()
	case standards, providers, alternatives, agents, metadata:
		return p.showAgents()
	case setParam:
		if text(p.o.value) == "" {
			return usage("You need to supply a value with the -v option")
		}
		return p.update()
	case deleteParam:
		return p.deleteParam()
	case setProperty:
		return p.setProperty()
	case remove:
		return p.remove()
	case move, ban:
		return p.place()
	case clearAll:
		return p.clear()
	case cleanup, refresh, fail:
		return p.viaController()
	case wait:
		return p.wait()
	case restart:
		return p.restart()
	}
	return p.execute()
}

// options of changes of the CIB.
func (p *program) call(c client.Call) error {
	if p.o.force {
		c.Options |= client.QuorumOverride
	}
	_, err := p.cib.Do(p.ctx, c)
	if err == nil {
		return nil
	}
	rc := session.RC(err)
	if f, ok := p.cib.(*file.CIB); ok && f.Rejected != nil {
		p.listing(f.Rejected)
	}
	if rc == pcmk.RCNoQuorum {
		return failedWith(rc, "To ignore quorum, use the force option.\n")
	}
	return failed(rc)
}

// listing writes a CIB that was refused with line numbers, for a look at what is
// wrong with it (schemas.c: dump_file).
func (p *program) listing(cib *xmltree.Node) {
	text := ""
	for i, line := range strings.Split(string(cib.AppendPacemaker(nil, xmltree.TextOptions{Format: true})), "\n") {
		text += fmt.Sprintf("%4d %s\n", i+1, line)
	}
	fmt.Fprint(p.env.Stderr, text)
}

// isNone says whether an error tells of something that is not there.
func isNone(err error) bool { return err != nil && session.RC(err) == pcmk.RC(unix.ENXIO) }
