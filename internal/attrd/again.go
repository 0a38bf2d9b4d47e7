package attrd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/internal/attrd/core"
	"github.com/pacesync/pacesync/internal/attrd/wire"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// What happens when the CIB manager or this daemon was killed. The original's attribute
// manager ends with the CIB manager, and one that comes back begins by deleting what the
// CIB has of its node; so the node's transient attributes, scores of promotion among
// them, are lost until somebody sets them again.

const (
	// cibReturn is how long a CIB manager that was lost may be away.
	cibReturn = 30 * time.Second
	// cibPause is between attempts to reach it.
	cibPause = 250 * time.Millisecond
)

// cibLost begins to connect again. Writes under way are taken for failed; what they
// say is written again when the connection is there.
func (d *daemon) cibLost(why error) {
	d.log.Warn("Lost connection to the CIB manager, connecting again", "why", why)
	_ = d.cib.Close()
	d.cib, d.lostAt = nil, time.Now()
	d.erase, d.config = 0, 0
	for id, token := range d.stores {
		d.overdue.Stop(id)
		d.refused = append(d.refused, token)
	}
	clear(d.stores)
	d.dialAgain()
}

// dialAgain makes one attempt in a goroutine of its own, after a pause.
func (d *daemon) dialAgain() {
	go func() {
		time.Sleep(cibPause)
		c, err := dialCIB()
		if err != nil {
			c = nil
		}
		d.cibBack <- c
	}()
}

// cibFound is the end of an attempt; false when there were enough of them.
func (d *daemon) cibFound(c *client.Conn) bool {
	if c == nil {
		if time.Since(d.lostAt) > cibReturn {
			return false
		}
		d.dialAgain()
		return true
	}
	d.log.Info("CIB connection active")
	d.cib = c
	c.Pump(func(ev client.Event) { d.cibNews <- ev })
	d.readAlerts()
	d.core.CIBReplaced(moment(), "reconnect", core.SectionStatus) // it may be without status
	return true
}

// restoreOwn takes this node's values from the CIB, where they still are: this daemon
// ended unexpectedly and was started again. Private attributes are not there and lost.
func (d *daemon) restoreOwn() {
	xpath := fmt.Sprintf("//node_state[@uname='%s']/transient_attributes", d.group.Name())
	ctx, cancel := context.WithTimeout(context.Background(), dialPatience)
	defer cancel()
	n, err := d.cib.Do(ctx, client.Call{Op: client.Query, Section: xpath, Options: client.XPath | client.ScopeLocal})
	switch {
	case errors.Is(err, rcNoSection):
	case err != nil:
		d.log.Warn("Could not read this node's transient attributes: "+err.Error(), "xpath", xpath)
	default:
		d.core.Restore(ownValues(n, d.group.Name(), d.group.NodeID()))
	}
}

// ownValues reads the transient attributes of a node.
func ownValues(n *xmltree.Node, node string, id uint32) []wire.Value {
	var out []wire.Value
	n.Each("instance_attributes", func(set *xmltree.Node) {
		name := set.ID()
		if name == fmt.Sprintf("status-%d", id) {
			name = "" // that is what it is called without a name
		}
		set.Each("nvpair", func(nv *xmltree.Node) {
			if v := nv.Attr("value"); v != "" && nv.Attr("name") != "" {
				out = append(out, wire.Value{Name: nv.Attr("name"), Value: v, Set: name, Host: node, HostID: id})
			}
		})
	})
	return out
}
