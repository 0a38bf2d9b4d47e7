package resource

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

func machine() (*Machine, *[]string) {
	var log []string
	m := &Machine{Name: "x", Log: func(l service.Level, text string) { log = append(log, fmt.Sprintf("%d %s", l, text)) }}
	return m, &log
}

// TestPeriod: types and limits of the key.
func TestPeriod(t *testing.T) {
	for _, c := range []struct {
		v   cmap.Value
		ms  uint64
		ok  bool
		log string
	}{
		{cmap.Value{}, 0, false, ""},
		{cmap.U64(500), 500, true, ""},
		{cmap.U64(120000), 120000, true, ""},
		{cmap.U64(120001), 0, false, "4 Could NOT use poll_period:120001 ms for resource x"},
		{cmap.Str("+700 and more"), 700, true, ""},
		{cmap.Str("0.7"), 0, false, "4 Could NOT use poll_period:0 ms for resource x"},
		{cmap.Str("never"), 0, false, "4 Could NOT use poll_period: never (not uint64 type) for resource x"},
		{cmap.F64(700), 0, false, ""},
	} {
		m, log := machine()
		keys := cmap.NewMap()
		if c.v.Type != cmap.NoValue {
			if err := keys.Set("r.x.poll_period", c.v); err != nil {
				t.Fatal(err)
			}
		}
		ms, ok := m.Period(keys, "r.x.")
		var want []string
		if c.log != "" {
			want = []string{c.log}
		}
		if ms != c.ms || ok != c.ok || !slices.Equal(*log, want) {
			t.Errorf("%v: %d %v %q", c.v, ms, ok, *log)
		}
	}
}

// TestSet: a change is told, staying is not.
func TestSet(t *testing.T) {
	m, log := machine()
	if m.Set(ConfigChanged, Stopped) || !m.Set(ConfigChanged, Running) || !m.Set(Failure, Failed) || m.State() != Failed {
		t.Error(m.State())
	}
	want := []string{`6 Fsm:x event "config_changed", state "stopped" --> "running"`, `6 Fsm:x event "failure", state "running" --> "failed"`}
	if !slices.Equal(*log, want) {
		t.Errorf("%q", *log)
	}
}
