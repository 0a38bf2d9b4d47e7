package crmattribute

import (
	"context"

	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// localNode asks the controller for this node's name (crm_attribute.c:
// get_node_name_from_controller).
func localNode(ctx context.Context, program string) (string, *stop) {
	ctx, cancel := context.WithTimeout(ctx, crmipc.DefaultTimeout)
	defer cancel()
	c, err := crmipc.Dial(ctx, "crmd", crmipc.DialOptions{})
	if err != nil {
		return "", failed(session.AsRC(err), "Could not connect to controller: %v", session.RC(session.AsRC(err)))
	}
	defer c.Close()
	hello := crmipc.NewRequest("hello", "", "", program, pid(), xmltree.New("options",
		xmltree.Attr{Name: "major_version", Value: "1"}, xmltree.Attr{Name: "minor_version", Value: "0"},
		xmltree.Attr{Name: "client_name", Value: program}, xmltree.Attr{Name: "client_uuid", Value: pid()}))
	hello.Unset("crm_sys_to")
	if err := c.Post(hello); err != nil {
		return "", failed(session.AsRC(err), "Could not connect to controller: %v", session.RC(session.AsRC(err)))
	}
	if _, err := c.Call(ctx, crmipc.NewRequest("node-info", "", "crmd", program, pid(), nil)); err != nil {
		return "", failed(session.AsRC(err), "Could not ping controller: %v", session.RC(session.AsRC(err)))
	}
	for { // the acknowledgement came; the answer is an event
		in, err := c.Next(ctx)
		if err != nil {
			return "", failed(session.AsRC(err), "Could not ping controller: %v", session.RC(session.AsRC(err)))
		}
		if in.XML.Attr("crm_task") != "node-info" {
			continue
		}
		if name := crmipc.Data(in.XML).Attr("uname"); name != "" {
			return name, nil
		}
		return "", &stop{pcmk.ExitNoHost, "Node is not known to cluster"}
	}
}
