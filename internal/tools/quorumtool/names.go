package quorumtool

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/libc"
)

// nodeName is the name of a node as the nodelist has it, else what its first
// address resolves to; with -a all its addresses follow.
func (p *program) nodeName(ctx context.Context, node uint32) string {
	var b strings.Builder
	start := 0
	if !p.numeric {
		if name := p.listedName(ctx, node); name != "" {
			b.WriteString(name)
			start = 1
		}
	}
	addrs, err := p.cfg.NodeAddrs(ctx, node)
	if err != nil {
		p.complain("Unable to get node address for nodeid %d: %s", node, libipc.Strerror(err))
		return ""
	}
	if !p.allAddrs {
		addrs = addrs[:min(len(addrs), 1)]
	}
	for i := start; i < len(addrs); i++ {
		if !addrs[i].IsValid() {
			continue
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.resolve(ctx, addrs[i]))
	}
	return b.String()
}

// resolve is getnameinfo: the host name of an address, or its digits.
func (p *program) resolve(ctx context.Context, a netip.Addr) string {
	if !p.numeric {
		if names, err := net.DefaultResolver.LookupAddr(ctx, a.String()); err == nil && len(names) > 0 {
			return strings.TrimSuffix(names[0], ".")
		}
	}
	return a.String()
}

// maxName is where the original cuts a name from the nodelist
// (_POSIX_HOST_NAME_MAX with its NUL).
const maxName = 254

// listedName finds the name in the nodelist; empty when it has none.
func (p *program) listedName(ctx context.Context, node uint32) string {
	for item, err := range p.cmap.All(ctx, "nodelist.node.") {
		if err != nil {
			return ""
		}
		pos, rest, ok := libc.ScanUint(strings.TrimPrefix(item.Key, "nodelist.node."))
		if !ok || rest != ".nodeid" {
			continue
		}
		if id, err := p.cmap.GetUint32(ctx, fmt.Sprintf("nodelist.node.%d.nodeid", pos)); err != nil || id != node {
			continue
		}
		if name, err := p.cmap.GetString(ctx, fmt.Sprintf("nodelist.node.%d.name", pos)); err == nil {
			return name[:min(len(name), maxName)]
		}
	}
	return ""
}
