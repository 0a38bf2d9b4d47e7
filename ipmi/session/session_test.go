package session_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pacesync/pacesync/ipmi/bmctest"
	"github.com/pacesync/pacesync/ipmi/session"
	"github.com/pacesync/pacesync/ipmi/wire"
)

// stream is randomness from a seed.
type stream struct{ *rand.Rand }

func (s stream) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s.Uint32())
	}
	return len(b), nil
}

func seeded(seed uint64) stream { return stream{rand.New(rand.NewPCG(seed, 1))} }

// world is a session and a BMC under a virtual clock. A packet takes 10 ms.
type world struct {
	t       *testing.T
	now     time.Time
	s       *session.Session
	bmc     *bmctest.Core
	machine *bmctest.Machine
	fate    func(toBMC bool, n int, b []byte) int // copies that arrive
	count   [2]int
	flying  []packet
	sent    []wire.PayloadType // what the session sent in 2.0 setup
	cmds    map[wire.Cmd]int   // what it sent in 1.5 outside of sessions
}

type packet struct {
	at    time.Time
	toBMC bool
	bytes []byte
}

const flight = 10 * time.Millisecond

func newWorld(t *testing.T, cfg session.Config, bmc bmctest.Config) *world {
	t.Helper()
	w := &world{t: t, now: time.Unix(1e9, 0), machine: bmctest.NewMachine(), cmds: map[wire.Cmd]int{}}
	bmc.Switch, bmc.Rand = w.machine, seeded(2)
	if bmc.Users == nil {
		bmc.Users = []bmctest.Account{{Name: "admin", Password: "secret"}, {Name: "oper", Password: "operpw", Max: wire.User}}
	}
	w.bmc = bmctest.NewCore(bmc)
	w.restart(cfg)
	return w
}

func (w *world) restart(cfg session.Config) {
	s, err := session.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.s = s
}

func config(v20 bool, change ...func(*session.Config)) session.Config {
	c := session.Config{
		V20: v20, Suites: []int{3}, Auth: session.AuthAuto, Privilege: wire.Administrator, User: "admin", Password: []byte("secret"),
		Timeout: time.Second, Retries: 3, Rand: seeded(1),
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func (w *world) launch(toBMC bool, b []byte) {
	i := 0
	if toBMC {
		i = 1
		w.note(b)
	}
	w.count[i]++
	copies := 1
	if w.fate != nil {
		copies = w.fate(toBMC, w.count[i], b)
	}
	for n := range copies {
		w.flying = append(w.flying, packet{w.now.Add(flight + time.Duration(n)), toBMC, b})
	}
}

func (w *world) note(b []byte) {
	p, err := wire.Parse(b)
	if err != nil {
		w.t.Fatal(err)
	}
	if p.V20() && p.Payload != wire.PayloadIPMI {
		w.sent = append(w.sent, p.Payload)
	}
	if m, err := wire.ParseMessage(p.Body); err == nil && !p.V20() {
		w.cmds[m.Cmd]++
	}
}

// do gives the session an event and turns the world until it has a result.
func (w *world) do(e session.Event) ([]byte, error) {
	w.t.Helper()
	w.s.Step(w.now, e)
	for range 1000 {
		out := w.s.Take()
		for _, b := range out.Send {
			w.launch(true, b)
		}
		if out.Result != nil {
			return out.Result.Data, out.Result.Err
		}
		w.turn()
	}
	w.t.Fatal("no result after 1000 turns")
	return nil, nil
}

// turn lets the next thing happen.
func (w *world) turn() {
	next := -1
	for i, p := range w.flying {
		if next < 0 || p.at.Before(w.flying[next].at) {
			next = i
		}
	}
	deadline := w.s.Deadline()
	if next < 0 || !deadline.IsZero() && deadline.Before(w.flying[next].at) {
		if deadline.IsZero() {
			w.t.Fatal("nothing will ever happen")
		}
		w.now = deadline
		w.s.Step(w.now, session.Tick{})
		return
	}
	p := w.flying[next]
	w.flying = append(w.flying[:next:next], w.flying[next+1:]...)
	if p.at.After(w.now) {
		w.now = p.at
	}
	if !p.toBMC {
		w.s.Step(w.now, session.Datagram{Bytes: p.bytes})
	} else if answer := w.bmc.Handle(w.now, p.bytes); answer != nil {
		w.launch(false, answer)
	}
}

var status = session.Command{Name: "chassis status", NetFn: wire.NetFnChassis, Cmd: wire.CmdGetChassisStatus}

func control(c wire.Control) session.Command {
	return session.Command{Name: "chassis control", NetFn: wire.NetFnChassis, Cmd: wire.CmdChassisControl, Data: []byte{byte(c)}}
}

// variants are all ways to log in.
func variants() map[string]session.Config {
	out := map[string]session.Config{
		"md5":      config(false),
		"password": config(false, func(c *session.Config) { c.Auth = wire.AuthPassword }),
		"none":     config(false, func(c *session.Config) { c.Auth, c.User, c.Password = wire.AuthNone, "nobody", nil }),
		"auto":     config(true, func(c *session.Config) { c.Suites = []int{17, 3} }),
	}
	for name, id := range map[string]int{"1": 1, "2": 2, "3": 3, "15": 15, "16": 16, "17": 17} {
		out["suite "+name] = config(true, func(c *session.Config) { c.Suites = []int{id} })
	}
	return out
}

func everything() bmctest.Config {
	return bmctest.Config{
		Suites: []int{1, 2, 3, 15, 16, 17}, Auth: []wire.AuthType{wire.AuthNone, wire.AuthMD5, wire.AuthPassword},
		Users: []bmctest.Account{{Name: "admin", Password: "secret"}, {Name: "nobody"}},
	}
}

// use logs in, switches off, looks, logs out.
func (w *world) use() error {
	if _, err := w.do(session.Open{}); err != nil {
		return err
	}
	if _, err := w.do(control(wire.ControlOff)); err != nil {
		return err
	}
	data, err := w.do(status)
	if err != nil {
		return err
	}
	if st, err := wire.ParseChassisStatus(data); err != nil || st.On {
		w.t.Errorf("after off: %+v, %v", st, err)
	}
	_, err = w.do(session.Close{})
	return err
}

func TestEveryLogin(t *testing.T) {
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, cfg, everything())
			if err := w.use(); err != nil {
				t.Fatal(err)
			}
			if n := w.bmc.Sessions(); n != 0 {
				t.Errorf("%d sessions left", n)
			}
		})
	}
}

// TestLoss loses every single packet in turn, in both directions: 2.0 gets
// through always, with the command executed once. 1.5 does but for the packet
// that proves the password, which is not repeated.
func TestLoss(t *testing.T) {
	for name, cfg := range variants() {
		for _, forget := range []bool{false, true} {
			for lost := 1; lost <= 8; lost++ {
				for _, toBMC := range []bool{true, false} {
					bmc := everything()
					bmc.ForgetRAKP3 = forget
					w := newWorld(t, cfg, bmc)
					w.fate = func(dir bool, n int, _ []byte) int {
						if dir == toBMC && n == lost {
							return 0
						}
						return 1
					}
					err := w.use()
					if !cfg.V20 && lost == 3 {
						if !errors.Is(err, session.ErrPassword) || w.cmds[wire.CmdActivate] != 1 {
							t.Errorf("%s: activate lost: %v, %d sent", name, err, w.cmds[wire.CmdActivate])
						}
						continue
					}
					if err != nil {
						t.Errorf("%s: packet %d (to BMC: %v, forgetful: %v) lost: %v", name, lost, toBMC, forget, err)
					}
					if n := len(w.machine.Done()); n != 1 {
						t.Errorf("%s: packet %d lost: off executed %d times", name, lost, n)
					}
				}
			}
		}
	}
}

// TestRandomLoss loses, doubles and so reorders packets at random.
func TestRandomLoss(t *testing.T) {
	failed := 0
	for seed := range uint64(200) {
		w := newWorld(t, config(true, func(c *session.Config) { c.Rand, c.Retries = seeded(seed), 8 }), bmctest.Config{})
		rng := rand.New(rand.NewPCG(seed, 7))
		w.fate = func(bool, int, []byte) int { return copies(rng) }
		if err := w.use(); err != nil {
			failed++
			t.Logf("seed %d: %v", seed, err)
			if errors.Is(err, session.ErrPassword) || errors.Is(err, session.ErrUser) {
				t.Errorf("seed %d: loss taken for a wrong log-in", seed)
			}
		}
		if n := len(w.machine.Done()); n > 1 {
			t.Errorf("seed %d: off executed %d times", seed, n)
		}
		if w.bmc.Failures("admin") > 2 {
			t.Errorf("seed %d: the right password was refused %d times", seed, w.bmc.Failures("admin"))
		}
	}
	if failed > 2 { // 8 repetitions at 20 % each way fail once in 4000 steps
		t.Errorf("%d of 200 sessions failed", failed)
	}
}

// copies is the fate of a packet: one in five is lost, one in 25 doubled.
func copies(rng *rand.Rand) int {
	switch n := rng.IntN(25); {
	case n < 5:
		return 0
	case n == 5:
		return 2
	}
	return 1
}

// TestErrors: each failure has its own kind, and costs at most one attempt.
func TestErrors(t *testing.T) {
	set := func(f func(*session.Config)) func(*session.Config) { return f }
	user := set(func(c *session.Config) { c.User = "stranger" })
	password := set(func(c *session.Config) { c.Password = []byte("wrong") })
	limited := set(func(c *session.Config) { c.User, c.Password = "oper", []byte("operpw") })
	suite17 := set(func(c *session.Config) { c.Suites = []int{17} })
	kg := set(func(c *session.Config) { c.Kg = []byte("wrong") })
	only3 := bmctest.Config{Suites: []int{3}}
	for _, c := range []struct {
		name string
		cfg  session.Config
		bmc  bmctest.Config
		want session.Kind
		cost int
	}{
		{"2.0 user", config(true, user), bmctest.Config{}, session.ErrUser, 0},
		{"2.0 hidden user", config(true, user), bmctest.Config{HideUsers: true}, session.ErrPassword, 1},
		{"2.0 password", config(true, password), bmctest.Config{}, session.ErrPassword, 1},
		{"2.0 privilege", config(true, limited), bmctest.Config{}, session.ErrPrivilege, 0},
		{"2.0 suite", config(true, suite17), only3, session.ErrCipher, 0},
		{"2.0 key", config(true, kg), bmctest.Config{Kg: []byte("right")}, session.ErrKey, 0},
		{"2.0 key missing", config(true), bmctest.Config{Kg: []byte("right")}, session.ErrKey, 0},
		{"2.0 not spoken", config(true), bmctest.Config{Suites: []int{}}, session.ErrMethod, 0},
		{"2.0 full", config(true), bmctest.Config{MaxSessions: -1}, session.ErrBusy, 0},
		{"1.5 user", config(false, user), bmctest.Config{}, session.ErrUser, 0},
		{"1.5 password", config(false, password), bmctest.Config{}, session.ErrPassword, 1},
		{"1.5 plain password", config(false, password, func(c *session.Config) { c.Auth = wire.AuthPassword }), bmctest.Config{}, session.ErrPassword, 1},
		{"1.5 privilege", config(false, limited), bmctest.Config{}, session.ErrPrivilege, 0},
		{"1.5 type", config(false, func(c *session.Config) { c.Auth = wire.AuthNone }), bmctest.Config{}, session.ErrMethod, 0},
		{"1.5 nothing offered", config(false), bmctest.Config{Auth: []wire.AuthType{}}, session.ErrMethod, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.cfg, c.bmc)
			_, err := w.do(session.Open{})
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			for len(w.flying) > 0 { // what the session left under way
				w.turnBMC()
			}
			if n := w.bmc.Failures(c.cfg.User); n > c.cost {
				t.Errorf("%d failed log-ins, want at most %d", n, c.cost)
			}
			if w.s.Deadline() != (time.Time{}) || w.s.Ready() {
				t.Error("the session goes on after its failure")
			}
			if !c.cfg.V20 && w.cmds[wire.CmdActivate] > 1 {
				t.Errorf("the password was proved %d times", w.cmds[wire.CmdActivate])
			}
		})
	}
}

// turnBMC delivers what is still flying to the BMC.
func (w *world) turnBMC() {
	p := w.flying[0]
	w.flying = w.flying[1:]
	if p.toBMC {
		w.bmc.Handle(w.now, p.bytes)
	}
}

func TestNoAnswer(t *testing.T) {
	for _, v20 := range []bool{true, false} {
		w := newWorld(t, config(v20), bmctest.Config{})
		w.fate = func(bool, int, []byte) int { return 0 }
		start := w.now
		_, err := w.do(session.Open{})
		if !errors.Is(err, session.ErrNoAnswer) {
			t.Error(err)
		}
		if took := w.now.Sub(start); took != 7*time.Second { // 1 + 1.5 + 2 + 2.5
			t.Errorf("gave up after %v", took)
		}
	}
}

func TestBusyIsAskedAgain(t *testing.T) {
	for _, v20 := range []bool{true, false} {
		w := newWorld(t, config(v20), bmctest.Config{})
		if _, err := w.do(session.Open{}); err != nil {
			t.Fatal(err)
		}
		w.bmc.SetBusy(2)
		if _, err := w.do(control(wire.ControlOff)); err != nil {
			t.Error(err)
		}
		w.bmc.SetBusy(100)
		if _, err := w.do(status); !errors.Is(err, session.ErrBusy) {
			t.Errorf("%v, want busy", err)
		}
		if n := len(w.machine.Done()); n != 1 {
			t.Errorf("off executed %d times", n)
		}
	}
}

func TestRefusedCommandLeavesTheSession(t *testing.T) {
	w := newWorld(t, config(true), bmctest.Config{})
	if _, err := w.do(session.Open{}); err != nil {
		t.Fatal(err)
	}
	w.machine.SetOn(false)
	_, err := w.do(control(wire.ControlReset))
	var e *session.Error
	if !errors.Is(err, session.ErrRefused) || !errors.As(err, &e) || e.Completion != wire.WrongState {
		t.Errorf("%v", err)
	}
	if _, err := w.do(status); err != nil {
		t.Error(err)
	}
}

func TestPrivilegeOfACommand(t *testing.T) {
	w := newWorld(t, config(true, func(c *session.Config) {
		c.User, c.Password, c.Privilege = "oper", []byte("operpw"), wire.User
	}), bmctest.Config{})
	if _, err := w.do(session.Open{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.do(status); err != nil {
		t.Error(err)
	}
	if _, err := w.do(control(wire.ControlOff)); !errors.Is(err, session.ErrPrivilege) {
		t.Errorf("%v, want privilege", err)
	}
}

func TestExpired(t *testing.T) {
	w := newWorld(t, config(true), bmctest.Config{})
	if _, err := w.do(session.Open{}); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(56 * time.Second)
	if _, err := w.do(status); !errors.Is(err, session.ErrExpired) {
		t.Errorf("%v, want expired", err)
	}
}

// TestForeignPackets: what is not from this session, or not new, changes nothing.
func TestForeignPackets(t *testing.T) {
	for _, v20 := range []bool{true, false} {
		w := newWorld(t, config(v20), bmctest.Config{})
		if _, err := w.do(session.Open{}); err != nil {
			t.Fatal(err)
		}
		var answer []byte
		w.fate = func(toBMC bool, n int, b []byte) int {
			if !toBMC {
				answer = b
			}
			return 1
		}
		if _, err := w.do(status); err != nil {
			t.Fatal(err)
		}
		w.fate = func(toBMC bool, n int, b []byte) int {
			if !toBMC {
				return 0
			}
			return 1
		}
		w.s.Step(w.now, status)
		w.s.Take()
		for i := range answer {
			bad := append([]byte(nil), answer...)
			bad[i] ^= 1
			w.s.Step(w.now, session.Datagram{Bytes: bad})
		}
		w.s.Step(w.now, session.Datagram{Bytes: answer}) // the old answer once more
		if out := w.s.Take(); out.Result != nil {
			t.Errorf("2.0 %v: result %+v from foreign packets", v20, out.Result)
		} else if len(out.Dropped) != len(answer)+1 {
			t.Errorf("2.0 %v: %d dropped, want %d", v20, len(out.Dropped), len(answer)+1)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*session.Config){
		"long name":     func(c *session.Config) { c.User = "seventeen letters" },
		"long password": func(c *session.Config) { c.Password = make([]byte, 21) },
		"suite 0":       func(c *session.Config) { c.Suites = []int{0} },
		"no suite":      func(c *session.Config) { c.Suites = nil },
		"privilege":     func(c *session.Config) { c.Privilege = 9 },
		"long 1.5":      func(c *session.Config) { c.V20, c.Password = false, make([]byte, 17) },
		"md2":           func(c *session.Config) { c.V20, c.Auth = false, wire.AuthMD2 },
	} {
		if _, err := session.New(config(true, change)); err == nil {
			t.Errorf("%s accepted", name)
		}
	}
}

// FuzzSession feeds datagrams to a session in every state of its log-in: it
// must neither panic nor believe to be logged in.
func FuzzSession(f *testing.F) {
	open := wire.OpenResponse{Tag: 1, Privilege: 4, Console: 0x01010101, BMC: 2}
	open.Suite, _ = wire.SuiteByID(3)
	caps := wire.Request(wire.NetFnApp, wire.CmdGetAuthCap, 1, nil).Answer(0, wire.AuthCap{Types: 0x14, V20: true, Extended: true, V15: true}.Append(nil))
	first := wire.Append15(nil, 0, 0, 0, nil, caps.Append(nil))
	second := wire.AppendPlain(nil, wire.PayloadOpenResp, open.Append(nil))
	third := wire.AppendPlain(nil, wire.PayloadRAKP2, wire.RAKP2{Tag: 2, Console: 0x01010101, Code: make([]byte, 20)}.Append(nil))
	fourth := wire.AppendPlain(nil, wire.PayloadRAKP4, wire.RAKP4{Tag: 3, Console: 0x01010101, Code: make([]byte, 12)}.Append(nil))
	f.Add(true, pack(first, second, third, fourth))
	ch := wire.Request(wire.NetFnApp, wire.CmdGetChallenge, 2, nil).Answer(0, wire.Challenge{Session: 5}.Append(nil))
	act := wire.Request(wire.NetFnApp, wire.CmdActivate, 3, nil).Answer(0, wire.Activated{Auth: 2, Session: 6, Inbound: 7, Privilege: 4}.Append(nil))
	f.Add(false, pack(first, wire.Append15(nil, 0, 0, 0, nil, ch.Append(nil)), wire.Append15(nil, 0, 5, 0, nil, act.Append(nil))))
	f.Fuzz(func(t *testing.T, v20 bool, b []byte) {
		s, err := session.New(config(v20, func(c *session.Config) { c.Rand = ones{} }))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(1e9, 0)
		s.Step(now, session.Open{})
		for len(b) >= 2 {
			n := min(int(binary.LittleEndian.Uint16(b)), len(b)-2)
			s.Step(now, session.Datagram{Bytes: b[2 : 2+n]})
			b = b[2+n:]
			if n == 0 {
				now = now.Add(time.Second)
				s.Step(now, session.Tick{})
			}
			s.Take()
		}
		if s.Ready() {
			t.Error("logged in without the password")
		}
	})
}

// ones is randomness without any: every id is 0x01010101.
type ones struct{}

func (ones) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 1
	}
	return len(b), nil
}

// pack joins datagrams, each behind its length.
func pack(datagrams ...[]byte) (out []byte) {
	for _, d := range datagrams {
		out = append(binary.LittleEndian.AppendUint16(out, uint16(len(d))), d...)
	}
	return out
}
