package lab

import (
	"fmt"
	"os"
	"strings"
)

// Conf describes a corosync.conf. The zero value is udpu with votequorum and
// the original's defaults. The lists hold lines such as "token: 1000"; a later
// line replaces an earlier one of the same key.
type Conf struct {
	Transport string // default udpu
	Totem     []string
	Quorum    []string
	Logging   []string
	Node      []string // in every node entry
	Votes     []int    // quorum_votes by node, from the first on; beyond: no line
	System    []string // no line: no section
	IPv6      bool     // the nodes' addresses are those of IPv6
	// Interfaces has, by link, the lines of its interface section, such as
	// "knet_link_priority: 2" or "broadcast: yes"; unused links have none.
	Interfaces [][]string
	// Of knet only:
	Links  int      // how many of the lab's networks are links, 0: all
	Key    string   // another word, another authkey
	Nozzle []string // no line: no section
}

// Render writes the configuration for these nodes.
func (c Conf) Render(name string, nodes []*Node, networks int) string {
	transport := c.Transport
	if transport == "" {
		transport = "udpu"
	}
	if transport != "knet" {
		networks = 1 // corosync.conf(5): only knet knows more than one link
	} else if c.Links > 0 {
		networks = min(networks, c.Links)
	}
	var b strings.Builder
	section := func(indent, name string, lines []string, inner ...func()) {
		fmt.Fprintf(&b, "%s%s {\n", indent, name)
		for _, l := range lastOfEachKey(lines) {
			fmt.Fprintf(&b, "%s  %s\n", indent, l)
		}
		for _, f := range inner {
			f()
		}
		fmt.Fprintf(&b, "%s}\n", indent)
	}
	totem := []string{"version: 2", "cluster_name: " + name, "transport: " + transport, "crypto_cipher: none", "crypto_hash: none"}
	addr := (*Node).Addr
	if c.IPv6 {
		totem, addr = append(totem, "ip_version: ipv6"), (*Node).Addr6
	}
	section("", "totem", append(totem, c.Totem...), func() {
		for k, lines := range c.Interfaces {
			if k < networks && len(lines) > 0 {
				section("  ", "interface", append([]string{fmt.Sprintf("linknumber: %d", k)}, lines...))
			}
		}
	})
	section("", "nodelist", nil, func() {
		for i, n := range nodes {
			lines := []string{"name: " + n.Name(), fmt.Sprintf("nodeid: %d", n.ID())}
			for k := range networks {
				lines = append(lines, fmt.Sprintf("ring%d_addr: %s", k, addr(n, k)))
			}
			if i < len(c.Votes) {
				lines = append(lines, fmt.Sprintf("quorum_votes: %d", c.Votes[i]))
			}
			section("  ", "node", append(lines, c.Node...))
		}
	})
	if len(c.Nozzle) > 0 {
		section("", "nozzle", c.Nozzle)
	}
	if len(c.System) > 0 {
		section("", "system", c.System)
	}
	section("", "quorum", append([]string{"provider: corosync_votequorum"}, c.Quorum...))
	section("", "logging", append([]string{"to_logfile: yes", "logfile: /var/log/corosync/corosync.log", "to_syslog: no", "to_stderr: no", "timestamp: hires"}, c.Logging...))
	return b.String()
}

// lastOfEachKey drops a line when a later one has the same key.
func lastOfEachKey(lines []string) []string {
	key := func(s string) string { k, _, _ := strings.Cut(s, ":"); return strings.TrimSpace(k) }
	var out []string
next:
	for i, l := range lines {
		for _, later := range lines[i+1:] {
			if key(later) == key(l) {
				continue next
			}
		}
		out = append(out, l)
	}
	return out
}

// WriteConf puts corosync.conf and an authkey onto the disks of these members, of
// all without a name. Running daemons do not read it before a reload.
func (l *Lab) WriteConf(c Conf, only ...*Node) error {
	members := l.Members()
	text := c.Render(l.name, members, l.Networks())
	if len(only) == 0 {
		only = members
	}
	for _, n := range only {
		if err := os.WriteFile(n.Path("/etc/corosync/corosync.conf"), []byte(text), 0o644); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
		if err := os.WriteFile(n.Path("/etc/corosync/authkey"), Authkey(c.Key), 0o400); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
	}
	return nil
}

// Authkey is the content of the authkey that a word stands for, as long as
// corosync-keygen's. Nothing in a lab is secret.
func Authkey(word string) []byte {
	key := make([]byte, 256)
	for i := range key {
		key[i] = byte(i*7 + 3)
		if word != "" {
			key[i] ^= word[i%len(word)]
		}
	}
	return key
}
