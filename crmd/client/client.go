// Package client is the client side of the controller's socket: questions that
// tools ask, each answered by one event.
//
// crm_node, crmadmin and crm_resource use it. It replaces lib/common/ipc_controld.c.
package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Service is the controller's socket.
const Service = "crmd"

// Conn is a connection to the controller. It is owned by one goroutine: one
// question at a time.
//
// Errors wrap an errno or are results (pcmk.RC); pcmk.RCError without detail.
type Conn struct {
	ipc     *crmipc.Conn
	program string
}

// Dial connects and introduces the program (ipc_controld.c: post_connect).
func Dial(ctx context.Context, program string) (*Conn, error) {
	ipc, err := crmipc.Dial(ctx, Service, crmipc.DialOptions{})
	if err != nil {
		return nil, err
	}
	hello := crmipc.NewRequest("hello", "", "", program, pid(), xmltree.New("options",
		xmltree.Attr{Name: "major_version", Value: "1"}, xmltree.Attr{Name: "minor_version", Value: "0"},
		xmltree.Attr{Name: "client_name", Value: program}, xmltree.Attr{Name: "client_uuid", Value: pid()}))
	hello.Unset("crm_sys_to")
	if err := ipc.Post(hello); err != nil {
		return nil, errors.Join(err, ipc.Close())
	}
	return &Conn{ipc, program}, nil
}

func pid() string { return strconv.Itoa(os.Getpid()) }

// Close ends the connection.
func (c *Conn) Close() error { return c.ipc.Close() }

// Request makes a question to the controller of a node, this one with an empty
// name; a ping without a name goes to the DC.
func (c *Conn) Request(task, node string, data *xmltree.Node) *xmltree.Node {
	to := Service
	if node == "" && task == "ping" {
		to = "dc"
	}
	return crmipc.NewRequest(task, node, to, c.program, pid(), data)
}

// Ask sends a request and returns the envelope of its answer, which may take
// until ctx ends: the DC may not be elected yet.
func (c *Conn) Ask(ctx context.Context, request *xmltree.Node) (*xmltree.Node, error) {
	if err := c.ipc.Post(request); err != nil {
		return nil, err
	}
	for {
		in, err := c.ipc.Next(ctx)
		if err != nil {
			return nil, err
		}
		// Answers carry the request's reference; what does not is news of the
		// daemon's own, or the answer to a question given up.
		if in.XML.Attr("reference") == request.Attr("reference") {
			return in.XML, nil
		}
	}
}

// Post sends a request without waiting for an answer.
func (c *Conn) Post(request *xmltree.Node) error { return c.ipc.Post(request) }

// NodeInfo is what a controller tells about a node.
type NodeInfo struct {
	ID         uint32 // 0: not told
	Name       string // empty: the node is not known
	UUID       string
	State      string
	HaveQuorum bool
	Remote     bool
}

// NodeInfo asks for a node by its id; 0 is this one.
func (c *Conn) NodeInfo(ctx context.Context, id uint32) (NodeInfo, error) {
	req := c.Request("node-info", "", nil)
	if id > 0 {
		req.Set("id", strconv.FormatUint(uint64(id), 10))
	}
	reply, err := c.Ask(ctx, req)
	if err != nil {
		return NodeInfo{}, err
	}
	d := crmipc.Data(reply)
	n, _ := strconv.ParseUint(d.Attr("id"), 10, 32) // a remote node's is no number
	return NodeInfo{uint32(n), d.Attr("uname"), d.Attr("uuid"), d.Attr("crmd"),
		pcmk.IsTrue(d.Attr("have-quorum")), pcmk.IsTrue(d.Attr("remote_node"))}, nil
}

// Node is one line of Nodes.
type Node struct {
	ID    uint32
	Name  string
	State string // member or lost
}

// Nodes asks for all cluster nodes that the controller knows.
func (c *Conn) Nodes(ctx context.Context) ([]Node, error) {
	reply, err := c.Ask(ctx, c.Request("list-nodes", "", nil))
	if err != nil {
		return nil, err
	}
	d := crmipc.Data(reply)
	if d == nil {
		return nil, fmt.Errorf("crmd/client: list-nodes: answer without nodes: %w", unix.EBADMSG)
	}
	var out []Node
	d.Each("node", func(n *xmltree.Node) {
		id, _ := strconv.ParseUint(n.Attr("id"), 10, 32)
		out = append(out, Node{uint32(id), n.Attr("uname"), n.Attr("in_ccm")})
	})
	return out, nil
}

// Ping is a controller's state.
type Ping struct {
	Host      string // who answered
	Subsystem string
	State     string // of the state machine, S_IDLE
	Result    string
}

// Ping asks a node's controller, or with an empty name the DC, for its state.
func (c *Conn) Ping(ctx context.Context, node string) (Ping, error) {
	reply, err := c.Ask(ctx, c.Request("ping", node, nil))
	if err != nil {
		return Ping{}, err
	}
	d := crmipc.Data(reply)
	return Ping{reply.Attr("src"), d.Attr("crm_subsystem"), d.Attr("crmd_state"), d.Attr("result")}, nil
}

// Code is the result within an error of this package.
func Code(err error) pcmk.RC {
	var rc pcmk.RC
	switch {
	case err == nil:
		return pcmk.OK
	case errors.As(err, &rc):
		return rc
	}
	return pcmk.RC(crmipc.ErrnoOf(err))
}
