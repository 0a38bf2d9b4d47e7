package daemon

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strconv"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// requestHeader is the size of libqb's request header {id i32, size i32}, each
// padded to 8 bytes, that every exec message and library request begins with.
const requestHeader = 16

// registry is the loaded service engines and the counters of their messages
// (exec/service.c).
type registry struct {
	byID  [8]*service.Engine
	order []*service.Engine // as loaded
	tx    [8][]cmap.Counter
	rx    [8][]cmap.Counter
}

// load starts an engine and makes it known in cmap.
func (r *registry) load(m *cmap.Map, e *service.Engine) error {
	r.byID[e.ID] = e
	if e.Start != nil {
		if err := e.Start(); err != nil {
			return err
		}
	}
	r.order = append(r.order, e)
	id := strconv.Itoa(int(e.ID))
	values := []struct {
		key string
		val cmap.Value
	}{
		{"internal_configuration.service." + id + ".name", cmap.Str(e.Name)},
		{"internal_configuration.service." + id + ".ver", cmap.U32(0)},
		{"runtime.services." + e.Short + ".service_id", cmap.U16(uint16(e.ID))},
	}
	for _, v := range values {
		if err := m.Set(v.key, v.val); err != nil {
			return fmt.Errorf("%s: %w", v.key, err)
		}
	}
	for fn := range e.Exec {
		prefix := "runtime.services." + e.Short + "." + strconv.Itoa(fn)
		r.tx[e.ID] = append(r.tx[e.ID], m.Counter(prefix+".tx"))
		r.rx[e.ID] = append(r.rx[e.ID], m.Counter(prefix+".rx"))
	}
	return nil
}

// unloadOrder is highest priority first, then by service number.
func (r *registry) unloadOrder() []*service.Engine {
	out := slices.Clone(r.order)
	slices.SortStableFunc(out, func(a, b *service.Engine) int {
		if a.Priority != b.Priority {
			return b.Priority - a.Priority
		}
		return int(a.ID) - int(b.ID)
	})
	return out
}

// sent counts an outgoing message by its header.
func (r *registry) sent(hdr []byte) {
	id := binary.NativeEndian.Uint32(hdr)
	svc, fn := id>>16, id&0xffff
	if svc < uint32(len(r.tx)) && fn < uint32(len(r.tx[svc])) {
		r.tx[svc][fn].Inc()
	}
}

// deliver hands an exec message to its engine. The error says why a message was
// dropped; one for a service that is not loaded is dropped silently, as upstream does.
func (r *registry) deliver(from uint32, msg []byte, swapped bool) error {
	if len(msg) < requestHeader {
		return fmt.Errorf("discarded message of %d bytes from node %d: shorter than its header", len(msg), from)
	}
	id := binary.NativeEndian.Uint32(msg)
	if swapped {
		id = bits.ReverseBytes32(id)
	}
	svc, fn := id>>16, int(id&0xffff)
	if svc >= uint32(len(r.byID)) || r.byID[svc] == nil {
		return nil
	}
	e := r.byID[svc]
	if fn >= len(e.Exec) {
		return fmt.Errorf("discarded unknown message %d for service %d (max id %d)", fn, svc, len(e.Exec))
	}
	r.rx[svc][fn].Inc()
	f := &e.Exec[fn]
	if len(msg) < f.MinSize {
		return fmt.Errorf("discarded message %d for service %d from node %d: %d bytes, at least %d are needed", fn, svc, from, len(msg), f.MinSize)
	}
	f.Deliver(from, msg, swapped)
	return nil
}
