package crmresource

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/fencing/agent"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	lrmdagent "github.com/pacesync/pacesync/lrmd/agent"
	"github.com/pacesync/pacesync/lrmd/agent/service"
)

// showAgents carries out the commands about what is installed.
func (p *program) showAgents() error {
	runner := service.Default()
	spec := text(p.o.spec)
	switch p.o.command {
	case standards:
		return p.nameList("standards", "standards", append(runner.Standards(), stonithClass()...))
	case providers:
		return p.providersOf("", runner.Providers("ocf"))
	case alternatives:
		var with []string
		for _, prov := range runner.Providers("ocf") {
			for _, a := range runner.Agents("ocf", prov) {
				if a == spec {
					with = append(with, prov)
				}
			}
		}
		return p.providersOf(spec, with)
	case metadata:
		return p.metadata(runner, spec)
	}
	return p.agents(runner, spec)
}

// fenceAgents are the installed fence agents, those of Linux-HA first.
func fenceAgents() []string {
	names, err := (&agent.Runner{}).List()
	if err != nil {
		names = nil
	}
	return append(agent.Legacy(), names...)
}

// stonithClass is the class of fence agents, where there are any.
func stonithClass() []string {
	if len(fenceAgents()) == 0 {
		return nil
	}
	return []string{"stonith"}
}

// nameList shows a list of names.
func (p *program) nameList(title, none string, names []string) error {
	if len(names) == 0 {
		return failedWith(pcmk.RC(unix.ENXIO), "No %s found", none)
	}
	p.out.Begin(title)
	for _, n := range names {
		p.out.Item("", n)
	}
	p.out.End()
	return nil
}

func (p *program) providersOf(name string, list []string) error {
	switch {
	case len(list) == 0 && name != "":
		return failedWith(pcmk.RC(unix.ENXIO), "No OCF providers found for %s", name)
	case len(list) == 0:
		return failedWith(pcmk.RC(unix.ENXIO), "No OCF providers found")
	case p.out.Format != pcmkout.XML:
		return p.nameList("OCF providers", "", list)
	}
	if name != "" {
		p.out.Parent("providers", "for", name)
	} else {
		p.out.Parent("providers", "standard", "ocf")
	}
	for _, n := range list {
		p.out.TextNode("provider", n)
	}
	p.out.Pop()
	return nil
}

func (p *program) agents(runner *service.Runner, spec string) error {
	class, prov, has := strings.Cut(spec, ":")
	var list []string
	if strings.EqualFold(class, "stonith") {
		list = fenceAgents()
	} else {
		list = runner.Agents(class, prov)
	}
	if len(list) == 0 {
		if has {
			return failedWith(pcmk.RCError, "No agents found for standard '%s' and provider '%s'", class, prov)
		}
		return failedWith(pcmk.RCError, "No agents found for standard '%s'", class)
	}
	if p.out.Format != pcmkout.XML {
		return p.nameList("agents", "", list)
	}
	x := p.out.Parent("agents", "standard", class)
	if has {
		x.Set("provider", prov)
	}
	for _, n := range list {
		p.out.TextNode("agent", n)
	}
	p.out.Pop()
	return nil
}

// metadata has an agent describe itself.
func (p *program) metadata(runner *service.Runner, spec string) error {
	part := strings.SplitN(spec, ":", 3)
	a := lrmdagent.Action{Name: "meta-data"}
	switch {
	case len(part) == 3 && strings.EqualFold(part[0], "ocf"):
		a.Class, a.Provider, a.Type = part[0], part[1], part[2]
	case len(part) >= 2 && !strings.EqualFold(part[0], "ocf"):
		a.Class, a.Type = part[0], strings.Join(part[1:], ":")
	default:
		return failedWith(pcmk.RC(unix.ENXIO), "'%s' is not a valid agent specification", spec)
	}
	xml, err := "", error(nil)
	if a.Class == "stonith" {
		xml, err = fenceMetadata(p.ctx, a.Type)
	} else {
		xml, err = runner.Metadata(a)
	}
	if err != nil || xml == "" {
		return failedWith(pcmk.RC(unix.ENXIO), "Metadata query for %s failed: %s", spec, pcmk.RC(unix.ENXIO).Error())
	}
	p.out.Document("metadata", xml)
	return nil
}

func fenceMetadata(ctx context.Context, name string) (string, error) {
	r := &agent.Runner{Children: true}
	if !r.Installed(name) {
		return "", service.ErrNoAgent
	}
	n, err := r.Metadata(ctx, name, service.MetadataTimeout*time.Millisecond)
	if err != nil {
		return "", err
	}
	agent.Complete(n)
	return string(n.AppendIndent(nil)), nil
}
