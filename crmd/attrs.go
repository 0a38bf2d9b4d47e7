package crmd

import (
	"context"
	"time"

	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// attrdBacklog bounds the requests that wait for the attribute manager: one for
// each failure of a resource in a transition, at the worst.
const attrdBacklog = 10000

// attrdConn sends requests to the attribute manager, in order, from a goroutine
// of its own: it may be away for a moment.
type attrdConn struct {
	c    *Controller
	reqs chan *xmltree.Node
	end  context.CancelFunc
}

func newAttrdConn(c *Controller) *attrdConn {
	ctx, cancel := context.WithCancel(context.Background())
	a := &attrdConn{c: c, reqs: make(chan *xmltree.Node, attrdBacklog), end: cancel}
	go a.work(ctx)
	return a
}

func (a *attrdConn) close() { a.end() }

// Tries to reach the attribute manager (ipc_attrd.c: connect_and_send).
const (
	attrdTries = 5
	attrdPause = time.Second
)

func (a *attrdConn) work(ctx context.Context) {
	var conn *crmipc.Conn
	for {
		select {
		case <-ctx.Done():
			if conn != nil {
				_ = conn.Close()
			}
			return
		case req := <-a.reqs:
			var err error
			if conn, err = deliverAttr(ctx, conn, req); err != nil && ctx.Err() == nil {
				a.c.post(func() {
					level := levelError
					if a.c.leading {
						level = levelCrit
					}
					a.c.log.at(level, "Could not update attribute %s=%s for node %s: %v", []any{req.Attr("attr_name"), req.Attr("attr_value"), req.Attr("attr_host"), err})
					a.c.attrdFailed()
				})
			}
		}
	}
}

// deliverAttr sends a request, over a new connection if need be.
func deliverAttr(ctx context.Context, conn *crmipc.Conn, req *xmltree.Node) (*crmipc.Conn, error) {
	var err error
	for try := 0; try < attrdTries; try++ {
		if try > 0 {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(attrdPause):
			}
		}
		if conn == nil {
			if conn, err = crmipc.Dial(ctx, "attrd", crmipc.DialOptions{}); err != nil {
				conn = nil
				continue
			}
		}
		if _, err = conn.Call(ctx, req); err == nil {
			return conn, nil
		}
		_ = conn.Close()
		conn = nil
	}
	return nil, err
}

// nodeAttr is a node attribute to set; an empty value deletes it.
type nodeAttr struct{ name, value string }

func (a *attrdConn) request(task string) *xmltree.Node {
	return xmltree.New("create_attrd_op", xmltree.Attr{Name: "t", Value: "attrd"}, xmltree.Attr{Name: "src", Value: "pacemaker-controld"},
		xmltree.Attr{Name: "task", Value: task})
}

func (a *attrdConn) send(n *xmltree.Node) {
	select {
	case a.reqs <- n:
	default:
		a.c.log.err("The attribute manager takes no requests: %d wait", attrdBacklog)
		a.c.attrdFailed()
	}
}

// update sets a transient attribute of a node (update_attrd).
func (a *attrdConn) update(node, name, value, user string, remote bool) {
	n := a.request("update")
	if user != "" {
		n.Set("attr_user", user)
	}
	n.Set("attr_name", name)
	if value != "" {
		n.Set("attr_value", value)
	}
	a.finish(n, node, remote)
	a.send(n)
}

// updateList sets several attributes of a node one after the other, so that all
// are there or none when the attribute manager goes away between them is not
// promised; older peers know no lists.
func (a *attrdConn) updateList(node string, remote bool, set []nodeAttr) {
	for _, v := range set {
		a.update(node, v.name, v.value, "", remote)
	}
}

func (a *attrdConn) finish(n *xmltree.Node, node string, remote bool) {
	n.Set("attr_host", node)
	n.Set("attr_is_remote", digit(remote))
	n.Set("attr_is_private", "0")
}

func digit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// clearFailures forgets the failures of a resource on a node: of one operation,
// or of all when op is empty.
func (a *attrdConn) clearFailures(node, rsc, op, interval string, remote bool) {
	n := a.request("clear-failure")
	n.Set("attr_host", node)
	n.Set("attr_resource", rsc)
	if op != "" {
		n.Set("attr_clear_operation", op)
		if interval != "" {
			n.Set("attr_clear_interval", interval)
		}
	}
	n.Set("attr_is_remote", digit(remote))
	a.c.log.info("Asking attribute manager to clear failure of %s for %s on node %s", orAll(op), rsc, node)
	a.send(n)
}

func orAll(op string) string {
	if op == "" {
		return "all operations"
	}
	return op
}

// isRemote says whether a node is a Pacemaker Remote node. None are run here.
func (c *Controller) isRemote(string) bool { return false }

// onlyMember says whether no other node is in the cluster.
func (c *Controller) onlyMember() bool { return c.peers.Active() <= 1 }

// fencedOurselves: somebody fenced this node and it is still here. It stops, or
// with fence-reaction=panic resets the machine (tengine_stonith_notify).
func (c *Controller) fencedOurselves() {
	if c.opt.panicWhenFenced {
		c.exit(pcmk.ExitPanic)
		return
	}
	c.stayDown = true
	c.exit(pcmk.ExitFatal)
}
