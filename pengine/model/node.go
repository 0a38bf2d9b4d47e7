package model

import (
	"strings"

	"github.com/pacesync/pacesync/internal/score"
)

// NodeKind says what a node can do.
type NodeKind uint8

// The kinds of nodes.
const (
	Member NodeKind = iota
	Ping            // never runs resources
	Remote          // a remote or guest node, run by a connection resource
)

// Discover says whether a resource is probed on a node (resource-discovery).
type Discover uint8

// The modes, from weak to strong.
const (
	DiscoverAlways Discover = iota
	DiscoverNever
	DiscoverExclusive
)

// Node is a cluster, remote or guest node.
type Node struct {
	Index    int // dense, in order of creation
	entry    int // in tables, which go by id: the Index of the first node with this id
	ID, Name string
	Kind     NodeKind
	Score    score.Score // initial score for every resource
	Discover Discover

	// State, from the status section.
	Online, Standby, StandbyOnFail, Pending, Unclean, Unseen bool
	Shutdown, ExpectedUp, IsDC, Maintenance                  bool
	NoDiscovery                                              bool // resource-discovery-enabled is false
	Unpacked                                                 bool
	RequiresReset, WasFenced                                 bool // remote and guest nodes
	RemoteMaintenance                                        int
	RemoteRsc                                                *Resource
	Running                                                  []*Resource
	Attrs                                                    map[string]string
	Utilization                                              map[string]string
	Priority                                                 int
	Digests                                                  map[string]*Digest

	// Placement.
	NumResources int
}

// AddNode makes a node and puts it into the list by name (pe_create_node).
func (c *Cluster) AddNode(id, name string, kind NodeKind, s score.Score) *Node {
	n := &Node{Index: c.nextNode, entry: c.nextNode, ID: id, Name: name, Kind: kind, Score: s, Attrs: map[string]string{}, Utilization: map[string]string{}}
	c.nextNode++
	n.Attrs["#kind"] = "cluster"
	if kind == Remote {
		n.Attrs["#kind"] = "remote"
		c.HaveRemote = true
	}
	c.Nodes = InsertSorted(c.Nodes, n, func(a, b *Node) int { return CompareNames(a.Name, b.Name) })
	if twin := c.nodeByID[strings.ToLower(id)]; twin != nil && twin.ID == id {
		n.entry = twin.entry
	}
	if namesake := c.Node(name); namesake != nil && namesake.Name == name {
		c.SameNames = true
	}
	firstOf(c.nodeByID, id, n)
	firstOf(c.nodeBy, name, n)
	return n
}

// firstOf keeps in nodes the one of a key that comes first in the cluster's list.
func firstOf(nodes map[string]*Node, key string, n *Node) {
	key = strings.ToLower(key)
	if was := nodes[key]; was == nil || CompareNames(n.Name, was.Name) <= 0 {
		nodes[key] = n
	}
}

// Node finds a node by name.
func (c *Cluster) Node(name string) *Node { return c.nodeBy[strings.ToLower(name)] }

// NodeAny finds a node by id, else by name.
func (c *Cluster) NodeAny(id, name string) *Node {
	if n := c.nodeByID[strings.ToLower(id)]; n != nil {
		return n
	}
	return c.Node(name)
}

// IsRemote says whether n is reached by a connection resource of its own.
func (n *Node) IsRemote() bool {
	return n.Kind == Remote && (n.RemoteRsc == nil || n.RemoteRsc.Container == nil)
}

// IsGuest says whether n lives inside a resource of the cluster.
func (n *Node) IsGuest() bool {
	return n.Kind == Remote && n.RemoteRsc != nil && n.RemoteRsc.Container != nil
}

// Usable says whether resources may run on n at all (pcmk__node_available without score).
func (n *Node) Usable() bool {
	return n != nil && n.Online && !n.Shutdown && !n.Unclean && !n.Standby && !n.Maintenance
}

// ShutdownRequested says whether the node asked to leave (attribute shutdown).
func (n *Node) ShutdownRequested() bool {
	v, ok := n.Attrs["shutdown"]
	return ok && v != "0"
}

// CompareNames orders names by letters without case and by the value of digits in
// them (pcmk__numeric_strcasecmp).
func CompareNames(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if digit(a[i]) && digit(b[j]) {
			x, i2 := number(a, i)
			y, j2 := number(b, j)
			switch {
			case x != y:
				return sign(x < y)
			case i2-i != j2-j:
				return sign(i2-i < j2-j)
			}
			i, j = i2, j2
			continue
		}
		x, y := lower(a[i]), lower(b[j])
		if x != y {
			return sign(x < y)
		}
		i, j = i+1, j+1
	}
	switch {
	case j < len(b):
		return -1
	case i < len(a):
		return 1
	}
	return 0
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func number(s string, i int) (v int64, end int) {
	for ; i < len(s) && digit(s[i]); i++ {
		if v < 1<<58 {
			v = v*10 + int64(s[i]-'0')
		}
	}
	return v, i
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func sign(less bool) int {
	if less {
		return -1
	}
	return 1
}
