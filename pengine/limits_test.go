package pengine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/cibstory"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/simulate"
)

// patience is what the engine gets for each of the CIBs here, which take it far less
// than a second as a rule.
const patience = time.Minute

// decides lets the engine decide on a CIB and carry it out, and fails when it does not
// come to an end.
func decides(t *testing.T, cib *xmltree.Node) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		drop := func([]byte) error { return nil }
		_, err := simulate.Run(simulate.Options{CIB: cib, Clock: iso8601.Time{Unix: 1700000000}, Process: true, Execute: true,
			Scores: true, SaveGraph: drop, SaveDot: drop})
		done <- err
	}()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-limit.C:
		t.Errorf("no answer after %v", patience)
	}
}

func dummy(id string, inside ...string) string {
	return `<primitive id="` + id + `" class="ocf" provider="pacemaker" type="Dummy">` + strings.Join(inside, "") + `</primitive>`
}

// dummies are so many resources a0, a1, …
func dummies(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(dummy(fmt.Sprint("a", i)))
	}
	return b.String()
}

const unchecked = `<cib validate-with="none"/>`

func TestSelfReferences(t *testing.T) {
	for name, snippet := range map[string]string{
		"order":              dummy("a") + `<rsc_order id="o" first="a" then="a"/>`,
		"order of member":    `<group id="g">` + dummy("a") + dummy("b") + `</group><rsc_order id="o" first="g" then="a"/><rsc_order id="p" first="b" then="g"/>`,
		"order of instances": `<clone id="c">` + dummy("a") + `</clone><rsc_order id="o" first="a:0" then="a:1"/><rsc_order id="p" first="c" then="c"/>`,
		"colocation":         dummy("a") + `<rsc_colocation id="c" rsc="a" with-rsc="a" score="-INFINITY"/>`,
		"colocated member":   `<group id="g">` + dummy("a") + dummy("b") + `</group><rsc_colocation id="c" rsc="g" with-rsc="a" score="INFINITY"/>`,
		"colocated clone":    `<clone id="c">` + dummy("a") + `</clone><rsc_colocation id="k" rsc="c" with-rsc="c" score="INFINITY"/>`,
		"set":                dummy("a") + `<rsc_order id="o"><resource_set id="s"><resource_ref id="a"/><resource_ref id="a"/></resource_set></rsc_order>`,
		"set by reference":   dummy("a") + `<rsc_order id="o"><resource_set id="s" id-ref="s"><resource_ref id="a"/></resource_set></rsc_order>`,
		"tag":                dummy("a") + `<tags><tag id="t"><obj_ref id="t"/><obj_ref id="a"/></tag></tags><rsc_location id="l" rsc="t" node="n1" score="1"/>`,
		"tags":               dummy("a") + `<tags><tag id="t"><obj_ref id="u"/></tag><tag id="u"><obj_ref id="t"/></tag></tags><rsc_order id="o"><resource_set id="s"><resource_ref id="t"/></resource_set></rsc_order>`,
		"template":           `<template id="t" template="t"/>` + `<primitive id="a" template="a"/><primitive id="b" template="t"/>`,
		"container":          dummy("a", `<meta_attributes><nvpair name="container" value="a"/></meta_attributes>`),
		"containers":         dummy("a", `<meta_attributes><nvpair name="container" value="b"/></meta_attributes>`) + dummy("b", `<meta_attributes><nvpair name="container" value="a"/></meta_attributes>`),
		"remote node":        dummy("a", `<meta_attributes><nvpair name="remote-node" value="a"/></meta_attributes>`),
		"remote nodes":       dummy("a", `<meta_attributes><nvpair name="remote-node" value="b"/></meta_attributes>`) + dummy("b", `<meta_attributes><nvpair name="remote-node" value="a"/></meta_attributes>`),
		"rule":               dummy("a") + `<rsc_location id="l" rsc="a"><rule id="r" id-ref="r" score="1"/></rsc_location>`,
		"attributes":         dummy("a", `<meta_attributes id="m" id-ref="m"/>`),
		"operations":         dummy("a", `<operations id="o" id-ref="o"/>`),
	} {
		t.Run(name, func(t *testing.T) { decides(t, cibstory.Make(t, unchecked+snippet)) })
	}
}

// TestLoops has orders and colocations in rings, small and large, and all with all.
func TestLoops(t *testing.T) {
	for _, n := range []int{2, 3, 40, 400} {
		t.Run(fmt.Sprint("ring of ", n), func(t *testing.T) {
			b := strings.Builder{}
			for i := range n {
				next := (i + 1) % n
				fmt.Fprintf(&b, `<rsc_order id="o%d" first="a%d" then="a%d"/><rsc_colocation id="c%d" rsc="a%d" with-rsc="a%d" score="INFINITY"/>`, i, i, next, i, i, next)
			}
			decides(t, cibstory.Make(t, dummies(n)+b.String()))
		})
	}
	t.Run("all with all", func(t *testing.T) {
		b := strings.Builder{}
		for i := range 25 {
			for j := range 25 {
				if i != j {
					fmt.Fprintf(&b, `<rsc_order id="o%d-%d" first="a%d" then="a%d"/><rsc_colocation id="c%d-%d" rsc="a%d" with-rsc="a%d" score="%d"/>`, i, j, i, j, i, j, i, j, i-j)
				}
			}
		}
		decides(t, cibstory.Make(t, dummies(25)+b.String()))
	})
	t.Run("clones", func(t *testing.T) {
		b := strings.Builder{}
		for i := range 12 {
			fmt.Fprintf(&b, `<clone id="c%d"><meta_attributes><nvpair name="interleave" value="true"/><nvpair name="promotable" value="true"/></meta_attributes>`+
				`<primitive id="p%d" class="ocf" provider="pacemaker" type="Stateful"/></clone>`, i, i)
			fmt.Fprintf(&b, `<rsc_order id="o%d" first="c%d" first-action="promote" then="c%d" then-action="promote"/>`, i, i, (i+1)%12)
			fmt.Fprintf(&b, `<rsc_colocation id="k%d" rsc="c%d" rsc-role="Promoted" with-rsc="c%d" with-rsc-role="Promoted" score="INFINITY"/>`, i, i, (i+1)%12)
		}
		decides(t, cibstory.Make(t, b.String()))
	})
}

// TestHugeNumbers: what is said in a few characters does not take more than its share
// of memory and time.
func TestHugeNumbers(t *testing.T) {
	for _, n := range []string{"2147483648", "99999999999999999999", "-2147483649", "1e9"} {
		meta := func(name string) string {
			return `<meta_attributes><nvpair name="` + name + `" value="` + n + `"/></meta_attributes>`
		}
		for name, snippet := range map[string]string{
			"clone-max":           `<clone id="c">` + meta("clone-max") + dummy("a") + `</clone>`,
			"clone-node-max":      `<clone id="c">` + meta("clone-node-max") + dummy("a") + `</clone>`,
			"promoted-max":        `<clone id="c"><meta_attributes><nvpair name="promotable" value="true"/><nvpair name="promoted-max" value="` + n + `"/></meta_attributes><primitive id="a" class="ocf" provider="pacemaker" type="Stateful"/></clone>`,
			"replicas":            `<bundle id="b"><podman image="i" replicas="` + n + `"/><network ip-range-start="10.0.0.1"/>` + dummy("a") + `</bundle>`,
			"replicas-per-host":   `<bundle id="b"><podman image="i" replicas="2" replicas-per-host="` + n + `"/><network ip-range-start="10.0.0.1"/>` + dummy("a") + `</bundle>`,
			"priority":            dummy("a", meta("priority")),
			"stickiness":          dummy("a", meta("resource-stickiness")) + `<did node="n1" rsc="a" op="start"/>`,
			"migration-threshold": dummy("a", meta("migration-threshold")),
			"failure-timeout":     dummy("a", meta("failure-timeout")) + `<did node="n1" rsc="a" op="start" rc="1"/>`,
			"interval":            dummy("a", `<operations><op name="monitor" interval="`+n+`" timeout="`+n+`"/></operations>`),
			"score":               dummy("a") + `<rsc_location id="l" rsc="a" node="n1" score="` + n + `"/>`,
			"utilization":         `<nvpair name="placement-strategy" value="balanced"/>` + dummy("a", `<utilization><nvpair name="cpu" value="`+n+`"/></utilization>`),
			"call-id":             dummy("a") + `<did node="n1" rsc="a" op="start" call-id="` + n + `" last-rc-change="` + n + `" exec-time="` + n + `"/>`,
			"options": `<nvpair name="batch-limit" value="` + n + `"/><nvpair name="migration-limit" value="` + n + `"/><nvpair name="cluster-delay" value="` + n + `"/>` +
				`<nvpair name="priority-fencing-delay" value="` + n + `"/>` + dummy("a"),
		} {
			if testing.Short() && name == "clone-max" {
				continue // 4,000 instances under the race detector
			}
			t.Run(name+" "+n, func(t *testing.T) { decides(t, cibstory.Make(t, unchecked+snippet)) })
		}
	}
}

// TestDeep nests what can be nested, deeper than any configuration.
func TestDeep(t *testing.T) {
	nest := func(n int, open, inner, end string) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	tags := strings.Builder{}
	for i := range 60 { // two references each: 2 to the power of 60 members
		fmt.Fprintf(&tags, `<tag id="t%d"><obj_ref id="t%d"/><obj_ref id="t%d"/></tag>`, i, i+1, i+1)
	}
	for name, snippet := range map[string]string{
		"rules":  dummy("a") + `<rsc_location id="l" rsc="a"><rule id="r" score="1">` + nest(150, `<rule id="r">`, `<expression id="e" attribute="#uname" operation="defined"/>`, `</rule>`) + `</rule></rsc_location>`,
		"groups": nest(150, `<group id="g">`, dummy("a"), `</group>`),
		"clones": nest(150, `<clone id="g">`, dummy("a"), `</clone>`),
		"tags":   dummy("a") + `<tags>` + tags.String() + `</tags><rsc_order id="o"><resource_set id="s"><resource_ref id="t0"/></resource_set></rsc_order>`,
	} {
		t.Run(name, func(t *testing.T) { decides(t, cibstory.Make(t, unchecked+snippet)) })
	}
}

// TestWide has much of one thing.
func TestWide(t *testing.T) {
	repeat := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, strings.ReplaceAll(format, "#", "%[1]d"), i)
		}
		return b.String()
	}
	for name, snippet := range map[string]string{
		"resources":  dummies(1500),
		"members":    `<group id="g">` + dummies(300) + `</group>`,
		"locations":  dummy("a") + repeat(5000, `<rsc_location id="l#" rsc="a" node="n1" score="#"/>`),
		"orders":     dummies(2) + repeat(3000, `<rsc_order id="o#" first="a0" then="a1"/>`),
		"colocation": dummies(2) + repeat(3000, `<rsc_colocation id="c#" rsc="a0" with-rsc="a1" score="#"/>`),
		"operations": dummy("a", `<operations>`+repeat(1000, `<op name="monitor" interval="#0s"/>`)+`</operations>`),
		"attributes": dummy("a", `<meta_attributes>`+repeat(5000, `<nvpair name="n#" value="#"/>`)+`</meta_attributes>`),
		"history":    dummy("a") + repeat(2000, `<did node="n1" rsc="a" op="monitor" ms="#000" rc="1"/>`),
		"nodes":      repeat(150, `<node id="#" uname="n#"/>`) + `<clone id="c">` + dummy("a") + `</clone>`,
		"tickets":    dummy("a") + repeat(2000, `<rsc_ticket id="t#" rsc="a" ticket="T#"/>`),
	} {
		t.Run(name, func(t *testing.T) { decides(t, cibstory.Make(t, snippet)) })
	}
}
