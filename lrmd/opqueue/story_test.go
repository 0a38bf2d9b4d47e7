package opqueue

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/wire"
)

// story runs the commands of one file on one queue.
//
//	register ID CLASS [drop]         unregister ID         gone CLIENT
//	op ID ACTION [interval=ms] [timeout=ms] [delay=ms] [client=] [orig] [changes] [block]
//	cancel ID ACTION [interval=ms]   recurring [ID]
//	exit TOKEN RC [status=N] [class=] [reason=] [final]
//	advance DURATION                 fencer-lost
type story struct {
	t    *testing.T
	q    *Queue
	now  time.Time
	call int
}

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.Contains(path, "fuzz"+string(filepath.Separator)) {
			return
		}
		s := &story{t: t, q: New(), now: time.Unix(1000, 0)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.run(d) })
	})
}

func (s *story) run(d *datadriven.TestData) string {
	words := make([]string, 0, len(d.CmdArgs))
	opts := map[string]string{}
	for _, a := range d.CmdArgs {
		if len(a.Vals) == 0 {
			words = append(words, a.Key)
		} else {
			opts[a.Key] = a.Vals[0]
		}
	}
	var b strings.Builder
	s.command(&b, d.Cmd, words, opts)
	s.drain(&b)
	if b.Len() == 0 {
		return "ok\n"
	}
	return b.String()
}

func (s *story) command(b *strings.Builder, cmd string, words []string, opts map[string]string) {
	num := func(key string) int {
		n := 0
		fmt.Sscan(opts[key], &n)
		return n
	}
	has := func(w string) bool { return strings.Contains(" "+strings.Join(words, " ")+" ", " "+w+" ") }
	answer := func(rc int) { fmt.Fprintf(b, "rc=%d\n", rc) }
	switch cmd {
	case "register":
		opt := wire.Options(0)
		if has("drop") {
			opt = wire.DropRecurring
		}
		answer(s.q.Register(s.now, wire.Rsc{ID: words[0], Class: words[1], Type: "T"}, opt))
	case "unregister":
		answer(s.q.Unregister(s.now, words[0]))
	case "gone":
		s.q.ClientGone(s.now, words[0])
	case "op":
		s.call++
		c := Command{RscID: words[0], Action: words[1], CallID: s.call, Interval: uint32(num("interval")), Timeout: num("timeout"), Delay: num("delay"), Client: opts["client"]}
		if has("orig") {
			c.Options |= wire.NotifyOrigOnly
		}
		if has("changes") {
			c.Options |= wire.NotifyChangesOnly
		}
		if has("block") {
			c.Params = wire.Params{{Name: "CRM_meta_on_fail", Value: "block"}}
		}
		answer(s.q.Exec(s.now, c))
	case "cancel":
		answer(s.q.Cancel(s.now, words[0], words[1], uint32(num("interval"))))
	case "recurring":
		id := ""
		if len(words) > 0 {
			id = words[0]
		}
		ids, ops, rc := s.q.Recurring(id)
		fmt.Fprintf(b, "rc=%d %v %v\n", rc, ids, ops)
	case "exit":
		var tok, rc int
		fmt.Sscan(words[0], &tok)
		fmt.Sscan(words[1], &rc)
		s.q.Finished(s.now, Token(tok), Result{RC: pcmk.OCF(rc), Status: pcmk.ExecStatus(num("status")), Class: opts["class"], Reason: opts["reason"], Final: has("final")})
	case "fencer-lost":
		s.q.FencerLost(s.now)
	case "advance":
		s.advance(b, words[0])
	default:
		s.t.Fatalf("unknown command %s", cmd)
	}
}

func (s *story) advance(b *strings.Builder, d string) {
	by, err := time.ParseDuration(d)
	if err != nil {
		s.t.Fatal(err)
	}
	end := s.now.Add(by)
	for {
		at := s.q.Deadline()
		if at.IsZero() || at.After(end) {
			break
		}
		s.now = at
		fmt.Fprintf(b, "@%s\n", at.Sub(time.Unix(1000, 0)))
		s.q.Step(at)
		s.drain(b)
	}
	s.now = end
}

func (s *story) drain(b *strings.Builder) {
	out := s.q.Take()
	for _, x := range out.Start {
		fmt.Fprintf(b, "start %d: %s %s_%d call=%d timeout=%d", x.Token, x.Rsc.ID, x.Action, x.Interval, x.CallID, x.Timeout)
		if x.LeaveGroup {
			b.WriteString(" leave-group")
		}
		b.WriteByte('\n')
	}
	for _, k := range out.Kill {
		fmt.Fprintf(b, "kill %d\n", k)
	}
	for _, d := range out.Done {
		e := d.Event
		fmt.Fprintf(b, "done %s %s_%d call=%d: %s, %s exec=%d queue=%d run=%d change=%d", e.RscID, e.Action, e.Interval, e.CallID, e.Result, e.Status, e.ExecTime, e.QueueTime, e.RunTime, e.RCChange)
		for _, f := range []struct {
			on   bool
			text string
		}{{e.Deleted, " deleted"}, {d.OrigOnly, " to=" + d.Client}, {d.Silent, " silent"}, {e.ExitReason != "", " reason=" + e.ExitReason}} {
			if f.on {
				b.WriteString(f.text)
			}
		}
		b.WriteByte('\n')
	}
	for _, t := range out.Trace {
		if t.Kind == TraceMerged || t.Kind == TraceGiveUp || t.Kind == TraceDuplicateRsc {
			fmt.Fprintf(b, "trace %d %s %s\n", t.Kind, t.Rsc, t.Action)
		}
	}
}

// FuzzQueue drives a queue with arbitrary commands: it must not panic, and runs
// that are answered must all end.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 3, 0, 5, 1, 6, 0, 7, 200})
	f.Add([]byte{0, 1, 1, 0, 3, 0x41, 5, 1, 7, 255, 5, 2, 4, 0x41, 2, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		q, now := New(), time.Unix(0, 0)
		classes := []string{"ocf", "stonith", "systemd", "lsb"}
		actions := []string{"start", "stop", "monitor", "status"}
		var open []Token
		for i := 0; i+1 < len(data) && i < 400; i += 2 {
			a, id := int(data[i+1]), fmt.Sprint("r", data[i+1]&3)
			switch data[i] % 9 {
			case 0, 1:
				q.Register(now, wire.Rsc{ID: id, Class: classes[a>>2&3]}, wire.Options(a>>4))
			case 2:
				q.Unregister(now, id)
			case 3, 4:
				q.Exec(now, Command{RscID: id, Action: actions[a>>2&3], Interval: uint32(a >> 4 & 3 * 100), Delay: a >> 6 * 50, Timeout: 1000, Client: "c", CallID: i + 1})
			case 5:
				if len(open) > 0 {
					k := a % len(open)
					q.Finished(now, open[k], Result{RC: pcmk.OCF(a & 7), Status: pcmk.ExecStatus(a>>3&7 - 1), Class: classes[a>>6]})
					open = append(open[:k], open[k+1:]...)
				}
			case 6:
				q.Cancel(now, id, actions[a>>2&3], uint32(a>>4&3*100))
			case 7:
				now = now.Add(time.Duration(a) * 10 * time.Millisecond)
				q.Step(now)
			case 8:
				q.FencerLost(now)
				q.ClientGone(now, "c")
			}
			for _, s := range q.Take().Start {
				open = append(open, s.Token)
			}
		}
		for _, id := range q.ids() {
			q.Unregister(now, id)
		}
		for n := 0; q.Running() > 0; n++ {
			for _, s := range q.Take().Start {
				open = append(open, s.Token)
			}
			if n > 1000 || len(open) == 0 {
				t.Fatalf("%d runs never end", q.Running())
			}
			for _, tok := range open {
				q.Finished(now, tok, Result{})
			}
			open = nil
		}
	})
}
