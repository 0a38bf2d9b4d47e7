package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"net/netip"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// findLocal finds the local node in the nodelist (totemconfig.c:
// find_local_node): by host name, by host name with its domain stripped part by
// part, by the nodelist's names stripped, by addresses and names of the network
// interfaces, and last by resolving the nodelist's names. Unlike the original it
// looks at all addresses before it asks for any name, so that a dead name server
// does not hold up a start that needs none. found false: pos is
// the last node looked at, which the original goes on with until its checks
// end the start.
func (d *deriver) findLocal() (pos int, found bool) {
	if !d.searched {
		d.pos, d.posFound = d.searchLocal()
		d.searched = true
		if d.posFound {
			_ = d.m.Set("nodelist.local_node_pos", cmap.U32(uint32(d.pos)))
		}
	}
	return d.pos, d.posFound
}

// stranger objects to a nodelist that this host is not in.
func (d *deriver) stranger() string {
	var keys, names []string
	for key, v := range d.m.All("nodelist.node.") {
		if _, leaf, ok := nodeKey(key); ok && (leaf == "name" || leaf == "ring0_addr") {
			s, _ := v.AsString()
			keys, names = append(keys, key), append(names, s)
		}
	}
	host := d.env.Hostname()
	d.hint = fmt.Sprintf("This host is %s: no node has its name, or an address of its interfaces.", host)
	if meant := didYouMean(host, names); meant != "" {
		d.hint += " " + meant
	}
	return d.at("No valid name found for local host", keys...)
}

func (d *deriver) searchLocal() (int, bool) {
	if !d.named() {
		return noPos, false // the name service need not be asked
	}
	host := d.env.Hostname()
	if pos, ok := d.byName(host, false); ok {
		return pos, true
	}
	for i := strings.LastIndexByte(host, '.'); i >= 0; i = strings.LastIndexByte(host, '.') {
		host = host[:i]
		if pos, ok := d.byName(host, false); ok {
			return pos, true
		}
	}
	if pos, ok := d.byName(host, true); ok {
		return pos, true
	}
	local := d.env.LocalAddrs()
	for _, a := range local {
		if pos, ok := d.byName(a.String(), false); ok {
			return pos, true
		}
	}
	if pos, ok := d.byAddress(local, numeric); ok {
		return pos, true
	}
	for _, a := range local {
		name := d.env.NameOf(a)
		if name == "" {
			name = a.String()
		}
		short, _, _ := strings.Cut(name, ".")
		for _, s := range []string{name, short} {
			if pos, ok := d.byName(s, false); ok {
				return pos, true
			}
		}
	}
	return d.byAddress(local, func(name string) bool { return !numeric(name) })
}

// named reports whether any node has something to be found by.
func (d *deriver) named() bool {
	for key := range d.m.All("nodelist.node.") {
		if _, leaf, ok := nodeKey(key); ok && (leaf == "name" || leaf == "ring0_addr") {
			return true
		}
	}
	return false
}

// numeric reports whether a name can be an address only, in any of its forms.
func numeric(name string) bool { return strings.Trim(name, "0123456789abcdefABCDEFxX.:") == "" }

// byName looks for a node whose name or ring0_addr is the given one.
func (d *deriver) byName(want string, stripDomain bool) (int, bool) {
	for key, v := range d.m.All("nodelist.node.") {
		pos, leaf, ok := nodeKey(key)
		name, isStr := v.AsString()
		if !ok || !isStr || leaf != "name" && leaf != "ring0_addr" {
			continue
		}
		if stripDomain {
			name, _, _ = strings.Cut(name, ".")
		}
		if name == want {
			return pos, true
		}
	}
	return noPos, false
}

// byAddress resolves those of the nodelist's names that which wants and looks for
// a local address.
func (d *deriver) byAddress(local []netip.Addr, which func(name string) bool) (pos int, found bool) {
	pos = noPos
	for key, v := range d.m.All("nodelist.node.") {
		p, leaf, ok := nodeKey(key)
		if !ok {
			continue
		}
		pos = p
		name, isStr := v.AsString()
		if !isStr || leaf != "name" && leaf != "ring0_addr" || !which(name) {
			continue
		}
		for _, a := range d.env.Resolve(name, true, true) {
			if slices.ContainsFunc(local, func(l netip.Addr) bool { return l.WithZone("") == a.WithZone("") }) {
				return pos, true
			}
		}
	}
	return pos, false
}

// readNodelist finds the local node's id and puts the nodes onto their links.
func (d *deriver) readNodelist() string {
	c, m := d.c, d.m
	_, named := m.Str("nodelist.node.0.name")
	_, addressed := m.Str("nodelist.node.0.ring0_addr")
	c.localPos = noPos
	if !named && !addressed {
		return ""
	}
	pos, found := d.findLocal()
	if found {
		c.localPos = pos
	}
	if pos != noPos {
		c.NodeID, _ = m.U32(fmt.Sprintf("nodelist.node.%d.nodeid", pos))
		if c.NodeID == 0 {
			if c.Transport == Knet {
				return d.at("Knet requires an explicit nodeid for the local node", nodeKeys(pos, "nodeid", "name", "ring0_addr")...)
			}
			addr, _ := m.Str(fmt.Sprintf("nodelist.node.%d.ring0_addr", pos))
			id, ok := d.generateID(addr)
			if !ok {
				return d.at("An IPV6 network requires that a node ID be specified", nodeKeys(pos, "ring0_addr")...)
			}
			c.NodeID = id
		}
	}
	if text := d.placeNodes(); text != "" {
		return text
	}
	d.localAddresses(pos)
	return ""
}

// nodeKeys are keys of a node.
func nodeKeys(pos int, names ...string) []string {
	for i, name := range names {
		names[i] = fmt.Sprintf("nodelist.node.%d.%s", pos, name)
	}
	return names
}

// generateID makes a node id from the IPv4 address that a name resolves to.
func (d *deriver) generateID(name string) (uint32, bool) {
	a, ok := d.resolve(name, ipVersion{v4: true})
	if !ok {
		return 0, false
	}
	b := a.As4()
	id := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	if id == 1<<32-1 {
		return 0, false
	}
	if d.c.clearHigh {
		id &= 0x7fffffff
	}
	return id, true
}

// placeNodes fills Links[].Members in the order of the keys (totemconfig.c:
// put_nodelist_members_to_config).
func (d *deriver) placeNodes() string {
	for i := range d.c.Links {
		d.c.Links[i].Members = nil
	}
	for key, v := range d.m.All("nodelist.node.") {
		pos, leaf, ok := nodeKey(key)
		link, isRing := ringAddr(leaf)
		if !ok || !isRing {
			continue
		}
		if link >= MaxLinks {
			return d.at(tooBigLink(link), key)
		}
		name, isStr := v.AsString()
		if !isStr {
			continue
		}
		id, text := d.nodeID(pos, name)
		if text != "" {
			return text
		}
		addr, ok := d.resolve(name, d.c.ipVersion)
		if !ok {
			return d.unresolved(fmt.Sprintf("failed to parse node address '%s'", name), key)
		}
		l := &d.c.Links[link]
		if len(l.Members) >= MaxNodes {
			return d.at(inConfig(fmt.Sprintf("more than %d nodes on link %d", MaxNodes, link)), key)
		}
		l.Configured = true
		l.Members = append(l.Members, Member{NodeID: id, Addr: addr})
	}
	return ""
}

// nodeID is a node's id; udp and udpu make it from the address of link 0.
func (d *deriver) nodeID(pos int, addr string) (id uint32, text string) {
	key := fmt.Sprintf("nodelist.node.%d.nodeid", pos)
	id, _ = d.m.U32(key)
	knet := d.c.Transport == Knet
	if id == 0 && !knet {
		ring0, ok := d.m.Str(fmt.Sprintf("nodelist.node.%d.ring0_addr", pos))
		if ok {
			if id, ok = d.generateID(ring0); !ok {
				return 0, d.at(fmt.Sprintf("An IPV6 network requires that a node ID be specified for address '%s'.", addr), nodeKeys(pos, "ring0_addr")...)
			}
			d.note("Generated nodeid = %d for %s", id, ring0)
			_ = d.m.Set(key, cmap.U32(id))
		}
	}
	switch {
	case knet && id == 0:
		return 0, d.at(fmt.Sprintf("Knet requires an explicit nodeid to be specified for address '%s'.", addr), nodeKeys(pos, "nodeid", "ring0_addr")...)
	case knet && id >= 65536:
		return 0, d.at(fmt.Sprintf("Knet requires nodeid to be less than 65536 for address '%s'.", addr), key)
	}
	return id, ""
}

// localAddresses sets the local address of each link and the defaults that
// links without an interface section lack (totemconfig.c: configure_link_params).
func (d *deriver) localAddresses(pos int) {
	for i := range d.c.Links {
		l := &d.c.Links[i]
		if !l.Configured {
			continue
		}
		d.note("Configuring link %d params", i)
		name, ok := d.m.Str(fmt.Sprintf("nodelist.node.%d.ring%d_addr", pos, i))
		if !ok {
			continue
		}
		addr, ok := d.resolve(name, d.c.ipVersion)
		if !ok {
			continue
		}
		l.Local = addr
		l.Priority = max(l.Priority, 1)
		if l.PingPrecision == 0 {
			l.PingPrecision = 2048
		}
		if l.PongCount == 0 {
			l.PongCount = 2
		}
		if l.Port == 0 {
			l.Port = uint16(5405 + i)
		}
	}
}

// collectNodes gathers the nodelist by node.
func (c *Config) collectNodes(m *cmap.Map) {
	for key := range m.All("nodelist.node.") {
		pos, _, ok := nodeKey(key)
		if !ok || slices.ContainsFunc(c.Nodes, func(n Node) bool { return n.Pos == pos }) {
			continue
		}
		base := fmt.Sprintf("nodelist.node.%d.", pos)
		n := Node{Pos: pos, Votes: 1}
		n.ID, _ = m.U32(base + "nodeid")
		n.Name, _ = m.Str(base + "name")
		if votes, ok := m.U32(base + "quorum_votes"); ok {
			n.Votes = votes
		}
		for i := range c.Links {
			for _, mem := range c.Links[i].Members {
				if mem.NodeID == n.ID {
					n.Addrs[i] = mem.Addr
				}
			}
		}
		c.Nodes = append(c.Nodes, n)
	}
	slices.SortFunc(c.Nodes, func(a, b Node) int { return cmp.Compare(a.Pos, b.Pos) })
	c.Self = slices.IndexFunc(c.Nodes, func(n Node) bool { return n.Pos == c.localPos })
}
