package crmd

import (
	"strconv"

	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// openIPC opens the service "crmd" for clients.
func (c *Controller) openIPC() error {
	if c.ipc != nil {
		return nil
	}
	s, err := crmipc.Listen(crmipc.ServerOptions{Events: c.clientIn, Log: c.log.h}, "crmd")
	c.ipc = s
	return err
}

// closeIPC drops all clients. Its server may be waiting for the loop to take an
// event, so what comes meanwhile is taken and dropped.
func (c *Controller) closeIPC() {
	if c.ipc == nil {
		return
	}
	s := c.ipc
	c.ipc = nil
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	for {
		select {
		case <-c.clientIn:
		case <-closed:
			clear(c.clients)
			return
		}
	}
}

// fromClient takes what the IPC service tells (dispatch_controller_ipc).
func (c *Controller) fromClient(ev crmipc.Event) {
	switch ev.Kind {
	case crmipc.Connected:
		c.clients[ev.Client.ID] = ev.Client
	case crmipc.Disconnected:
		delete(c.clients, ev.Client.ID)
	case crmipc.Message:
		ev.Ack(pcmk.ExitIndeterminate)
		setUser(ev.XML, ev.Client)
		ev.XML.Set("crm_sys_from", ev.Client.ID)
		m, err := decodeMessage(ev.XML)
		if err != nil {
			c.log.warn("Received invalid message from client %s: %v", ev.Client.Label(), err)
			return
		}
		if m.task == "hello" {
			c.greet(ev.Client, m)
			return
		}
		c.route(m, fsa.CauseIPC)
	}
}

// greet checks who a client says it is (controld_authorize_ipc_message).
func (c *Controller) greet(client *crmipc.Client, m *message) {
	reject := func(why string) {
		c.log.warn("Rejected IPC hello from %s: %s | ref=%s uuid=%s", client.Label(), why, orNone(m.ref), client.ID)
		client.Close()
	}
	if m.data == nil || m.data.Attr("client_name") == "" {
		reject("No client name")
		return
	}
	for _, field := range []string{"major_version", "minor_version"} {
		if v, err := strconv.ParseInt(m.data.Attr(field), 10, 64); err != nil || v < 0 {
			reject("'" + m.data.Attr(field) + "' is not a valid protocol " + field)
			return
		}
	}
	client.Name = m.data.Attr("client_name")
	c.log.trace("Validated IPC hello from client %s", client.Name)
}

// setUser records whom a request is done for: root and hacluster may say so,
// everybody else is himself (acl.c: pcmk__update_acl_user).
func setUser(n *xmltree.Node, client *crmipc.Client) {
	user := n.Attr("acl_target")
	if user == "" {
		user = n.Attr("crm_user")
	}
	if user == "" || !client.Privileged {
		user = client.User
	}
	n.Set("acl_target", user)
	n.Set("crm_user", user)
}
