package config

import "fmt"

// validate checks what read has made (totemconfig.c: totem_config_validate).
func (d *deriver) validate() string {
	c := d.c
	if c.configuredLinks() == 0 {
		return inConfig("No interfaces defined")
	}
	if c.localPos == noPos {
		return inConfig(d.stranger())
	}
	for i := range c.Links {
		if text := d.validateLink(i); text != "" {
			return inConfig(text)
		}
	}
	if c.version != 2 {
		return d.at(inConfig("This totem parser can only parse version 2 configurations."), "totem.version")
	}
	if text := d.validateVolatile(); text != "" {
		return inConfig(text)
	}
	if text := d.duplicates(); text != "" {
		return text
	}
	if c.LinkMode != "active" && c.LinkMode != "rr" && c.LinkMode != "passive" {
		return d.at(inConfig(fmt.Sprintf("The Knet link mode \"%s\" specified is invalid.  It must be active, passive or rr.\n", c.LinkMode)), "totem.link_mode")
	}
	if text := d.tooManyLinks(); text != "" {
		return inConfig(text)
	}
	if c.Transport != Knet && c.Crypto.Enabled() {
		return d.at(inConfig("crypto_cipher & crypto_hash are only valid for the Knet transport."), cryptoKeys()...)
	}
	return ""
}

func (c *Config) configuredLinks() (n int) {
	for _, l := range c.Links {
		if l.Configured {
			n++
		}
	}
	return n
}

// tooManyLinks: only knet has more than one.
func (d *deriver) tooManyLinks() string {
	if n := d.c.configuredLinks(); d.c.Transport != Knet && n > 1 {
		return d.at(fmt.Sprintf("%d is too many configured interfaces for non-Knet transport.", n), d.furtherLinks()...)
	}
	return ""
}

func (d *deriver) validateLink(i int) string {
	c, l := d.c, &d.c.Links[i]
	udp := c.Transport == UDP
	base := fmt.Sprintf("totem.interface.%d.", i)
	switch {
	case !l.Configured:
		return ""
	case udp && !l.Mcast.IsValid():
		return d.at(fmt.Sprintf("No multicast address specified for interface %d", i), base+"mcastaddr", "totem.transport")
	case l.Port == 0:
		return d.at(fmt.Sprintf("No multicast port specified for interface %d", i), append([]string{base + "mcastport"}, d.ringOf(i)...)...)
	case !udp && l.TTL != 1:
		return d.at(fmt.Sprintf("Can only set ttl on multicast transport types for interface %d", i), base+"ttl")
	case c.Transport != Knet && l.Priority != 1:
		return d.at(fmt.Sprintf("Can only set link priority on knet transport type for interface %d", i), base+"knet_link_priority")
	case l.Mcast.Is6() && c.NodeID == 0:
		return d.at(fmt.Sprintf("An IPV6 network requires that a node ID be specified for interface %d", i), base+"mcastaddr")
	case !udp || c.broadcast:
		return ""
	case l.Mcast.Is4() != l.BindNet.Is4() || !l.BindNet.IsValid():
		return d.at(fmt.Sprintf("Multicast address family does not match bind address family for interface %d", i), base+"mcastaddr")
	case l.Mcast.Is4() && !l.Mcast.IsMulticast():
		return d.at(fmt.Sprintf("mcastaddr is not a correct multicast address for interface %d", i), base+"mcastaddr")
	}
	return ""
}

// validateVolatile checks what a reload may change too (totemconfig.c:
// totem_volatile_config_validate).
func (d *deriver) validateVolatile() string {
	if text := d.num.check(d.m, &d.fault); text != "" {
		return text
	}
	if text := d.validateLinkCount(); text != "" {
		return text
	}
	for i, l := range d.c.Links {
		if !l.Configured || len(l.Members) == 0 {
			continue
		}
		first := l.Members[0].Addr
		for _, m := range l.Members[1:] {
			if m.Addr.Is4() != first.Is4() {
				return d.at(fmt.Sprintf("Nodes for link %d have different IP families (compared %s with %s)", i, m.Addr, first), d.ringOf(i)...)
			}
		}
	}
	return ""
}

// validateLinkCount wants every node on every link, and names for all nodes
// when there is more than one link.
func (d *deriver) validateLinkCount() string {
	count, members := 0, 0
	for _, l := range d.c.Links {
		if l.Configured {
			if count == 0 {
				members = len(l.Members)
			}
			count++
		}
	}
	if count < 2 {
		return ""
	}
	for i := range members {
		if _, ok := d.m.Str(fmt.Sprintf("nodelist.node.%d.name", i)); !ok {
			return d.at("for a multi-link configuration, all nodes must have a 'name' attribute", nodeKeys(i, "nodeid", "ring0_addr")...)
		}
	}
	for i, l := range d.c.Links {
		if l.Configured && len(l.Members) != members {
			return d.uneven(i)
		}
	}
	return ""
}

// uneven objects to a link that some nodes are not on; what makes it may be an
// interface section alone.
func (d *deriver) uneven(link int) string {
	keys := d.ringOf(link)
	if keys == nil {
		d.hint = fmt.Sprintf("No node has a ring%d_addr.", link)
		keys = d.interfaceKeys(link)
	}
	return d.at("Not all nodes have the same number of links", keys...)
}

// interfaceKeys are the keys of an interface section.
func (d *deriver) interfaceKeys(link int) (keys []string) {
	for key := range d.m.All(fmt.Sprintf("totem.interface.%d.", link)) {
		keys = append(keys, key)
	}
	return keys
}

// duplicates looks for a node id that two nodes have. The original compares in
// the order of the keys' bytes and misses pairs from the eleventh node on.
func (d *deriver) duplicates() string {
	type node struct {
		pos int
		id  uint32
	}
	var nodes []node
	text := ""
	for key, v := range d.m.All("nodelist.node.") {
		pos, leaf, ok := nodeKey(key)
		id, isNum := v.AsUint()
		if !ok || leaf != "nodeid" || !isNum {
			continue
		}
		for _, n := range nodes {
			if n.id == uint32(id) {
				text = d.at(fmt.Sprintf("Nodeid %d appears twice in corosync.conf", id),
					append(nodeKeys(n.pos, "nodeid", "ring0_addr"), nodeKeys(pos, "nodeid", "ring0_addr")...)...)
			}
		}
		nodes = append(nodes, node{pos, uint32(id)})
	}
	return text
}

// ringOf are the keys of all addresses on a link.
func (d *deriver) ringOf(link int) (keys []string) {
	for key := range d.m.All("nodelist.node.") {
		if _, leaf, ok := nodeKey(key); ok {
			if n, isRing := ringAddr(leaf); isRing && int(n) == link {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// furtherLinks are the keys that make links beyond link 0.
func (d *deriver) furtherLinks() (keys []string) {
	for i := 1; i < MaxLinks; i++ {
		keys = append(append(keys, d.ringOf(i)...), d.interfaceKeys(i)...)
	}
	return keys
}

// cryptoKeys are the keys that ask for crypto.
func cryptoKeys() []string {
	return []string{"totem.crypto_cipher", "totem.crypto_hash", "totem.secauth"}
}
