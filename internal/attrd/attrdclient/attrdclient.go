// Package attrdclient is how tools ask the attribute manager for something: one
// request, one answer, no loop.
//
// attrd_updater, crm_attribute and other tools call it. It replaces the request
// functions of lib/common/ipc_attrd.c.
package attrdclient

import (
	"context"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/attrd/wire"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// Service is the attribute manager's socket.
const Service = "attrd"

// Send makes a request that changes something. It is done once the attribute
// manager has taken it, which is before it has any effect.
func Send(ctx context.Context, program string, m wire.Message) error {
	c, err := crmipc.Dial(ctx, Service, crmipc.DialOptions{})
	if err != nil {
		return rc(err)
	}
	defer c.Close()
	m.Root, m.Source = "create_attrd_op", program
	doc := wire.Request(m)
	if m.Task == wire.PeerRemove { // the one that the original does not wait for
		return rc(c.Post(doc))
	}
	_, err = c.Call(ctx, doc)
	return rc(err)
}

// Query returns the values of an attribute, of one node or with an empty host of all.
func Query(ctx context.Context, program, name, host string) (wire.Answer, error) {
	c, err := crmipc.Dial(ctx, Service, crmipc.DialOptions{})
	if err != nil {
		return wire.Answer{}, &ConnectError{rc(err)}
	}
	defer c.Close()
	doc := wire.Request(wire.Message{Root: "create_attrd_op", Source: program, Value: wire.Value{Task: wire.Query, Name: name, Host: host}})
	reply, err := c.Call(ctx, doc)
	if err != nil {
		return wire.Answer{}, rc(err)
	}
	return wire.DecodeAnswer(reply)
}

// ConnectError says that there is no attribute manager to be reached.
type ConnectError struct{ Why error }

func (e *ConnectError) Error() string { return "Could not connect to attrd: " + e.Why.Error() }

// Unwrap returns the reason.
func (e *ConnectError) Unwrap() error { return e.Why }

// rc makes a pcmk.RC of an error of the connection.
func rc(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return pcmk.RC(unix.ETIMEDOUT)
	}
	return pcmk.RC(crmipc.ErrnoOf(err))
}

// Target is the node that an agent's environment names for an attribute when the
// caller named none, or auto or localhost; else name itself (attrs.c:
// pcmk__node_attr_target).
func Target(name string) string {
	if name != "" && !strings.EqualFold(name, "auto") && !strings.EqualFold(name, "localhost") {
		return name
	}
	physical, onHost := os.LookupEnv("CRM_meta_physical_host")
	if onHost && strings.EqualFold(os.Getenv("CRM_meta_container_attribute_target"), "host") {
		return physical
	}
	if node, ok := os.LookupEnv("OCF_RESKEY_CRM_meta_on_node"); ok {
		return node
	}
	return name
}
