package cfgtool

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/cfg/cfgclient"
	"github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/cmap/cmapclient"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/libc"
)

// cluster is what -s and -n need to know before they ask for link states.
type cluster struct {
	transport string
	local     uint32
	nodes     []uint32              // of the nodelist, ascending
	link      [wire.MaxLinks]string // transport of each link
}

func (c *cluster) knet() bool { return c.transport != "udpu" && c.transport != "udp" }

// status prints the links (-s) or the nodes (-n).
func (p *program) status(ctx context.Context) int {
	if !p.connect(ctx, false) {
		return 1
	}
	m, err := cmapclient.Dial(ctx, cmapclient.ICMAP)
	if err != nil {
		p.complain("Could not initialize corosync cmap API error %d", libipc.Code(err))
		return 1
	}
	defer m.Close()
	c, ok := p.learn(ctx, m)
	if !ok {
		return 1
	}
	fmt.Fprintf(p.out, "Local node ID %d, transport %s\n", c.local, c.transport)
	if p.action == nodeStatus {
		p.showNodes(ctx, c)
	} else {
		p.showLinks(ctx, c)
	}
	return 0
}

// learn reads transport, local node and nodelist.
func (p *program) learn(ctx context.Context, m *cmapclient.Client) (*cluster, bool) {
	c := &cluster{transport: "knet"} // the default
	if s, err := m.GetString(ctx, "totem.transport"); err == nil {
		c.transport = s
	}
	var err error
	if c.local, err = p.client.LocalGet(ctx); err != nil {
		p.complain("Could not get the local node id, the error is: %d", libipc.Code(err))
		return nil, false
	}
	for item, err := range m.All(ctx, "nodelist.node.") {
		if err != nil {
			if cmapclient.Started(err) {
				break
			}
			p.complain("Could not get nodelist from cmap. error %d", libipc.Code(err))
			return nil, false
		}
		if !isNodeID(item.Key) {
			continue
		}
		if id, err := m.GetUint32(ctx, item.Key); err == nil {
			c.nodes = append(c.nodes, id)
		}
	}
	if len(c.nodes) == 0 {
		p.complain("No nodes found in nodelist")
		return nil, false
	}
	slices.SortFunc(c.nodes, cmp.Compare)
	learnLinks(ctx, m, c)
	return c, true
}

// isNodeID tells whether a key is nodelist.node.N.nodeid.
func isNodeID(key string) bool {
	rest, ok := strings.CutPrefix(key, "nodelist.node.")
	if !ok {
		return false
	}
	_, rest, ok = libc.ScanUint(rest)
	return ok && rest == ".nodeid"
}

// learnLinks finds the transport of each link; what is not set has the default.
func learnLinks(ctx context.Context, m *cmapclient.Client, c *cluster) {
	for i := range c.link {
		if c.knet() {
			c.link[i] = "udp"
		}
	}
	for item, err := range m.All(ctx, "totem.interface.") {
		if err != nil {
			return // the defaults will do
		}
		n, _, ok := libc.ScanUint(strings.TrimPrefix(item.Key, "totem.interface."))
		if !ok || n >= wire.MaxLinks {
			continue
		}
		if s, err := m.GetString(ctx, fmt.Sprintf("totem.interface.%d.knet_transport", n)); err == nil {
			c.link[n] = s
		}
	}
}

// showNodes prints the reachable other nodes with their links.
func (p *program) showNodes(ctx context.Context, c *cluster) {
	for _, id := range c.nodes {
		s, err := p.client.NodeStatus(ctx, id)
		if err != nil || !s.Reachable || s.Node == c.local {
			continue
		}
		fmt.Fprintf(p.out, "nodeid: %d reachable", s.Node)
		if s.Remote {
			fmt.Fprint(p.out, " remote")
		}
		if s.External {
			fmt.Fprint(p.out, " external")
		}
		fmt.Fprint(p.out, "\n")
		for i := range s.Links {
			if s.Links[i].Enabled {
				p.showLink(c, i, &s.Links[i])
			}
		}
		fmt.Fprint(p.out, "\n")
	}
}

// showLink prints one link of -n.
func (p *program) showLink(c *cluster, i int, l *cfgclient.Link) {
	arrow := ""
	if c.knet() {
		arrow = "->"
	}
	fmt.Fprintf(p.out, "   LINK: %d %s (%s%s%s) enabled", i, c.link[i], l.Source, arrow, l.Destination)
	if l.Connected {
		fmt.Fprint(p.out, " connected")
	}
	if l.DynConnected {
		fmt.Fprint(p.out, " dynconnected")
	}
	fmt.Fprintf(p.out, " mtu: %d\n", int32(l.MTU))
}

// showLinks prints the links in their order, each with the state of all nodes.
// Which links there are is read off the last other node: to itself a node has
// one link only.
func (p *program) showLinks(ctx context.Context, c *cluster) {
	local, other := 0, 0
	for i, id := range c.nodes {
		if id == c.local {
			local = i
		} else {
			other = i
		}
	}
	status := make([]cfgclient.NodeStatus, len(c.nodes))
	for i, id := range c.nodes {
		var err error
		if status[i], err = p.client.NodeStatus(ctx, id); err != nil {
			p.complain("Could not get the node status for nodeid %d, the error is: %d", int32(id), libipc.Code(err))
			status[i] = cfgclient.NodeStatus{}
		}
	}
	for i := range wire.MaxLinks {
		l := &status[other].Links[i]
		if !l.Enabled {
			continue
		}
		fmt.Fprintf(p.out, "LINK ID %d %s\n\taddr\t= %s\n", i, c.link[i], l.Source)
		if p.brief {
			p.briefStates(status, local, i)
		} else {
			p.states(status, local, i)
		}
	}
}

// briefStates prints a digit for each node: 1 enabled, 2 connected.
func (p *program) briefStates(status []cfgclient.NodeStatus, local, link int) {
	fmt.Fprint(p.out, "\tstatus\t= ")
	for j := range status {
		l := &status[j].Links[link]
		state := byte('0')
		if l.Enabled {
			state++
		}
		if l.Connected {
			state += 2
		}
		if j == local {
			state = 'n'
		}
		fmt.Fprintf(p.out, "%c", state)
	}
	fmt.Fprint(p.out, "\n")
}

func (p *program) states(status []cfgclient.NodeStatus, local, link int) {
	fmt.Fprint(p.out, "\tstatus:\n")
	for j := range status {
		state := "disconnected"
		switch {
		case j == local:
			state = "localhost"
		case status[j].Links[link].Connected:
			state = "connected"
		}
		fmt.Fprintf(p.out, "\t\tnodeid: %10d:\t%s\n", status[j].Node, state)
	}
}
