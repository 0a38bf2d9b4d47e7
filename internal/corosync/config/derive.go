package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// Where the original's last log line says a refused configuration was found
// (exec/main.c of 3.1.7).
const (
	whereRead     = "main.c:1417"
	whereValidate = "main.c:1445"
)

// Derive checks the keys of a file and makes a Config of them. It adds to the
// map what the original adds: bindnetaddr of the local node's links, node ids made from
// addresses, nodelist.local_node_pos and all of runtime.config (totemconfig.c:
// totem_config_read, totem_config_validate). The error is an *Error; the map is
// of no use then.
func Derive(m *cmap.Map, env Env) (*Config, error) {
	d := &deriver{m: m, env: env, c: &Config{}}
	if text := d.read(); text != "" {
		return nil, &Error{Text: text, Status: StatusConfig, Where: whereRead, Keys: d.keys, Hint: d.hint, Notes: d.notes}
	}
	if text := d.validate(); text != "" {
		return nil, &Error{Text: text, Status: StatusConfig, Where: whereValidate, Keys: d.keys, Hint: d.hint, Notes: d.notes, Warnings: d.warnings()}
	}
	d.finish()
	return d.c, nil
}

// deriver builds one Config. Its methods return the text of an objection, or "".
type deriver struct {
	fault
	m   *cmap.Map
	env Env
	c   *Config
	num *numbers

	pos      int // result of findLocal; noPos: no node at all
	posFound bool
	searched bool

	membersIgnored, membersDeprecated, nodeidSet, bindnetSet bool

	notes []string // debug lines
}

func (d *deriver) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

const noPos = -1

func (d *deriver) read() string {
	c, m := d.c, d.m
	if text := d.readTransport(); text != "" {
		return text
	}
	c.version, _ = m.U32("totem.version")
	if text := readCrypto(m, d.env, &c.Crypto, &d.fault); text != "" {
		return text
	}
	c.LinkMode = "passive"
	if s, ok := m.Str("totem.link_mode"); ok {
		if len(s) >= 64 {
			return d.at("totem.link_mode is too long", "totem.link_mode")
		}
		c.LinkMode = s
	}
	_, d.nodeidSet = m.U32("totem.nodeid")
	high, _ := m.Str("totem.clear_node_high_bit")
	c.clearHigh = high == "yes"
	c.NetMTU, _ = m.U32("totem.netmtu")
	c.ipVersion = readIPVersion(m, c.Transport)
	c.DSCP, _ = m.U8(dscpKey)

	_, bindnet := m.Str("totem.interface.0.bindnetaddr")
	_, ring0 := m.Str("nodelist.node.0.ring0_addr")
	if !bindnet || ring0 {
		d.bindnetSet = bindnet
		d.bindToNodelist()
	}
	if text := d.readInterfaces(false); text != "" {
		return text
	}
	d.finishMulticast()
	if text := d.readNodelist(); text != "" {
		return text
	}
	d.num = computeNumbers(m, len(c.Links[0].Members))
	d.num.publish(m)
	d.pingTimers()
	return ""
}

func (d *deriver) readTransport() string {
	switch s, ok := d.m.Str("totem.transport"); {
	case !ok, s == "knet":
		d.c.Transport = Knet
	case s == "udpu":
		d.c.Transport = UDPU
	case s == "udp":
		d.c.Transport = UDP
	default:
		return d.at("Invalid transport type. Should be udpu, udp or knet", "totem.transport")
	}
	return ""
}

// ipVersion says which addresses a name resolves to.
type ipVersion struct{ v4, v6, v4First bool }

func readIPVersion(m *cmap.Map, t Transport) ipVersion {
	s, _ := m.Str("totem.ip_version")
	switch {
	case s == "ipv4", s != "ipv6" && s != "ipv6-4" && s != "ipv4-6" && t == UDP:
		return ipVersion{v4: true}
	case s == "ipv6":
		return ipVersion{v6: true}
	case s == "ipv4-6":
		return ipVersion{v4: true, v6: true, v4First: true}
	}
	return ipVersion{v4: true, v6: true}
}

// resolve turns a name into an address (totemip.c: totemip_parse).
func (d *deriver) resolve(name string, v ipVersion) (netip.Addr, bool) {
	var first4, first6 netip.Addr
	for _, a := range d.env.Resolve(name, v.v4, v.v6) {
		a = a.WithZone("")
		switch {
		case a.Is4() && !first4.IsValid():
			first4 = a
		case a.Is6() && !first6.IsValid():
			first6 = a
		}
	}
	addr := first4
	if first6.IsValid() && !(v.v4First && first4.IsValid()) {
		addr = first6
	}
	d.noteResolved(name, v, addr)
	return addr, addr.IsValid()
}

// unresolved objects to a name or address of which resolve made nothing.
func (d *deriver) unresolved(text string, keys ...string) string {
	family := "no address"
	switch v := d.c.ipVersion; {
	case !v.v6:
		family = "no IPv4 address"
	case !v.v4:
		family = "no IPv6 address"
	}
	d.hint = "There is " + family + " of that name here: see /etc/hosts and the name service, or write the address itself."
	return d.at(text, keys...)
}

func (d *deriver) noteResolved(name string, v ipVersion, addr netip.Addr) {
	switch {
	case addr.Is4():
		d.note("totemip_parse: IPv4 address of %s resolved as %s", name, addr)
	case addr.Is6():
		d.note("totemip_parse: IPv6 address of %s resolved as %s", name, addr)
	case v.v4 && v.v6:
		d.note("totemip_parse: IP address of %s not resolvable", name)
	case v.v4:
		d.note("totemip_parse: IPv4 address of %s not resolvable", name)
	default:
		d.note("totemip_parse: IPv6 address of %s not resolvable", name)
	}
}

// bindToNodelist makes bindnetaddr keys from the local node's addresses
// (totemconfig.c: config_convert_nodelist_to_interface).
func (d *deriver) bindToNodelist() {
	pos, _ := d.findLocal()
	if pos == noPos {
		return
	}
	prefix := fmt.Sprintf("nodelist.node.%d.", pos)
	for key, v := range d.m.All(prefix) {
		link, ok := ringAddr(key[len(prefix):])
		if addr, isStr := v.AsString(); ok && isStr {
			_ = d.m.Set(fmt.Sprintf("totem.interface.%d.bindnetaddr", link), cmap.Str(addr))
		}
	}
}

// ringKeys is the key of the local node's address on a link, from which keys of
// the interface were made.
func (d *deriver) ringKeys(link uint32) string {
	return fmt.Sprintf("nodelist.node.%d.ring%d_addr", d.pos, link)
}

// scanUint reads a number as sscanf's %u does and returns what follows.
func scanUint(s string) (n uint32, rest string, ok bool) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 {
		return 0, s, false
	}
	end := 0
	for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
		end++
	}
	if end == 0 {
		return 0, s, false
	}
	v, err := strconv.ParseUint(digits[:end], 10, 64)
	if err != nil {
		v = 1<<64 - 1
	} else if s[0] == '-' {
		v = -v
	}
	return uint32(v), digits[end:], true
}

// ringAddr is the link number in a name like ring0_addr.
func ringAddr(name string) (link uint32, ok bool) {
	after, ok := strings.CutPrefix(name, "ring")
	if !ok {
		return 0, false
	}
	link, rest, ok := scanUint(after)
	return link, ok && rest == "_addr"
}

// nodeKey splits nodelist.node.N.NAME.
func nodeKey(key string) (pos int, name string, ok bool) {
	n, rest, ok := scanUint(strings.TrimPrefix(key, "nodelist.node."))
	if !ok || len(rest) < 2 || rest[0] != '.' {
		return 0, "", false
	}
	return int(n), rest[1:], true
}

func tooBigLink(n uint32) string {
	return inConfig(fmt.Sprintf("interface ring number %d is bigger than allowed maximum %d", n, MaxLinks-1))
}

func inConfig(text string) string { return "parse error in config: " + text }

// readInterfaces reads all interface sections (totemconfig.c:
// get_interface_params).
func (d *deriver) readInterfaces(reload bool) string {
	var seen []uint32
	for key := range d.m.All("totem.interface.") {
		number, name, ok := strings.Cut(strings.TrimPrefix(key, "totem.interface."), ".")
		if !ok || number == "" || name == "" || name != "bindnetaddr" && d.c.Transport == UDP {
			continue
		}
		link, _, _ := scanUint(number) // atoi: no number is link 0
		if link >= MaxLinks {
			return d.at(tooBigLink(link), key, d.ringKeys(link))
		}
		if slices.Contains(seen, link) {
			continue
		}
		seen = append(seen, link)
		if text := d.readInterface(int(link), reload); text != "" {
			return text
		}
	}
	return ""
}

func (d *deriver) readInterface(link int, reload bool) string {
	l := &d.c.Links[link]
	base := fmt.Sprintf("totem.interface.%d.", link)
	if !reload {
		if text := d.readAddresses(l, link, base); text != "" {
			return text
		}
	}
	if !reload || !l.Configured {
		if text := d.readFixed(l, link, base); text != "" {
			return text
		}
	}
	l.Configured = true
	l.Priority, l.PingInterval, l.PingTimeout, l.PingPrecision, l.PongCount = 1, 0, 0, 2048, 2
	if n, ok := d.m.U8(base + "knet_link_priority"); ok {
		l.Priority = n
	}
	for _, x := range []struct {
		name string
		to   *uint32
	}{{"knet_ping_interval", &l.PingInterval}, {"knet_ping_timeout", &l.PingTimeout},
		{"knet_ping_precision", &l.PingPrecision}, {"knet_pong_count", &l.PongCount}} {
		if n, ok := d.m.U32(base + x.name); ok {
			*x.to = n
		}
	}
	return d.readMembers(l, base+"member.")
}

// readAddresses reads bindnetaddr, mcastaddr and broadcast.
func (d *deriver) readAddresses(l *Link, link int, base string) string {
	var ok bool
	if s, given := d.m.Str(base + "bindnetaddr"); given {
		if l.BindNet, ok = d.resolve(s, d.c.ipVersion); !ok {
			return d.unresolved(fmt.Sprintf("failed to parse bindnet address '%s'", s), base+"bindnetaddr", d.ringKeys(uint32(link)))
		}
	}
	if s, given := d.m.Str(base + "mcastaddr"); given {
		if l.Mcast, ok = d.resolve(s, d.c.ipVersion); !ok {
			return d.unresolved(fmt.Sprintf("failed to parse mcast address '%s'", s), base+"mcastaddr")
		}
	} else if name, named := d.m.Str("totem.cluster_name"); named && d.c.Transport == UDP {
		l.Mcast = clusterMulticast(name, link, d.c.Links[0].BindNet.Is6())
	}
	if s, _ := d.m.Str(base + "broadcast"); s == "yes" {
		d.c.broadcast = true
	}
	return ""
}

// clusterMulticast makes a multicast address from the cluster's name
// (totemconfig.c: generate_cluster_id, get_cluster_mcast_addr).
func clusterMulticast(name string, link int, v6 bool) netip.Addr {
	var id int32
	for i := 0; i < len(name); i++ {
		id = id<<1 + int32(int8(name[i]))
	}
	n := uint16(id) + uint16(link)
	if v6 {
		return netip.MustParseAddr(fmt.Sprintf("ff15::%x", n))
	}
	return netip.AddrFrom4([4]byte{239, 192, byte(n >> 8), byte(n % 0xff)})
}

// readFixed reads what a link gets once.
func (d *deriver) readFixed(l *Link, link int, base string) string {
	l.Port = uint16(5405 + link)
	if d.c.broadcast {
		l.Port = uint16(5405 + 2*link)
	}
	if n, ok := d.m.Uint(base+"mcastport", cmap.Uint16); ok {
		l.Port = uint16(n)
	}
	l.TTL = 1
	if n, ok := d.m.U8(base + "ttl"); ok {
		l.TTL = n
	}
	switch s, ok := d.m.Str(base + "knet_transport"); {
	case !ok, s == "udp":
		l.SCTP = false
	case s == "sctp":
		l.SCTP = true
	default:
		return d.at("Unrecognised knet_transport. expected 'udp' or 'sctp'", base+"knet_transport")
	}
	return ""
}

// readMembers reads the old form of the nodelist.
func (d *deriver) readMembers(l *Link, prefix string) string {
	l.Members = nil
	for key, v := range d.m.All(prefix) {
		if _, ok := d.m.Str("nodelist.node.0.ring0_addr"); ok {
			d.membersIgnored = true
			return ""
		}
		d.membersDeprecated = true
		s, ok := v.AsString()
		if !ok {
			continue
		}
		addr, ok := d.resolve(s, d.c.ipVersion)
		if !ok {
			return d.unresolved(fmt.Sprintf("failed to parse node address '%s'", s), key)
		}
		l.Members = append(l.Members, Member{Addr: addr})
	}
	return ""
}

// finishMulticast completes udp's addresses and shows them in cmap.
func (d *deriver) finishMulticast() {
	c := d.c
	if c.broadcast {
		c.Links[0].Mcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	}
	if c.Transport != UDP {
		return
	}
	for i := range c.Links {
		l := &c.Links[i]
		if !l.Configured {
			continue
		}
		base := fmt.Sprintf("totem.interface.%d.", i)
		if _, ok := d.m.Str(base + "mcastaddr"); !ok && l.Mcast.IsValid() {
			_ = d.m.Set(base+"mcastaddr", cmap.Str(l.Mcast.String()))
		}
		if _, ok := d.m.Uint(base+"mcastport", cmap.Uint16); !ok {
			_ = d.m.Set(base+"mcastport", cmap.U16(l.Port))
		}
	}
}

// pingTimers gives knet's timers their defaults, which depend on the token time,
// and shows them (totemconfig.c: calc_knet_ping_timers).
func (d *deriver) pingTimers() {
	token := d.num.get("totem.token")
	for i := range d.c.Links {
		l := &d.c.Links[i]
		if !l.Configured {
			continue
		}
		if l.PongCount == 0 {
			l.PongCount = 2
		}
		if l.PingTimeout == 0 {
			l.PingTimeout = token / l.PongCount
		}
		if l.PingInterval == 0 {
			l.PingInterval = uint32(uint64(token) / max(1, uint64(l.PongCount*2)))
		}
		base := fmt.Sprintf("runtime.config.totem.interface.%d.", i)
		_ = d.m.Set(base+"knet_ping_timeout", cmap.U32(l.PingTimeout))
		_ = d.m.Set(base+"knet_ping_interval", cmap.U32(l.PingInterval))
	}
}

// finish fills in what cannot fail.
func (d *deriver) finish() {
	c, m := d.c, d.m
	if c.NetMTU == 0 {
		c.NetMTU = 1500
		if c.Transport == Knet {
			c.NetMTU = 65536
		}
	}
	c.ClusterName, _ = m.Str("totem.cluster_name")
	c.ConfigVersion, _ = m.U64("totem.config_version")
	c.Totem, c.Quorum, c.System = d.num.totem(), quorum(m), system(m)
	c.Notes, c.Warnings = d.notes, d.warnings()
	c.collectNodes(m)
}

func (d *deriver) warnings() []string {
	var out []string
	for _, w := range []struct {
		on   bool
		text string
	}{
		{d.membersIgnored, "member section is used together with nodelist. Members ignored."},
		{d.membersDeprecated, "member section is deprecated."},
		{d.nodeidSet, "nodeid in totem section is deprecated and ignored. Nodelist (or autogenerated) nodeid is going to be used."},
		{d.bindnetSet, "interface section bindnetaddr is used together with nodelist. Nodelist one is going to be used."},
	} {
		if w.on {
			out = append(out, w.text)
		}
	}
	if out != nil {
		out = append(out, "Please migrate config file to nodelist.")
	}
	if s, ok := d.m.Str(dscpKey); ok {
		out = append(out, fmt.Sprintf("Value of key \"%s\" is expected to be number (0..63) or symbolical dscp value, but \"%s\" was given. It has no effect.", dscpKey, s))
	}
	return out
}
