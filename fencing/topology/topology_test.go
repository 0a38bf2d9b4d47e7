package topology

import (
	"slices"
	"testing"

	"github.com/pacesync/pacesync/fencing/wire"
)

func level(kind wire.TargetKind, target string, index int, devices ...string) *wire.Level {
	return &wire.Level{ID: "x", Index: index, Kind: kind, Target: target, Value: "7", Devices: devices}
}

// TestFind: a name goes before patterns and attributes; of those the first
// registered counts.
func TestFind(t *testing.T) {
	var tb Table
	tb.Attribute = func(node, name, value string) bool { return node == "n9" && name == "rack" && value == "7" }
	for _, l := range []*wire.Level{
		level(wire.ByPattern, "^n[0-9]$", 1, "pattern"), level(wire.ByAttribute, "rack", 1, "attribute"),
		level(wire.ByName, "n1", 1, "name"), level(wire.ByName, "n1", 1, "more"), level(wire.ByPattern, "m[", 1, "never"),
	} {
		if r := tb.Register(l); !r.OK() {
			t.Fatal(r)
		}
	}
	for node, want := range map[string][]string{"n1": {"name", "more"}, "N1": {"name", "more"}, "n2": {"pattern"}, "n9": {"pattern"}, "m[": {"never"}, "x": nil} {
		var got []string
		if e := tb.Find(node); e != nil {
			got = e.Levels[1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", node, got, want)
		}
	}
	tb.Unregister(level(wire.ByPattern, "^n[0-9]$", 0))
	if e := tb.Find("n9"); e == nil || e.Levels[1][0] != "attribute" {
		t.Errorf("%+v", e)
	}
	tb.Unregister(level(wire.ByName, "n1", 1))
	if e := tb.Find("n1"); e == nil || e.Count() != 0 {
		t.Errorf("%+v", e)
	}
}

func TestRefused(t *testing.T) {
	tb := Table{NoAttributes: true}
	for _, l := range []*wire.Level{
		nil, level(wire.ByName, "n1", 0), level(wire.ByName, "n1", 10), level(wire.NoTarget, "", 1), level(wire.ByAttribute, "rack", 1),
		{Index: 1, Kind: wire.ByName, Target: "n1"},
	} {
		if r := tb.Register(l); r.OK() || r.Reason == "" {
			t.Errorf("%+v: %+v", l, r)
		}
	}
	if r := tb.Unregister(level(wire.ByName, "n1", 10)); r.OK() {
		t.Error(r)
	}
	if tb.Len() != 0 {
		t.Error(tb.Len())
	}
}
