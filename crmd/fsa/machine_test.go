package fsa

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestStories runs the stories of testdata: inputs, and what becomes of them.
//
//	input I_X… [first] [fail] [shutdown] [data=D] [stall=Action,…] [raise=Action:I_X,…]
//	wake        something unrelated happened
//	actions A…  actions without an input
//
// stall and raise say what the owner answers when it is told to do an action.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		m := New[string]()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return story(t, m, d)
		})
	})
}

func story(t *testing.T, m *Machine[string], d *datadriven.TestData) string {
	answers := map[string]string{}
	var first, fail bool
	e := Event[string]{Cause: CauseInternal, Origin: "story"}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "first":
			first = true
		case "fail":
			fail = true
		case "shutdown":
			m.ShuttingDown = true
		case "data":
			e.Data, e.Full = a.Vals[0], true
		case "stall":
			for _, v := range a.Vals {
				answers[v] = "stall"
			}
		case "raise":
			for _, v := range a.Vals {
				act, in, _ := strings.Cut(v, ":")
				answers[act] = in
			}
		}
	}
	switch d.Cmd {
	case "input":
		e.Input = inputNamed(t, d.CmdArgs[0].Key)
		switch {
		case fail:
			m.Fail(e)
		case first:
			m.PushFirst(e)
		default:
			m.Push(e)
		}
	case "actions":
		var as []Action
		for _, a := range d.CmdArgs {
			if act, ok := actionNamed(a.Key); ok {
				as = append(as, act)
			}
		}
		m.PushActions(e, as...)
	case "wake":
		m.Wake()
	default:
		t.Fatalf("%s: unknown command", d.Cmd)
	}
	return play(t, m, answers)
}

// play carries out what m asks, with the given answers.
func play(t *testing.T, m *Machine[string], answers map[string]string) string {
	var b strings.Builder
	for n := 0; ; n++ {
		s, ok := m.Next()
		if !ok {
			break
		}
		if n > 1000 {
			t.Fatal("no end of steps")
		}
		if s.Changed {
			fmt.Fprintf(&b, "%s -> %s (%s)\n", s.From, s.To, s.Event.Input)
			continue
		}
		what := s.Action.String()
		fmt.Fprintf(&b, "  %s", what)
		if s.Event.Full {
			fmt.Fprintf(&b, " [%s]", s.Event.Data)
		}
		switch a := answers[what]; {
		case a == "stall":
			b.WriteString(" stalls")
			m.Stall(s.Action)
		case a != "":
			fmt.Fprintf(&b, " raises %s", a)
			m.Push(Event[string]{Input: inputNamed(t, a), Cause: CauseInternal, Origin: what})
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s", m.State())
	if m.Due() != 0 {
		fmt.Fprintf(&b, " due: %s", m.Due())
	}
	if m.Queued() != 0 {
		fmt.Fprintf(&b, " queued: %d", m.Queued())
	}
	return b.String() + "\n"
}

func inputNamed(t *testing.T, name string) Input {
	for _, in := range Inputs() {
		if in.String() == name {
			return in
		}
	}
	t.Fatalf("no input %q", name)
	return 0
}

func actionNamed(name string) (Action, bool) {
	for a := Action(0); a < numActions; a++ {
		if a.String() == name {
			return a, true
		}
	}
	return 0, false
}

// TestTable keeps the whole table in a readable form, so that a change of it is
// seen for what it is.
func TestTable(t *testing.T) {
	for file, got := range map[string]string{"table.txt": Describe(), "table.dot": Dot()} {
		path := filepath.Join("testdata", file)
		if os.Getenv("REWRITE") != "" {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != got {
			t.Errorf("%s differs from the table; look at what changed, then run with REWRITE=1", path)
		}
	}
}

// TestEveryStateCanEnd: from every state there is a way out of the process, and
// leaving it never starts anything.
func TestEveryStateCanEnd(t *testing.T) {
	for _, s := range States() {
		next, do := Lookup(s, Stop)
		if next != Stopping && next != Terminate {
			t.Errorf("I_STOP in %s leads to %s", s, next)
		}
		if !do.Has(Exit0) && !do.Has(Exit1) {
			t.Errorf("I_STOP in %s does not exit: %s", s, do)
		}
		if do&starting != 0 {
			t.Errorf("I_STOP in %s starts: %s", s, do&starting)
		}
	}
}

// TestRandomInputs feeds random inputs with random answers: no state of the
// DC is entered from outside but by winning an election, a machine that leaves
// never comes back, and it always comes to rest.
func TestRandomInputs(t *testing.T) {
	for seed := uint64(1); seed <= 300; seed++ {
		r := rand.New(rand.NewPCG(seed, 0))
		m := New[int]()
		left := false
		for n := 0; n < 200; n++ {
			e := Event[int]{Input: Input(r.IntN(int(numInputs))), Cause: CauseHA, Data: n, Full: r.IntN(2) == 0}
			switch r.IntN(6) {
			case 0:
				m.PushFirst(e)
			case 1:
				m.Fail(e)
			default:
				m.Push(e)
			}
			for steps := 0; ; steps++ {
				s, ok := m.Next()
				if !ok {
					break
				}
				if steps > 10000 {
					t.Fatalf("seed %d: no rest", seed)
				}
				if s.Changed {
					if left && s.To != Terminate {
						t.Fatalf("seed %d: %s -> %s after leaving", seed, s.From, s.To)
					}
					if DC(s.To) && !DC(s.From) && s.To != ReleaseDC && s.Event.Input != ElectionDC {
						t.Fatalf("seed %d: DC by %s in %s", seed, s.Event.Input, s.From)
					}
					left = left || s.To == Stopping || s.To == Terminate
				} else if r.IntN(20) == 0 {
					m.Stall(s.Action)
				}
			}
		}
	}
}

// TestStallRests: an action that can never be done is tried once for each
// thing that happens, with and without data.
func TestStallRests(t *testing.T) {
	for _, full := range []bool{false, true} {
		m := New[int]()
		m.Push(Event[int]{Input: Startup, Full: full})
		tries := 0
		rest := func() {
			for n := 0; ; n++ {
				s, ok := m.Next()
				if !ok {
					return
				}
				if n > 100 {
					t.Fatalf("full=%v: no rest", full)
				}
				if s.Action == LRMConnect && !s.Changed {
					tries++
					m.Stall(s.Action)
				}
			}
		}
		rest()
		for i := 0; i < 3; i++ {
			m.Wake()
			rest()
		}
		if tries != 4 {
			t.Errorf("full=%v: tried %d times, want 4", full, tries)
		}
	}
}
