package mon

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
)

// fake measures what the test says.
type fake struct {
	memory int32
	load   float64
	err    error
}

func (f *fake) MemoryUsed() (int32, error) { return f.memory, f.err }
func (f *fake) Load() (float64, error)     { return f.load, f.err }

// bench is a service with all that it touches.
type bench struct {
	t    *testing.T
	host *servicetest.Host
	keys *cmap.Map
	src  *fake
	log  []string
}

func start(t *testing.T, set map[string]cmap.Value) *bench {
	b := &bench{t: t, host: servicetest.NewHost(1), keys: cmap.NewMap(), src: &fake{memory: 40, load: 0.5}}
	for k, v := range set {
		b.set(k, v)
	}
	s := New(b.host, Options{
		Map: b.keys, Source: b.src,
		Log:       func(l service.Level, text string) { b.log = append(b.log, fmt.Sprintf("%d %s", l, text)) },
		Monotonic: func() uint64 { return uint64(b.host.Clock.UnixNano()) },
	})
	if err := s.Engine().Start(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) set(key string, v cmap.Value) {
	b.t.Helper()
	if err := b.keys.Set("resources.system."+key, v); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) want(key string, v cmap.Value) {
	b.t.Helper()
	if got, _ := b.keys.Get("resources.system." + key); got != v {
		b.t.Errorf("%s is %v (%v), want %v (%v)", key, got, got.Type, v, v.Type)
	}
}

// told checks and forgets the log.
func (b *bench) told(want ...string) {
	b.t.Helper()
	if !slices.Equal(b.log, want) {
		b.t.Errorf("log:\n%q\nwant:\n%q", b.log, want)
	}
	b.log = nil
}

// TestUnconfigured: without a limit there are keys, and nothing is measured
// (as on the original: resources.system.* after the start).
func TestUnconfigured(t *testing.T) {
	b := start(t, nil)
	b.want("memory_used.current", cmap.I32(0))
	b.want("load_15min.current", cmap.F64(0))
	for _, name := range []string{"memory_used.", "load_15min."} {
		b.want(name+"last_updated", cmap.U64(0))
		b.want(name+"state", cmap.Str("stopped"))
		b.want(name+"poll_period", cmap.U64(3000))
	}
	b.host.Advance(time.Hour)
	b.told()
	if b.host.Pending() != 0 {
		t.Error("a timer runs")
	}
}

// TestLimit: a limit starts measuring; a value over it fails the resource, which
// stays failed until the configuration changes.
func TestLimit(t *testing.T) {
	b := start(t, map[string]cmap.Value{"memory_used.max": cmap.Str("50")})
	b.told(`6 Fsm:memory_used event "config_changed", state "stopped" --> "running"`)
	b.want("memory_used.state", cmap.Str("running"))
	b.want("memory_used.current", cmap.U32(40))
	b.want("memory_used.last_updated", cmap.U64(uint64(b.host.Clock.UnixNano())))
	b.want("load_15min.state", cmap.Str("stopped"))

	b.src.memory = 51
	b.host.Advance(2999 * time.Millisecond)
	b.want("memory_used.current", cmap.U32(40))
	b.host.Advance(time.Millisecond)
	b.want("memory_used.current", cmap.U32(51))
	b.want("memory_used.state", cmap.Str("failed"))
	b.told(`6 Fsm:memory_used event "failure", state "running" --> "failed"`)

	b.src.memory = 10
	b.host.Advance(3 * time.Second)
	b.want("memory_used.current", cmap.U32(10))
	b.want("memory_used.state", cmap.Str("failed"))
	b.told()

	b.set("memory_used.max", cmap.Str("60"))
	b.want("memory_used.state", cmap.Str("running"))
	b.told(`6 Fsm:memory_used event "config_changed", state "failed" --> "running"`)
}

// TestLoad: the load is a double, and so is its limit.
func TestLoad(t *testing.T) {
	b := start(t, map[string]cmap.Value{"load_15min.max": cmap.Str("0.4")})
	b.want("load_15min.current", cmap.F64(0.5))
	b.want("load_15min.state", cmap.Str("failed"))
	b.told(`6 Fsm:load_15min event "config_changed", state "stopped" --> "running"`,
		`6 Fsm:load_15min event "failure", state "running" --> "failed"`)
}

// TestPeriod: u64 as from the file, a string, out of range, no number.
func TestPeriod(t *testing.T) {
	b := start(t, map[string]cmap.Value{"memory_used.max": cmap.Str("50"), "memory_used.poll_period": cmap.U64(1000)})
	b.told(`7 poll_period changing from:3000 to 1000.`, `6 Fsm:memory_used event "config_changed", state "stopped" --> "running"`)
	period := func(want time.Duration) {
		t.Helper()
		b.src.memory++
		b.host.Advance(want - time.Millisecond)
		b.want("memory_used.current", cmap.U32(uint32(b.src.memory-1)))
		b.host.Advance(time.Millisecond)
		b.want("memory_used.current", cmap.U32(uint32(b.src.memory)))
	}
	period(time.Second)
	b.set("memory_used.poll_period", cmap.Str(" 2000 ms"))
	b.told(`7 poll_period changing from:1000 to 2000.`)
	period(2 * time.Second)
	b.set("memory_used.poll_period", cmap.U64(499))
	b.told(`4 Could NOT use poll_period:499 ms for resource memory_used`)
	b.set("memory_used.poll_period", cmap.Str("-1"))
	b.told(`4 Could NOT use poll_period:18446744073709551615 ms for resource memory_used`)
	b.set("memory_used.poll_period", cmap.Str("soon"))
	b.told(`4 Could NOT use poll_period: soon (not uint64 type) for resource memory_used`)
	period(2 * time.Second)
}

// TestKeysChange: a limit that is set, changed to nonsense and deleted while the
// daemon runs, and keys that go.
func TestKeysChange(t *testing.T) {
	b := start(t, nil)
	b.set("memory_used.max", cmap.Str("50"))
	b.told(`6 Fsm:memory_used event "config_changed", state "stopped" --> "running"`)
	b.set("memory_used.max", cmap.Str("much"))
	b.told(`6 Fsm:memory_used event "config_changed", state "running" --> "stopped"`)
	if b.host.Pending() != 0 {
		t.Error("it still measures")
	}
	b.set("memory_used.max", cmap.Str("50"))
	b.log = nil
	if err := b.keys.Delete("resources.system.memory_used.max"); err != nil {
		t.Fatal(err)
	}
	b.told(`4 resource "memory_used" deleted from cmap!`, `6 Fsm:memory_used event "config_changed", state "running" --> "stopped"`)
	b.want("memory_used.state", cmap.Str("stopped"))
}

// TestNoMeasure: an error is told, and the next try comes in time.
func TestNoMeasure(t *testing.T) {
	b := start(t, map[string]cmap.Value{"memory_used.max": cmap.Str("50")})
	b.log = nil
	b.src.err = errors.New("gone")
	b.host.Advance(3 * time.Second)
	b.told(`3 Unable to get memory stats: gone`)
	b.want("memory_used.current", cmap.U32(40))
	b.src.err, b.src.memory = nil, 41
	b.host.Advance(3 * time.Second)
	b.want("memory_used.current", cmap.U32(41))
}
