package join

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestStories runs rounds of joining: members sets the membership, offer-all,
// offer-missing and offer-one make offers, request and confirm come from nodes,
// check asks how the round stands.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		l := NewLeader("n1", "3.16.1")
		var m Members
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return round(t, l, &m, d)
		})
	})
}

func round(t *testing.T, l *Leader, m *Members, d *datadriven.TestData) string {
	var b strings.Builder
	offer := func(o Offer) {
		for _, s := range o.Skipped {
			fmt.Fprintln(&b, s)
		}
		for _, s := range o.Down {
			fmt.Fprintln(&b, "expected down:", s)
		}
		fmt.Fprintln(&b, "offer to:", strings.Join(o.To, " "))
	}
	verdict := func(v Verdict) {
		fmt.Fprintf(&b, "accepted=%v ignored=%v", v.Accepted, v.Ignored)
		if v.Reason != "" {
			fmt.Fprintf(&b, ": %s", v.Reason)
		}
		b.WriteString("\n")
	}
	switch d.Cmd {
	case "members":
		m.Peers = nil
		d.ScanArgs(t, "seq", &m.Seq)
		for _, f := range strings.Fields(d.Input) {
			name, state, _ := strings.Cut(f, ":")
			m.Peers = append(m.Peers, Peer{Name: name, Active: state == "", Lost: state == "lost"})
		}
	case "offer-all":
		offer(l.OfferAll(*m))
	case "offer-missing":
		offer(l.OfferMissing(*m))
	case "offer-one":
		offer(l.OfferOne(*m, d.CmdArgs[0].Key))
	case "request":
		verdict(l.Request(scanRequest(t, l, d)))
	case "accept":
		for _, n := range l.In(Integrated) {
			if err := l.Accept(n); err != nil {
				fmt.Fprintln(&b, err)
			}
		}
	case "confirm":
		id := l.Round()
		d.MaybeScanArgs(t, "round", &id)
		verdict(l.Confirm(d.CmdArgs[0].Key, id))
	case "check":
		stage := Integrating
		if d.HasArg("finalizing") {
			stage = Finalizing
		}
		fmt.Fprintln(&b, []string{"waiting", "new membership", "all integrated", "no CIB", "all confirmed"}[l.Check(stage, m.Seq, !d.HasArg("no-cib"))])
	default:
		t.Fatalf("%s?", d.Cmd)
	}
	best, g := l.Best()
	fmt.Fprintf(&b, "%s; best CIB: %s %v\n", strings.Join(l.Report(), ", "), best, g)
	return b.String()
}

func scanRequest(t *testing.T, l *Leader, d *datadriven.TestData) Request {
	r := Request{From: d.CmdArgs[0].Key, Active: !d.HasArg("inactive"), Round: l.Round(), Features: "3.16.1", Ref: "r"}
	d.MaybeScanArgs(t, "round", &r.Round)
	d.MaybeScanArgs(t, "features", &r.Features)
	if !d.HasArg("no-cib") {
		r.CIB = &Generation{Epoch: 5}
		d.MaybeScanArgs(t, "epoch", &r.CIB.Epoch)
	}
	return r
}

func TestCompatible(t *testing.T) {
	for _, c := range []struct {
		dc, joiner string
		want       bool
	}{
		{"3.16.1", "3.16.1", true}, {"3.16.1", "3.16.0", true}, {"3.16.1", "3.17.0", true}, {"3.16.1", "3.15.9", false},
		{"3.16.1", "4.16.1", false}, {"3", "3.1", true}, {"3.16.1", "", false}, {"3.0.14", "3.16.1", true},
	} {
		if got := Compatible(c.dc, c.joiner); got != c.want {
			t.Errorf("Compatible(%q, %q) = %v", c.dc, c.joiner, got)
		}
	}
}

func TestJoiner(t *testing.T) {
	j := NewJoiner("n1")
	if changed, err := j.Follow("n2", "3.16.1"); !changed || err != nil {
		t.Fatalf("first DC: %v %v", changed, err)
	}
	if changed, err := j.Follow("N2", "3.16.1"); changed || err != nil {
		t.Fatalf("same DC: %v %v", changed, err)
	}
	if _, err := j.Follow("n3", "3.16.1"); err == nil {
		t.Fatal("a second DC was followed")
	}
	a := j.Ask()
	b := j.Ask()
	if _, ok := j.Answer(a); ok {
		t.Fatal("superseded offer answered")
	}
	if dc, ok := j.Answer(b); !ok || dc != "N2" {
		t.Fatalf("answer to %q %v", dc, ok)
	}
	if _, ok := j.Answer(b); ok {
		t.Fatal("answered twice")
	}
	c := j.Ask()
	j.Unset()
	if _, ok := j.Answer(c); ok {
		t.Fatal("answered without DC")
	}
	j.SetLeading(true)
	if _, err := j.Follow("n3", "3.16.1"); err == nil {
		t.Fatal("a DC followed another")
	}
}

// TestRandomRounds: whatever arrives in whatever order, a round is only over
// when every node that was offered something confirmed or was refused, and
// the best CIB is never older than that of an accepted node.
func TestRandomRounds(t *testing.T) {
	names := []string{"n1", "n2", "n3", "n4"}
	for seed := uint64(0); seed < 500; seed++ {
		r := rand.New(rand.NewPCG(seed, 1))
		l := NewLeader("n1", "3.16.1")
		m := Members{Seq: 1}
		for _, n := range names {
			m.Peers = append(m.Peers, Peer{Name: n, Active: r.IntN(4) != 0})
		}
		l.OfferAll(m)
		newest := map[string]Generation{}
		for step := 0; step < 60; step++ {
			n := names[r.IntN(len(names))]
			switch r.IntN(6) {
			case 0:
				g := Generation{Epoch: r.Int64N(5)}
				if v := l.Request(Request{From: n, Active: true, Round: l.Round() - r.IntN(2), Features: "3.16.1", CIB: &g}); v.Accepted {
					newest[n] = g
				}
			case 1:
				_ = l.Accept(n)
			case 2:
				l.Confirm(n, l.Round())
			case 3:
				l.OfferOne(m, n)
			case 4:
				l.OfferMissing(m)
			case 5:
				if r.IntN(10) == 0 {
					l.OfferAll(m)
					newest = map[string]Generation{}
				}
			}
			if _, best := l.Best(); len(newest) > 0 {
				for n, g := range newest {
					if best.Compare(g) < 0 {
						t.Fatalf("seed %d: best %v older than %s's %v", seed, best, n, g)
					}
				}
			}
			if l.Check(Finalizing, m.Seq, true) == AllConfirmed {
				for _, s := range l.Report() {
					if !strings.HasSuffix(s, "confirmed") && !strings.HasSuffix(s, "nack") && !strings.HasSuffix(s, "none") {
						t.Fatalf("seed %d: over with %s", seed, s)
					}
				}
			}
		}
	}
}
