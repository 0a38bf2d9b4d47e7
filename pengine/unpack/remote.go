package unpack

import (
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// remoteSpec describes the connection to a remote or guest node.
type remoteSpec struct {
	name, container, migrate, managed, timeout, server, port string
}

// remoteXML builds the configuration of a connection (pe_create_remote_xml).
func remoteXML(s remoteSpec) *xmltree.Node {
	x := ocf(s.name, "pacemaker", "remote")
	pairs := []string{"internal_rsc", "true"}
	for _, p := range [][2]string{{"container", s.container}, {"allow-migrate", s.migrate}, {"is-managed", s.managed}} {
		if p[1] != "" {
			pairs = append(pairs, p[0], p[1])
		}
	}
	nvset(x, "meta_attributes", s.name+"-meta_attributes", pairs...)
	pairs = nil
	for _, p := range [][2]string{{"addr", s.server}, {"port", s.port}} {
		if p[1] != "" {
			pairs = append(pairs, p[0], p[1])
		}
	}
	if pairs != nil {
		nvset(x, "instance_attributes", s.name+"-instance_attributes", pairs...)
	}
	ops := x.AddNew("operations")
	addOp(ops, s.name, "monitor", "30s", "30s")
	if s.timeout != "" {
		addOp(ops, s.name, "start", "0", s.timeout)
	}
	return x
}

// withImplicitRemotes returns the elements of the resources section followed by the
// connections that remote-node attributes imply, and makes the nodes of all
// connections (unpack_remote_nodes).
func (u *unpacker) withImplicitRemotes(section *xmltree.Node) []*xmltree.Node {
	var list []*xmltree.Node
	section.Elements(func(n *xmltree.Node) { list = append(list, n) })
	add := func(n *xmltree.Node) {
		if x := u.guestXML(n); x != nil {
			list = append(list, x)
			u.remoteNode(x.ID())
		}
	}
	for i := 0; i < len(list); i++ {
		switch n := list[i]; {
		case isRemoteXML(n):
			u.remoteNode(n.ID())
		case n.Name == "primitive":
			add(n)
		case n.Name == "group":
			n.Elements(add)
		}
	}
	return list
}

func (u *unpacker) remoteNode(id string) {
	if id != "" && u.c.Node(id) == nil {
		u.c.AddNode(id, id, model.Remote, 0)
	}
}

// guestXML builds the connection to the guest node that a resource is, nil when it is
// none (expand_remote_rsc_meta).
func (u *unpacker) guestXML(n *xmltree.Node) *xmltree.Node {
	s := remoteSpec{container: n.ID(), timeout: "60s"}
	n.Each("meta_attributes", func(set *xmltree.Node) {
		set.Elements(func(p *xmltree.Node) {
			v := p.Attr("value")
			switch strings.ToLower(p.Attr("name")) {
			case "remote-node":
				s.name = v
			case "remote-addr":
				s.server = v
			case "remote-port":
				s.port = v
			case "remote-connect-timeout":
				s.timeout = v
			case "remote-allow-migrate":
				s.migrate = v
			case "is-managed":
				s.managed = v
			}
		})
	})
	if s.name == "" {
		return nil
	}
	return remoteXML(s)
}
