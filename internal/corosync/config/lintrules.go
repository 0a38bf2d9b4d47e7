package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// rules look at a configuration that the daemon takes for what its author will
// hardly have meant.
type rules struct {
	*linter
	c *Config
}

func (r *rules) all() {
	r.votes()
	r.votequorum()
	r.timers()
	r.crypto()
	r.links()
	for i := range r.c.Links {
		r.addresses(i)
	}
	r.names()
	r.logging()
}

// at is the line of the first of these keys that the file has, else where the
// first's section begins.
func (r *rules) at(keys ...string) int {
	for _, key := range keys {
		if line, ok := r.lines[key]; ok {
			return line
		}
	}
	for path := keys[0]; path != ""; {
		path, _, _ = cutLast(path)
		if line, ok := r.heads[path]; ok {
			return line
		}
	}
	return 0
}

func (r *rules) has(key string) bool { _, ok := r.lines[key]; return ok }

func (r *rules) warn(line int, rule, text, hint string) { r.add(line, Warning, rule, text, hint) }
func (r *rules) note(line int, rule, text, hint string) { r.add(line, Note, rule, text, hint) }

// even reports whether a split can leave two halves with as many votes each.
func (r *rules) even() bool {
	sum := uint32(0)
	for _, n := range r.c.Nodes {
		sum += n.Votes
	}
	return sum > 0 && sum%2 == 0
}

// votes: can the cluster lose a node, and what does a split leave (votequorum(5)).
func (r *rules) votes() {
	q, nodes := &r.c.Quorum, len(r.c.Nodes)
	device := q.Device.Model != ""
	switch {
	case q.Provider == "":
		r.warn(r.at("quorum.provider"), "no-provider", "quorum has no provider: every part of a split cluster counts as quorate, and each runs everything",
			"quorum { provider: corosync_votequorum }")
	case nodes == 2 && q.TwoNode && q.WaitForAllSet && !q.WaitForAll:
		r.warn(r.at("quorum.wait_for_all"), "two-node-start", "two_node without wait_for_all: two nodes that start while they cannot see each other are both quorate, and each fences the other",
			"Leave wait_for_all out; two_node turns it on.")
	case nodes == 2 && q.TwoNode && !device:
		r.note(r.at("quorum.two_node"), "two-node", "both nodes stay quorate when the link between them breaks, and each will fence the other",
			"Give one node's fence device a delay (pcmk_delay_base) or set priority-fencing-delay in Pacemaker, so that one of them survives; or use a quorum device.")
	case q.TwoNode && nodes > 2:
		r.warn(r.at("quorum.two_node"), "two-node-many", fmt.Sprintf("two_node with %d nodes", nodes), "Take it out: it is for two nodes alone.")
	case nodes == 2 && !device && !q.AutoTieBreaker:
		r.warn(r.at("quorum.two_node", "quorum.provider"), "two-nodes", "two nodes without two_node: when one is lost, the other loses quorum and stops everything",
			"Set two_node: 1 (and have fencing), or add a quorum device.")
	case nodes > 2 && r.even() && !device && !q.AutoTieBreaker:
		r.warn(r.at("quorum.auto_tie_breaker", "quorum.provider"), "even-votes", "an even number of votes: a split into halves leaves neither quorate, and both stop",
			"Set auto_tie_breaker: 1, or add a quorum device or another node.")
	}
}

// votequorum: options that do not do what they seem to.
func (r *rules) votequorum() {
	q := &r.c.Quorum
	if q.LastManStanding && !q.WaitForAll {
		r.warn(r.at("quorum.last_man_standing"), "last-man-alone", "last_man_standing without wait_for_all: a node that starts alone later may be quorate beside the others", "Set wait_for_all: 1.")
	}
	if q.LastManStanding && slices.ContainsFunc(r.c.Nodes, func(n Node) bool { return n.Votes > 1 }) {
		r.warn(r.at("quorum.last_man_standing"), "last-man-votes", "last_man_standing switches itself off, because a node has more than one vote", "Give every node one vote.")
	}
	if !q.AutoTieBreaker && q.AutoTieBreakerNode != "" {
		r.warn(r.at("quorum.auto_tie_breaker_node"), "tie-breaker-off", "auto_tie_breaker_node means nothing without auto_tie_breaker", "Set auto_tie_breaker: 1.")
	}
	for i := range r.options {
		o := &r.options[i]
		if o.sec == secQuorum && o.Type == cmap.Uint8 {
			if n, ok := r.m.U8(o.Key); ok && n > 1 {
				r.warn(r.at(o.Key), "not-boolean", fmt.Sprintf("%s is %d, which counts as 1", leaf(o), n), "It is 0 or 1.")
			}
		}
	}
	sum := uint32(0)
	for _, n := range r.c.Nodes {
		sum += n.Votes
	}
	if q.ExpectedVotes != 0 && sum > 0 && q.Device.Model == "" && q.ExpectedVotes != sum {
		r.warn(r.at("quorum.expected_votes"), "expected-votes", fmt.Sprintf("expected_votes is %d, and the nodes of the nodelist have %d together", q.ExpectedVotes, sum),
			"Leave it out: the nodelist says how many there are.")
	}
}

// Times below and above which a token is hardly meant so. The first is Corosync
// 2's default; a busy machine or a live migration stops a node for longer.
const (
	shortToken = 1000
	longToken  = 60000
)

func (r *rules) timers() {
	token, set := r.m.U32("totem.token")
	switch {
	case set && token != 0 && token < shortToken:
		r.warn(r.at("totem.token"), "token-short", fmt.Sprintf("token is %d ms: a node that is busy or paused for that long counts as lost and is fenced", token),
			"The default is 3000 ms. Shorter needs machines that are never stopped for that long.")
	case set && token > longToken:
		r.note(r.at("totem.token"), "token-long", fmt.Sprintf("token is %d ms: a lost node is noticed that late, and nothing goes on until then", token), "The value is in milliseconds.")
	}
	t := &r.c.Totem
	if consensus, ok := r.m.U32("totem.consensus"); ok && consensus != 0 && len(r.c.Nodes) > 2 && t.Consensus.Seconds() < 1.2*t.Token.Seconds() {
		r.warn(r.at("totem.consensus"), "consensus-short", fmt.Sprintf("consensus is %d ms, less than 1.2 times the effective token of %d ms", consensus, t.Token.Milliseconds()),
			"Leave it out: it follows token. Shorter ones make nodes leave and join without need.")
	}
	if t.HeartbeatFailuresAllowed != 0 {
		r.note(r.at("totem.heartbeat_failures_allowed"), "heartbeat", "heartbeat_failures_allowed finds lost nodes sooner only where max_network_delay is right", "Leave it out unless both were measured.")
	}
	for i := range r.options {
		o := &r.options[i]
		if o.Doc == "Ignored." && r.has(o.Key) {
			r.note(r.at(o.Key), "ignored", leaf(o)+" has no effect any more", "Take it out.")
		}
	}
}

func (r *rules) crypto() {
	c := &r.c.Crypto
	switch {
	case r.c.Transport != Knet && r.has("totem.secauth"):
		r.warn(r.at("totem.secauth"), "crypto-transport", "only knet protects packets", "Use transport: knet.")
	case r.c.Transport != Knet:
	case !c.Enabled():
		r.warn(r.at("totem.crypto_cipher", "totem.secauth"), "no-crypto", "packets are neither encrypted nor authenticated: whoever reaches the network can join the cluster or stop it",
			"crypto_cipher: aes256 and crypto_hash: sha256, and corosync-keygen for the key.")
	case c.Cipher == "none":
		r.note(r.at("totem.crypto_cipher"), "no-cipher", "packets are authenticated but can be read", "crypto_cipher: aes256")
	case c.Hash == "md5" || c.Hash == "sha1":
		r.note(r.at("totem.crypto_hash"), "weak-hash", c.Hash+" is weak", "crypto_hash: sha256")
	}
	if r.has("totem.key") && r.has("totem.keyfile") {
		r.warn(r.at("totem.key"), "two-keys", "key is not used, because keyfile is set", "Keep one of them.")
	}
}

// links: what stands beside the nodelist, and how many links there are.
func (r *rules) links() {
	count := 0
	for i, l := range r.c.Links {
		base := fmt.Sprintf("totem.interface.%d.", i)
		if l.Configured {
			count++
		}
		if len(r.c.Nodes) > 0 && r.has(base+"bindnetaddr") {
			r.warn(r.at(base+"bindnetaddr"), "bindnetaddr", "bindnetaddr has no effect beside a nodelist", "Take it out: the addresses are those of the nodes.")
		}
		if r.c.Transport != UDP && r.has(base+"mcastaddr") {
			r.warn(r.at(base+"mcastaddr"), "mcastaddr", "mcastaddr has no effect over "+r.c.Transport.String(), "Take it out, or use transport: udp.")
		}
		if r.has(base + "member.0") {
			r.warn(r.at(base+"member.0"), "members", "member sections are an old form", "Use a nodelist.")
		}
		if r.c.Transport != Knet {
			r.knetOnly(base)
		}
	}
	if r.c.Transport == Knet && count == 1 && len(r.c.Nodes) > 1 {
		r.note(r.at("nodelist.node.0.ring0_addr"), "one-link", "one link: one cable or switch stops the cluster", "Give the nodes ring1_addr on another network.")
	}
}

func (r *rules) knetOnly(base string) {
	for _, key := range []string{"knet_link_priority", "knet_ping_interval", "knet_ping_timeout", "knet_ping_precision", "knet_pong_count", "knet_transport"} {
		if r.has(base + key) {
			r.warn(r.at(base+key), "knet-only", key+" has no effect over "+r.c.Transport.String(), "Take it out, or use transport: knet.")
		}
	}
}

// addresses: the nodes of one link.
func (r *rules) addresses(link int) {
	type place struct {
		node int
		net  netip.Prefix
	}
	var first place
	seen := map[netip.Addr]int{}
	for _, n := range r.c.Nodes {
		key := fmt.Sprintf("nodelist.node.%d.ring%d_addr", n.Pos, link)
		a := n.Addrs[link]
		if text, _ := r.m.Str(key); link == 0 && text == "" {
			continue
		} else if text != "" && !numeric(text) {
			r.note(r.at(key), "name", fmt.Sprintf("%s is a name: it is resolved when the daemon starts and at a reload, and a name service that is down then stops it", text), "Use the address, or have the name in /etc/hosts.")
		}
		if !a.IsValid() {
			continue
		}
		if other, twice := seen[a]; twice {
			r.warn(r.at(key), "same-address", fmt.Sprintf("%s is the address of two nodes, this one and that of line %d", a, other), "Each node has its own.")
		}
		seen[a] = r.at(key)
		if a.IsLoopback() && len(r.c.Nodes) > 1 {
			r.warn(r.at(key), "loopback", fmt.Sprintf("%s is this machine's own loopback: no other node reaches it", a), "Look for the host name beside 127.0.1.1 in /etc/hosts.")
			continue
		}
		bits := 24
		if a.Is6() {
			bits = 64
		}
		net, _ := a.Prefix(bits)
		switch {
		case !first.net.IsValid():
			first = place{n.Pos, net}
		case net != first.net && r.c.Transport == UDP:
			r.warn(r.at(key), "subnets", fmt.Sprintf("%s is in another network than the first node of link %d: multicast will not reach it without routers that pass it on", a, link), "Use one network for a link, or transport: knet.")
		case net != first.net:
			r.note(r.at(key), "subnets", fmt.Sprintf("%s is in another network (%s) than the first node of link %d (%s)", a, net, link, first.net), "That is right for nodes in two places with a route between them, and a slip of the pen otherwise.")
		}
	}
}

// names: what Pacemaker and people call the nodes.
func (r *rules) names() {
	seen := map[string]int{}
	for _, n := range r.c.Nodes {
		key := fmt.Sprintf("nodelist.node.%d.", n.Pos)
		name, ok := r.m.Str(key + "name")
		line := r.at(key+"name", key+"ring0_addr")
		switch other, twice := seen[name]; {
		case !ok:
			r.note(line, "no-name", "the node has no name: tools and Pacemaker take the host name or the address", "name: HOSTNAME")
		case twice:
			r.warn(line, "same-name", fmt.Sprintf("%s is the name of two nodes, this one and that of line %d", name, other), "Each node has its own.")
		}
		seen[name] = line
		if n.ID >= 1<<31 {
			r.warn(r.at(key+"nodeid"), "nodeid-large", fmt.Sprintf("nodeid %d: programs that take it for a signed number (dlm, auto_tie_breaker) see a negative one", n.ID), "Use small numbers.")
		}
	}
	if _, ok := r.m.Str("totem.cluster_name"); !ok {
		r.note(r.at("totem.cluster_name"), "no-cluster-name", "the cluster has no name: two clusters on one network are told apart by it, and dlm and gfs2 need it", "totem { cluster_name: NAME }")
	}
}

func (r *rules) logging() {
	l, err := ReadLogging(r.m)
	if err != nil {
		return // told already
	}
	if !l.Main.Syslog && !l.Main.File {
		r.warn(r.at("logging.to_syslog", "logging.to_logfile"), "no-log", "the daemon logs to standard error alone, which its unit throws away", "to_syslog: yes, or to_logfile: yes with a logfile.")
	}
	if s, _ := r.m.Str("logging.debug"); s == "on" || s == "trace" {
		r.note(r.at("logging.debug"), "debug", "debug lines are logged: many, and they cost time", "Switch it off when the fault is found.")
	}
	if l.Main.LogFile != "" && !l.Main.File {
		r.note(r.at("logging.logfile"), "logfile-off", "a logfile is named, but to_logfile is off", "to_logfile: yes")
	}
}
