package cmapctl

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/cmap/cmapclient"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/libc"
)

// printItem fetches and prints a key of known type. A binary value is fetched
// only to be shown. Failures are reported and do not end the program.
func (p *program) printItem(ctx context.Context, item cmapclient.Item) {
	v := cmap.Value{Type: item.Type}
	if item.Type != cmap.Binary || p.showBinary {
		err := libipc.Retry(ctx, tryAgain+1, time.Second, func() (err error) {
			v, err = p.client.Get(ctx, item.Key)
			return err
		})
		if err == nil && v.Type != item.Type {
			err = service.ErrInvalidParam // it changed in between
		}
		if err != nil {
			p.complain("Can't get value of %s. Error %s", item.Key, libipc.Strerror(err))
			return
		}
	}
	p.printValue(item.Key, v)
}

// printValue prints one line: "key (type) = value", or the value alone.
func (p *program) printValue(key string, v cmap.Value) {
	if !p.quiet {
		fmt.Fprintf(p.out, "%s (", key)
	}
	switch {
	case v.Type == cmap.Binary:
		fmt.Fprint(p.out, "bin)")
		if p.showBinary {
			fmt.Fprintf(p.out, " = %s", libc.Escape([]byte(v.Raw)))
		}
	case v.Type < cmap.Int8 || v.Type > cmap.Binary: // nothing, as in the original
	case p.quiet:
		fmt.Fprint(p.out, text(v))
	default:
		fmt.Fprintf(p.out, "%s) = %s", v.Type, text(v))
	}
	fmt.Fprint(p.out, "\n")
}

// text renders a value as printf does.
func text(v cmap.Value) string {
	if len(v.Raw) < v.Type.Size() { // no daemon sends that
		return ""
	}
	switch v.Type {
	case cmap.Float:
		return libc.FormatFloat(float64(math.Float32frombits(uint32(bits(v.Raw)))))
	case cmap.Double:
		return libc.FormatFloat(math.Float64frombits(bits(v.Raw)))
	case cmap.String:
		s, _, _ := strings.Cut(v.Raw, "\x00")
		return s
	}
	return v.String()
}

func bits(raw string) uint64 {
	var n uint64
	for i := len(raw) - 1; i >= 0; i-- {
		n = n<<8 | uint64(raw[i])
	}
	return n
}
