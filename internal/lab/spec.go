package lab

import (
	"fmt"
	"os"
	"strings"
)

// Impl says whose programs a part of a node runs.
type Impl uint8

const (
	Debian Impl = iota // what the machine has installed: the oracle
	Ours               // the binary in Options.Bin
)

func (i Impl) String() string {
	if i == Ours {
		return "ours"
	}
	return "debian"
}

// NodeSpec describes one node to Up. Immutable.
type NodeSpec struct {
	Name      string // default n1, n2, … ; hosts h1, h2, …
	Corosync  Impl   // the daemon corosync
	Pacemaker Impl   // pacemakerd and its sub-daemons
	Tools     Impl   // every command-line tool
	// Ours names single programs that come from us whatever the fields above say,
	// such as pacemaker-attrd or crm_node: the rest of the node stays what it is.
	Ours  []string
	Host  bool   // a machine outside the cluster: not in corosync.conf
	Files []File // additional files in this node only
}

// File is one file that a node has and the machine need not have. A path under
// /etc/corosync, /etc/pacemaker, /var/log or /var/lib/{corosync,pacemaker} is on the node's
// disk; any other is laid over the machine's folder, read-only.
type File struct {
	Path    string
	Mode    os.FileMode
	Content string // or
	Source  string // a file to copy
}

// Options describes a lab to Up. The zero value is three nodes on one network,
// all Debian's.
type Options struct {
	Name     string     // default "lab"; letters, digits, '-', '.'
	Nodes    []NodeSpec // default three
	Networks int        // networks per node, default 1
	Bin      string     // folder with our pacesync; needed when a node runs ours
	Files    []File     // additional files in every node
	Replace  bool       // take down a lab of the same name first
}

// MaxNodes: the last byte of an address is the node id, hosts start at 201.
const (
	MaxNodes    = 200
	firstHostID = 201
	MaxNetworks = 8 // corosync's INTERFACE_MAX
)

// complete returns o with defaults filled in, or says what is wrong with it.
func (o Options) complete() (Options, error) {
	if o.Name == "" {
		o.Name = "lab"
	}
	if !validName(o.Name) {
		return o, fmt.Errorf("lab: name %q: use letters, digits, '-' and '.'", o.Name)
	}
	if o.Networks == 0 {
		o.Networks = 1
	}
	if o.Networks < 1 || o.Networks > MaxNetworks {
		return o, fmt.Errorf("lab: %d networks: 1 to %d are possible", o.Networks, MaxNetworks)
	}
	if len(o.Nodes) == 0 {
		o.Nodes = make([]NodeSpec, 3)
	}
	if len(o.Nodes) > MaxNodes {
		return o, fmt.Errorf("lab: %d nodes: at most %d", len(o.Nodes), MaxNodes)
	}
	nodes := make([]NodeSpec, len(o.Nodes))
	seen := map[string]bool{}
	members, hosts := 0, 0
	for i, n := range o.Nodes {
		name := ""
		if n.Host {
			hosts++
			name = fmt.Sprintf("h%d", hosts)
		} else {
			members++
			name = fmt.Sprintf("n%d", members)
		}
		if n.Name == "" {
			n.Name = name
		}
		if !validName(n.Name) || seen[n.Name] {
			return o, fmt.Errorf("lab: node name %q: use letters, digits, '-' and '.', each name once", n.Name)
		}
		seen[n.Name] = true
		nodes[i] = n
	}
	o.Nodes = nodes
	return o, nil
}

func validName(s string) bool {
	return s != "" && len(s) <= 60 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") == "" && s[0] != '.' && s[0] != '-'
}
