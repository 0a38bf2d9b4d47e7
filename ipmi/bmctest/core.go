package bmctest

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/pacesync/pacesync/ipmi/wire"
)

// Account is a user of the BMC.
type Account struct {
	Name, Password string
	Max            wire.Privilege // 0: administrator
}

// Config describes a BMC. It is not changed once a Core has it.
type Config struct {
	Users          []Account
	Kg             []byte          // two-key login
	Suites         []int           // nil: 3 and 17; empty: no 2.0
	Auth           []wire.AuthType // nil: MD5 and password; empty: no 1.5
	Switch         Switch          // nil: a quick Machine that is on
	MaxSessions    int             // 0: 4, as the specification wants at least
	SessionTimeout time.Duration   // 0: 60 s
	LockAfter      int             // failed log-ins that lock a user out; 0: never
	HideUsers      bool            // answer unknown users as if their password were wrong
	ForgetRAKP3    bool            // a repeated RAKP message 3 finds no session, as on some BMCs
	Rand           io.Reader       // nil: crypto/rand
	Log            func(string)
}

// Core is a BMC without socket and clock. Its methods are called by one goroutine.
type Core struct {
	cfg      Config
	guid     [16]byte
	sessions []*session
	failures map[string]int
	busy     int
}

type stage uint8

const (
	opened  stage = iota // 2.0: open session answered
	proving              // 2.0: RAKP message 2 sent; 1.5: challenge given
	active
)

type session struct {
	v20       bool
	stage     stage
	id        uint32 // of packets to us
	login     wire.Login
	keys      *wire.Keys
	account   Account
	auth      wire.AuthType
	secret    wire.Secret15
	challenge [16]byte
	seq       uint32 // of the next packet to the console
	inbound   wire.Window
	level     wire.Privilege
	limit     wire.Privilege
	last      time.Time
	request   wire.Message // the last one executed, and its answer: repetitions are not executed again
	answer    wire.Message
}

// NewCore makes a BMC.
func NewCore(cfg Config) *Core {
	if cfg.Suites == nil {
		cfg.Suites = []int{3, 17}
	}
	if cfg.Auth == nil {
		cfg.Auth = []wire.AuthType{wire.AuthMD5, wire.AuthPassword}
	}
	if cfg.Switch == nil {
		cfg.Switch = NewMachine()
	}
	if cfg.MaxSessions == 0 {
		cfg.MaxSessions = 4
	}
	if cfg.SessionTimeout == 0 {
		cfg.SessionTimeout = time.Minute
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	c := &Core{cfg: cfg, failures: map[string]int{}}
	c.guid = c.random16()
	return c
}

// Failures counts the failed log-ins of a user since the last good one.
func (c *Core) Failures(name string) int { return c.failures[name] }

// Sessions counts the sessions that are active.
func (c *Core) Sessions() (n int) {
	for _, s := range c.sessions {
		if s.stage == active {
			n++
		}
	}
	return n
}

// SetBusy makes the next n commands inside sessions answer "busy".
func (c *Core) SetBusy(n int) { c.busy = n }

// DropSessions forgets all sessions, as a BMC that restarts.
func (c *Core) DropSessions() { c.sessions = nil }

func (c *Core) log(format string, args ...any) {
	if c.cfg.Log != nil {
		c.cfg.Log(fmt.Sprintf(format, args...))
	}
}

func (c *Core) random16() (b [16]byte) {
	if _, err := io.ReadFull(c.cfg.Rand, b[:]); err != nil {
		panic("bmctest: no randomness: " + err.Error())
	}
	return b
}

// newID is a session id that is not in use.
func (c *Core) newID() uint32 {
	for {
		b := c.random16()
		if id := binary.LittleEndian.Uint32(b[:]); id != 0 && c.find(id) == nil {
			return id
		}
	}
}

func (c *Core) find(id uint32) *session {
	for _, s := range c.sessions {
		if s.id == id {
			return s
		}
	}
	return nil
}

func (c *Core) remove(gone *session) {
	for i, s := range c.sessions {
		if s == gone {
			c.sessions = append(c.sessions[:i:i], c.sessions[i+1:]...)
			return
		}
	}
}

// add keeps a new session, if there is room. Half-open ones make room.
func (c *Core) add(s *session) bool {
	if len(c.sessions) >= c.cfg.MaxSessions {
		for _, old := range c.sessions {
			if old.stage != active {
				c.remove(old)
				break
			}
		}
	}
	if len(c.sessions) >= c.cfg.MaxSessions {
		return false
	}
	c.sessions = append(c.sessions, s)
	return true
}

func (c *Core) user(name string) (Account, bool) {
	for _, u := range c.cfg.Users {
		if u.Name == name {
			if u.Max == 0 {
				u.Max = wire.Administrator
			}
			return u, c.cfg.LockAfter == 0 || c.failures[name] < c.cfg.LockAfter
		}
	}
	return Account{}, false
}

func (c *Core) failed(name string) {
	c.failures[name]++
	c.log("log-in of %q failed (%d)", name, c.failures[name])
}

// Handle takes a packet and returns the answer, or nil.
func (c *Core) Handle(now time.Time, b []byte) []byte {
	if ping, err := wire.ParsePing(b); err == nil {
		return wire.AppendPong(nil, ping)
	}
	if len(b) > wire.MaxPacket {
		return nil
	}
	p, err := wire.Parse(b)
	if err != nil {
		return nil
	}
	c.expire(now)
	switch {
	case p.Payload != wire.PayloadIPMI:
		return c.setup(now, &p)
	case p.Session == 0:
		return c.outside(now, &p)
	}
	s := c.find(p.Session)
	if s == nil || s.v20 != p.V20() {
		return nil
	}
	if s.stage != active {
		return c.activate(now, s, &p)
	}
	return c.inside(now, s, &p)
}

// expire ends sessions that were silent too long.
func (c *Core) expire(now time.Time) {
	kept := c.sessions[:0:0]
	for _, s := range c.sessions {
		if now.Sub(s.last) < c.cfg.SessionTimeout {
			kept = append(kept, s)
		}
	}
	c.sessions = kept
}

// outside answers commands that need no session.
func (c *Core) outside(now time.Time, p *wire.Packet) []byte {
	m, err := wire.ParseMessage(p.Body)
	if err != nil || m.NetFn != wire.NetFnApp {
		return nil
	}
	code, data := wire.InvalidCommand, []byte(nil)
	switch m.Cmd {
	case wire.CmdGetAuthCap:
		code, data = c.capabilities(m.Data)
	case wire.CmdGetCipherSuites:
		code, data = c.suiteList(m.Data)
	case wire.CmdGetChallenge:
		code, data = c.giveChallenge(now, m.Data)
	}
	body := m.Answer(code, data).Append(nil)
	if p.V20() {
		return wire.AppendPlain(nil, wire.PayloadIPMI, body)
	}
	return wire.Append15(nil, wire.AuthNone, 0, 0, nil, body)
}

func (c *Core) capabilities(b []byte) (wire.Completion, []byte) {
	r, err := wire.ParseAuthCapRequest(b)
	if err != nil {
		return wire.InvalidLength, nil
	}
	caps := wire.AuthCap{Channel: 1, KgSet: len(c.cfg.Kg) > 0, V15: len(c.cfg.Auth) > 0}
	if r.Extended {
		caps.Extended, caps.V20 = true, len(c.cfg.Suites) > 0
	}
	for _, a := range c.cfg.Auth {
		caps.Types |= 1 << a
	}
	for _, u := range c.cfg.Users {
		caps.NullUsers = caps.NullUsers || u.Name == "" && u.Password != ""
		caps.Anonymous = caps.Anonymous || u.Name == "" && u.Password == ""
		caps.NamedUsers = caps.NamedUsers || u.Name != ""
	}
	return wire.Done, caps.Append(nil)
}

// suiteList answers Get Channel Cipher Suites, 16 bytes at a time.
func (c *Core) suiteList(b []byte) (wire.Completion, []byte) {
	if len(b) < 3 {
		return wire.InvalidLength, nil
	}
	var all []byte
	for _, id := range c.cfg.Suites {
		if s, ok := wire.SuiteByID(id); ok {
			all = s.AppendRecord(all)
		}
	}
	from := min(int(b[2]&0x3f)*16, len(all))
	return wire.Done, append([]byte{1}, all[from:min(from+16, len(all))]...)
}

// inside executes a command of a session.
func (c *Core) inside(now time.Time, s *session, p *wire.Packet) []byte {
	body := p.Body
	if s.v20 {
		var err error
		if body, err = s.keys.Open(p); err != nil {
			c.log("%v", err)
			return nil
		}
	} else if p.Auth != s.auth || !s.secret.Valid(p) {
		c.log("%v", wire.ErrForged)
		return nil
	}
	if !s.inbound.Take(p.Seq) {
		return nil
	}
	m, err := wire.ParseMessage(body)
	if err != nil {
		return nil
	}
	s.last = now
	if same(m, s.request) {
		return c.send(s, s.answer)
	}
	code, data := c.command(now, s, m)
	m.Data = append([]byte(nil), m.Data...)
	s.request, s.answer = m, m.Answer(code, data)
	if code == wire.Busy {
		s.request = wire.Message{} // the same request may well succeed later
	}
	return c.send(s, s.answer)
}

func same(a, b wire.Message) bool {
	return a.To == b.To && a.Seq == b.Seq && a.NetFn == b.NetFn && a.Cmd == b.Cmd && string(a.Data) == string(b.Data)
}

func (c *Core) send(s *session, m wire.Message) []byte {
	seq := s.seq
	s.seq++
	if s.v20 {
		return s.keys.Seal(nil, s.login.Console, seq, c.random16(), wire.PayloadIPMI, m.Append(nil))
	}
	return wire.Append15(nil, s.auth, s.id, seq, &s.secret, m.Append(nil))
}

// command executes one command.
func (c *Core) command(now time.Time, s *session, m wire.Message) (wire.Completion, []byte) {
	if c.busy > 0 {
		c.busy--
		return wire.Busy, nil
	}
	switch {
	case m.NetFn == wire.NetFnApp && m.Cmd == wire.CmdSetPrivilege:
		return c.setPrivilege(s, m.Data)
	case m.NetFn == wire.NetFnApp && m.Cmd == wire.CmdCloseSession:
		return c.closeSession(s, m.Data)
	case m.NetFn == wire.NetFnApp && m.Cmd == wire.CmdGetDeviceID:
		// Device 0x20, firmware 1.0, IPMI 2.0, chassis device; no manufacturer.
		return wire.Done, []byte{0x20, 0, 1, 0, 0x02, 0x80, 0, 0, 0, 0, 0}
	case m.NetFn == wire.NetFnApp && m.Cmd == wire.CmdGetAuthCap:
		return c.capabilities(m.Data)
	case m.NetFn == wire.NetFnChassis && m.Cmd == wire.CmdGetChassisStatus:
		return wire.Done, wire.ChassisStatus{On: c.cfg.Switch.On(now), RestorePolicy: 1}.Append(nil)
	case m.NetFn == wire.NetFnChassis && m.Cmd == wire.CmdChassisControl:
		if s.level < wire.Operator {
			return wire.NoPrivilege, nil
		}
		if len(m.Data) < 1 {
			return wire.InvalidLength, nil
		}
		what := wire.Control(m.Data[0] & 0x0f)
		code := c.cfg.Switch.Control(now, what)
		c.log("chassis control %v by %q: %v", what, s.account.Name, code)
		return code, nil
	}
	return wire.InvalidCommand, nil
}

func (c *Core) setPrivilege(s *session, b []byte) (wire.Completion, []byte) {
	if len(b) < 1 {
		return wire.InvalidLength, nil
	}
	if want := wire.Privilege(b[0] & 0x0f); want > s.limit || want == wire.Callback {
		return 0x81, nil // above the limit of user or session (§22.18)
	} else if want != 0 {
		s.level = want
	}
	return wire.Done, []byte{byte(s.level)}
}

func (c *Core) closeSession(s *session, b []byte) (wire.Completion, []byte) {
	if len(b) < 4 {
		return wire.InvalidLength, nil
	}
	gone := c.find(binary.LittleEndian.Uint32(b))
	if gone == nil || gone != s && s.level < wire.Administrator {
		return 0x87, nil // invalid session id (§22.19)
	}
	c.remove(gone)
	return wire.Done, nil
}
