package totemtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/wire"
)

// The judges are judged here: hand-made histories, each with one thing wrong,
// must be found guilty of exactly that, and good ones of nothing.
//
// A history is told in lines:
//
//	1: view 1.8 [1 2 3] with [1]   transitional view of [1] (of nobody without "with"), then the regular one, lists as they should be
//	1: trans 1.8 [1] left [2]      a transitional view as given
//	1: regular 1.8 [1 2] joined [2]
//	1: deliver a
//	1: restart                     the following lines are node 1's next life
//	send a by 1 in 1.8 seq 1       what the wire saw; "begun in 1.4 seq 9" for a message across rings
//	after b                        the message of the last send line was submitted after b's delivery
//	unsent a by 1                  accepted, never on the wire
//	quiet [1 2] [3]                the network is calm, these are the connected groups
//	end                            the run ends in peace, all are alive
type storyTeller struct {
	t    *testing.T
	h    History
	now  time.Duration
	proc map[string]ProcID
	life map[string]int
	msgs map[string]MsgID
	last MsgID
}

func tell(t *testing.T, story string) *History {
	t.Helper()
	s := storyTeller{t: t, proc: map[string]ProcID{}, life: map[string]int{}, msgs: map[string]MsgID{}}
	for _, line := range strings.Split(story, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			s.now += time.Millisecond
			s.line(line)
		}
	}
	return &s.h
}

func (s *storyTeller) line(line string) {
	who, what, isNode := strings.Cut(line, ": ")
	words := strings.Fields(line)
	switch {
	case isNode:
		s.node(who, what)
	case words[0] == "send":
		s.send(words)
	case words[0] == "unsent":
		s.msgs[words[1]] = s.add(words[3], notSent(), notSent())
	case words[0] == "after":
		s.h.Msgs[s.last].After = s.msgs[words[1]]
	case words[0] == "quiet":
		s.quiet(line)
	case words[0] == "end":
		s.h.Complete = true
		for _, p := range s.proc {
			s.h.Procs[p].Alive = true
		}
	default:
		s.t.Fatalf("no such line: %s", line)
	}
}

func (s *storyTeller) process(node string) ProcID {
	if p, ok := s.proc[node]; ok {
		return p
	}
	p := ProcID(len(s.h.Procs))
	s.h.Procs = append(s.h.Procs, Proc{Node: s.id(node), Life: s.life[node]})
	s.proc[node] = p
	return p
}

func (s *storyTeller) id(node string) wire.NodeID {
	n, err := strconv.Atoi(node)
	if err != nil {
		s.t.Fatal(err)
	}
	return wire.NodeID(n)
}

func (s *storyTeller) ring(text string) wire.RingID {
	var r wire.RingID
	if _, err := fmt.Sscanf(text, "%x.%x", &r.Rep, &r.Seq); err != nil {
		s.t.Fatalf("ring %q: %v", text, err)
	}
	return r
}

// lists takes "[1 2]" pieces out of a line.
func (s *storyTeller) lists(text string) (out [][]wire.NodeID) {
	for {
		_, after, ok := strings.Cut(text, "[")
		if !ok {
			return out
		}
		inner, rest, _ := strings.Cut(after, "]")
		var list []wire.NodeID
		for _, w := range strings.Fields(inner) {
			list = append(list, s.id(w))
		}
		out, text = append(out, list), rest
	}
}

func (s *storyTeller) node(who, what string) {
	words := strings.Fields(what)
	if words[0] == "restart" {
		delete(s.proc, who)
		s.life[who]++
		return
	}
	p := s.process(who)
	proc := &s.h.Procs[p]
	if words[0] == "deliver" {
		id, ok := s.msgs[words[1]]
		if !ok {
			s.t.Fatalf("no message %s", words[1])
		}
		proc.Log = append(proc.Log, Entry{At: s.now, Kind: EntryDeliver, Msg: id, View: -1})
		return
	}
	ring, lists := s.ring(words[1]), s.lists(what)
	lists = append(lists, nil)
	stored := ring.Seq
	if strings.Contains(what, "unstored") {
		stored--
	}
	switch words[0] {
	case "view":
		var before []wire.NodeID
		for _, v := range proc.Views {
			before = v.Members
		}
		s.add2(proc, EntryTransitional, View{Ring: ring, Members: lists[1], Left: without(before, lists[1]), Stored: stored})
		s.add2(proc, EntryRegular, View{Ring: ring, Members: lists[0], Joined: without(lists[0], lists[1]), Stored: stored})
	case "trans":
		s.add2(proc, EntryTransitional, View{Ring: ring, Members: lists[0], Left: lists[1], Stored: stored})
	case "regular":
		s.add2(proc, EntryRegular, View{Ring: ring, Members: lists[0], Joined: lists[1], Stored: stored})
	default:
		s.t.Fatalf("no such line: %s", what)
	}
}

func (s *storyTeller) add2(p *Proc, kind EntryKind, v View) {
	p.Log = append(p.Log, Entry{At: s.now, Kind: kind, View: int32(len(p.Views)), Msg: noMsg})
	p.Views = append(p.Views, v)
}

func (s *storyTeller) add(node string, first, last Pos) MsgID {
	p := s.process(node)
	id := MsgID(len(s.h.Msgs))
	s.h.Msgs = append(s.h.Msgs, Msg{From: p, N: int32(len(s.h.Procs[p].Sent[0])), Size: 10, First: first, Last: last, At: s.now, After: noMsg})
	s.h.Procs[p].Sent[0] = append(s.h.Procs[p].Sent[0], id)
	return id
}

func (s *storyTeller) send(w []string) {
	pos := func(ring, seq string) Pos {
		n, _ := strconv.Atoi(seq)
		return Pos{Ring: s.h.ring(s.ring(ring)), Seq: uint32(n)}
	}
	last := pos(w[5], w[7])
	first := last
	if len(w) > 8 {
		first = pos(w[10], w[12])
	}
	s.last = s.add(w[3], first, last)
	s.msgs[w[1]] = s.last
	s.h.Rings[last.Ring].Msgs = append(s.h.Rings[last.Ring].Msgs, s.last)
}

func (s *storyTeller) quiet(line string) {
	q := Settled{At: s.now, Views: map[ProcID]View{}}
	for _, list := range s.lists(line) {
		var group []ProcID
		for _, id := range list {
			p := s.process(strconv.Itoa(int(id)))
			group = append(group, p)
			if views := s.h.Procs[p].Views; len(views) > 0 {
				q.Views[p] = views[len(views)-1]
			}
		}
		q.Groups = append(q.Groups, group)
	}
	s.h.Quiet = append(s.h.Quiet, q)
}

// formed is how most stories begin: nodes 1, 2 and 3 in their first ring.
const formed = `
1: view 1.8 [1 2 3]
2: view 1.8 [1 2 3]
3: view 1.8 [1 2 3]
`

var stories = []struct {
	name, want, story string
}{
	{"a ring and three messages", "", formed + `
send a by 1 in 1.8 seq 1
send b by 2 in 1.8 seq 2
send c by 3 in 1.8 seq 3
1: deliver a
1: deliver b
1: deliver c
2: deliver a
2: deliver b
2: deliver c
3: deliver a
3: deliver b
3: deliver c
quiet [1 2 3]
end`},
	{"a node is lost, the rest of its messages with it", "", formed + `
send a by 1 in 1.8 seq 1
send b by 3 in 1.8 seq 2
send c by 2 in 1.8 seq 3
1: deliver a
2: deliver a
3: deliver a
3: deliver b
1: trans 1.c [1 2] left [3]
1: deliver c
1: regular 1.c [1 2]
2: trans 1.c [1 2] left [3]
2: deliver c
2: regular 1.c [1 2]
3: deliver c`},
	{"a message across rings reaches those who came along", "", `
1: view 1.8 [1 2]
2: view 1.8 [1 2]
3: view 3.8 [3]
1: view 1.c [1 2 3] with [1 2]
2: view 1.c [1 2 3] with [1 2]
3: view 1.c [1 2 3] with [3]
send a by 1 in 1.c seq 1 begun in 1.8 seq 7
send b by 1 in 1.c seq 2
1: deliver a
1: deliver b
2: deliver a
2: deliver b
3: deliver b
1: view 1.10 [1 2 3] with [1 2 3]
2: view 1.10 [1 2 3] with [1 2 3]
3: view 1.10 [1 2 3] with [1 2 3]
end`},
	{"a restarted node is a new process", "", formed + `
3: restart
1: view 1.c [1 2] with [1 2]
2: view 1.c [1 2] with [1 2]
3: view 3.d [3]
1: view 1.14 [1 2 3] with [1 2]
2: view 1.14 [1 2 3] with [1 2]
3: view 1.14 [1 2 3] with [3]`},

	{"two lists for one ring id", "ring id names one member set", `
1: view 1.8 [1 2]
2: view 1.8 [1 2 3]`},
	{"a ring id used again after a restart", "ring id never reused", formed + `
3: restart
3: view 1.8 [1 2 3]`},
	{"a ring number that goes back", "ring id grows", formed + `
3: restart
3: view 3.4 [3]`},
	{"a ring installed before its number is stored", "ring id stored first", `1: view 1.8 [1] unstored`},
	{"a message before any view", "delivered within a view", `
2: view 1.8 [1 2]
send a by 2 in 1.8 seq 1
1: deliver a`},
	{"members out of order", "view lists ascend", `1: view 1.8 [2 1]`},
	{"a member twice", "view lists ascend", `1: view 1.8 [1 1]`},
	{"a view without its owner", "own view contains oneself", `1: view 1.8 [2 3]`},
	{"a regular view out of nothing", "views alternate", `1: regular 1.8 [1 2] joined [2]`},
	{"two transitional views", "views alternate", `
1: trans 1.8 []
1: trans 1.8 []
1: regular 1.8 [1 2] joined [2]`},
	{"transitional and regular view of different rings", "views alternate", `
1: trans 1.8 []
1: regular 1.c [1]`},
	{"a transitional view with a stranger", "transitional view within the old one", `
1: view 1.8 [1]
1: view 1.c [1 2] with [1 2]`},
	{"came along but is not there", "transitional view within the new one", formed + `
1: view 1.c [1 2] with [1 2 3]`},
	{"left list forgets one", "left list", formed + `
1: trans 1.c [1 2]
1: regular 1.c [1 2]`},
	{"joined list forgets one", "joined list", `
1: trans 1.8 []
1: regular 1.8 [1 2]`},
	{"transitional view holds one who came from elsewhere", "transitional view: came from the same ring", formed + `
2: view 2.c [2] with [2]
1: view 1.10 [1 2] with [1 2]
2: view 1.10 [1 2] with [2]`},
	{"transitional view forgets one who came along", "transitional view: all who came along", formed + `
1: view 1.c [1 2] with [1]
2: view 1.c [1 2] with [2]`},
	{"two rings in one partition", "one ring per partition", `
1: view 1.8 [1]
2: view 2.8 [2]
quiet [1 2]`},
	{"two rings with the same members", "one ring per partition", `
1: view 1.8 [1 2]
2: view 2.8 [1 2]
quiet [1 2]`},
	{"two orders", "total order", formed + `
send a by 1 in 1.8 seq 1
send b by 2 in 1.8 seq 2
1: deliver a
1: deliver b
2: deliver b
2: deliver a`},
	{"an old message in a new ring", "delivered in the ring it was sent in", formed + `
send a by 1 in 1.8 seq 1
1: view 1.c [1 2 3] with [1 2 3]
1: deliver a`},
	{"a message from outside the ring", "sender is in the view", `
1: view 1.8 [1 2]
2: view 1.8 [1 2]
send a by 3 in 1.8 seq 1
1: deliver a`},
	{"a hole", "no hole", formed + `
send a by 1 in 1.8 seq 1
send b by 2 in 1.8 seq 2
3: deliver b`},
	{"after the transitional view a message of one who is gone", "transitional delivery from those who came along", formed + `
send a by 3 in 1.8 seq 1
1: trans 1.c [1 2] left [3]
1: deliver a
1: regular 1.c [1 2]`},
	{"a node loses its own message", "self delivery", formed + `
send a by 1 in 1.8 seq 1
1: view 1.c [1] with [1]`},
	{"a message of a neighbour is lost on the way to the next ring", "nothing lost among those who stay together", formed + `
send a by 2 in 1.8 seq 1
1: view 1.c [1 2] with [1 2]`},
	{"at the end something is missing", "nothing lost among those who stay together", formed + `
send a by 2 in 1.8 seq 1
2: deliver a
3: deliver a
end`},
	{"one has it, one has not", "same messages between the same views", formed + `
send a by 3 in 1.8 seq 1
1: deliver a
1: view 1.c [1 2] with [1 2]
2: view 1.c [1 2] with [1 2]`},
	{"transitional views at different places", "transitional view at the same place", formed + `
send a by 2 in 1.8 seq 1
1: deliver a
1: view 1.c [1 2] with [1 2]
2: trans 1.c [1 2] left [3]
2: deliver a
2: regular 1.c [1 2]`},
	{"delivered twice", "no duplicates", formed + `
send a by 2 in 1.8 seq 1
1: deliver a
1: deliver a`},
	{"an answer before the question", "causal order", formed + `
send a by 2 in 1.8 seq 5
send b by 1 in 1.8 seq 4
after a`},
	{"accepted and forgotten", "what was accepted is sent", formed + `
unsent a by 1
end`},
}

func TestCheckersJudgeStories(t *testing.T) {
	for _, s := range stories {
		t.Run(strings.ReplaceAll(s.name, " ", "_"), func(t *testing.T) {
			got := tell(t, s.story).Check()
			if s.want == "" {
				if len(got) > 0 {
					t.Errorf("found guilty: %v", got)
				}
				return
			}
			if !slices.ContainsFunc(got, func(v Violation) bool { return v.Property == s.want }) {
				t.Errorf("not found guilty of %q, but of %v", s.want, got)
			}
		})
	}
}

// TestEveryPropertyHasABadHistory reads the judges' source: a property that no
// story and no packet test breaks is a property nobody knows to work.
func TestEveryPropertyHasABadHistory(t *testing.T) {
	broken := map[string]bool{}
	for _, s := range stories {
		broken[s.want] = true
	}
	for _, p := range packetTests {
		broken[p.want] = true
	}
	for _, file := range []string{"check_views.go", "check_order.go", "ledger.go"} {
		for _, property := range propertiesIn(t, file) {
			if !broken[property] {
				t.Errorf("%s: %q: no test breaks it", file, property)
			}
		}
	}
}

func propertiesIn(t *testing.T, file string) (out []string) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string][]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if id, ok := n.Lhs[0].(*ast.Ident); ok {
				if lit, ok := n.Rhs[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					s, _ := strconv.Unquote(lit.Value)
					vars[id.Name] = append(vars[id.Name], s)
				}
			}
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "fail" {
				return true
			}
			switch arg := n.Args[0].(type) {
			case *ast.BasicLit:
				s, _ := strconv.Unquote(arg.Value)
				out = append(out, s)
			case *ast.Ident:
				out = append(out, vars[arg.Name]...)
			}
		}
		return true
	})
	if len(out) == 0 {
		t.Fatalf("%s: no property found", file)
	}
	return out
}
