package notifyd

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"
)

// The states of programs and links.
const (
	connected    = "connected"
	disconnected = "disconnected"
	operational  = "operational"
)

// number reads a decimal number of 32 bits.
func number(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

// parseMember reads runtime.members.ID.status.
func parseMember(key string) (id uint32, ok bool) {
	text, ok := strings.CutPrefix(key, "runtime.members.")
	if !ok {
		return 0, false
	}
	text, ok = strings.CutSuffix(text, ".status")
	if !ok {
		return 0, false
	}
	return number(text)
}

// parseAddr takes the last address out of "r(0) ip(10.0.0.1) r(1) ip(10.0.1.1) ".
func parseAddr(s string) (string, bool) {
	addr, _, ok := strings.Cut(s[strings.LastIndexByte(s, '(')+1:], ")")
	return addr, ok
}

// parseClient makes POINTER.PID of stats.ipcs.serviceN.PID.POINTER.procname.
func parseClient(key string) (string, bool) {
	f := strings.Split(key, ".")
	if len(f) != 6 || f[0] != "stats" || f[1] != "ipcs" || !strings.HasPrefix(f[2], "service") || f[5] != "procname" {
		return "", false
	}
	if _, ok := number(f[3]); !ok {
		return "", false
	}
	return f[4] + "." + f[3], true
}

// parseLink reads stats.knet.nodeID.linkN.connected.
func parseLink(key string) (l link, ok bool) {
	f := strings.Split(key, ".")
	if len(f) != 5 || f[0] != "stats" || f[1] != "knet" || f[4] != "connected" ||
		!strings.HasPrefix(f[2], "node") || !strings.HasPrefix(f[3], "link") {
		return link{}, false
	}
	node, okNode := number(strings.TrimPrefix(f[2], "node"))
	n, okLink := number(strings.TrimPrefix(f[3], "link"))
	if !okNode || !okLink {
		return link{}, false
	}
	return link{node: node, number: n}, true
}

// nameLimit bounds the wait for a name server; the events behind wait as well.
const nameLimit = 10 * time.Second

// nameOf is the host name of an address, or the address (getnameinfo(3)).
func (w *watcher) nameOf(ctx context.Context, addr string) string {
	ctx, cancel := context.WithTimeout(ctx, nameLimit)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, addr)
	if err == nil && len(names) > 0 {
		return strings.TrimSuffix(names[0], ".")
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && !dns.IsNotFound {
		w.log.error("error looking up %s : Temporary failure in name resolution", addr)
	}
	return addr
}
