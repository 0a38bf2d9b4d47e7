package crmattribute

import (
	"context"

	"github.com/pacesync/pacesync/crmd/client"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// localNode asks the controller for this node's name (crm_attribute.c:
// get_node_name_from_controller).
func localNode(ctx context.Context, program string) (string, *stop) {
	ctx, cancel := context.WithTimeout(ctx, crmipc.DefaultTimeout)
	defer cancel()
	c, err := client.Dial(ctx, program)
	if err != nil {
		return "", failed(client.Code(err), "Could not connect to controller: %v", client.Code(err))
	}
	defer c.Close()
	info, err := c.NodeInfo(ctx, 0)
	if err != nil {
		return "", failed(client.Code(err), "Could not ping controller: %v", client.Code(err))
	}
	if info.Name == "" {
		return "", &stop{pcmk.ExitNoHost, "Node is not known to cluster"}
	}
	return info.Name, nil
}
