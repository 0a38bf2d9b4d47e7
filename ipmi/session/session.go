package session

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/pacesync/pacesync/ipmi/wire"
)

// AuthAuto lets the session choose among what a 1.5 BMC offers: MD5, then the
// plain password, and none only without a password.
const AuthAuto wire.AuthType = 0xff

// idleLimit is when a silent session counts as gone: BMCs end them after 60
// seconds, give or take 3 (§6.12.15).
const idleLimit = 55 * time.Second

// maxRestarts is how often a log-in starts again after its password was found right.
// Each time may count as a failed attempt in the BMC.
const maxRestarts = 1

// Limits of the specification (§22.16, §22.30).
const (
	MaxName       = wire.NameSize
	MaxPassword15 = 16
	MaxPassword20 = 20
)

// Config says how to log in. It is not changed.
type Config struct {
	V20       bool          // RMCP+; else 1.5
	Suites    []int         // 2.0: cipher suites to propose, in order; only these are accepted
	Auth      wire.AuthType // 1.5
	Privilege wire.Privilege
	User      string
	Password  []byte
	Kg        []byte        // 2.0: the BMC's key; empty: one-key login
	Timeout   time.Duration // wait for the first answer; repetitions wait half of it longer each
	Retries   int           // repetitions after the first transmission
	Rand      io.Reader     // must not fail
}

// Valid tells what cannot work before any packet is sent.
func (c *Config) Valid() error {
	longest := MaxPassword15
	if c.V20 {
		longest = MaxPassword20
	}
	switch {
	case len(c.User) > MaxName:
		return fmt.Errorf("user name of %d bytes, IPMI allows %d", len(c.User), MaxName)
	case len(c.Password) > longest:
		return fmt.Errorf("password of %d bytes, this version of IPMI allows %d", len(c.Password), longest)
	case len(c.Kg) > MaxPassword20:
		return fmt.Errorf("BMC key of %d bytes, IPMI allows %d", len(c.Kg), MaxPassword20)
	case c.Privilege < wire.Callback || c.Privilege > wire.Administrator:
		return fmt.Errorf("privilege %d, want callback to administrator", c.Privilege)
	case c.V20 && len(c.Suites) == 0:
		return fmt.Errorf("no cipher suite")
	case c.Timeout <= 0 || c.Retries < 0 || c.Rand == nil:
		return fmt.Errorf("timeout, retries or randomness missing")
	}
	for _, id := range c.Suites {
		if _, ok := wire.SuiteByID(id); !ok {
			return fmt.Errorf("cipher suite %d is not spoken here (1, 2, 3, 15, 16, 17 are): it lacks authentication or rests on broken algorithms", id)
		}
	}
	if a := c.Auth; !c.V20 && a != AuthAuto && a != wire.AuthNone && a != wire.AuthMD5 && a != wire.AuthPassword {
		return fmt.Errorf("authentication type %v is not spoken here: none, md5, password are", a)
	}
	return nil
}

// Event is what Step takes: Open, Command, Close, Datagram, Tick.
type Event interface{ event() }

type (
	// Open starts the log-in; a Result follows.
	Open struct{}
	// Command asks something within the session; a Result follows.
	Command struct {
		Name  string // for errors
		NetFn wire.NetFn
		Cmd   wire.Cmd
		Data  []byte
	}
	// Close ends the session; a Result follows.
	Close struct{}
	// Datagram is a packet from the BMC's address.
	Datagram struct{ Bytes []byte }
	// Tick says that Deadline may have passed.
	Tick struct{}
)

func (Open) event()     {}
func (Command) event()  {}
func (Close) event()    {}
func (Datagram) event() {}
func (Tick) event()     {}

// Result ends an Open, Command or Close. Data is what follows the completion code.
type Result struct {
	Data []byte
	Err  error // nil or *Error
}

// Output is what has to be done, in this order: send, then use the result.
type Output struct {
	Send    [][]byte
	Result  *Result
	Dropped []string // packets that were not for us, and why
}

type state uint8

const (
	idle state = iota
	capabilities
	opening
	rakp1
	rakp3
	challenge
	activate
	probe
	privilege
	ready
	command
	closing
	closed
)

func (s state) String() string {
	return [...]string{"idle", "get authentication capabilities", "open session", "RAKP message 1", "RAKP message 3",
		"get session challenge", "activate session", "activate session", "set session privilege", "ready", "command", "close session", "closed"}[s]
}

// Session is one session. All methods must be called from one goroutine.
type Session struct {
	cfg      Config
	state    state
	deadline time.Time
	sent     int // transmissions in this state
	heard    time.Time
	resent   bool // busy: wait for the deadline, then ask again
	out      Output

	cmd    Command // of state command
	msg    wire.Message
	msgSeq uint8

	caps     wire.AuthCap
	proposal int // index in cfg.Suites
	restarts int
	tag      uint8
	login    wire.Login
	keys     *wire.Keys

	auth      wire.AuthType // 1.5
	secret    wire.Secret15
	challenge wire.Challenge

	id      uint32 // of packets to the BMC
	seq     uint32 // of the next packet to the BMC
	inbound wire.Window
}

// New makes a session; nothing is sent before Open.
func New(cfg Config) (*Session, error) {
	if err := cfg.Valid(); err != nil {
		return nil, err
	}
	s := &Session{cfg: cfg}
	copy(s.secret[:], cfg.Password)
	return s, nil
}

// Deadline is when Step wants a Tick; zero: never.
func (s *Session) Deadline() time.Time { return s.deadline }

// Take returns and forgets what Step has produced.
func (s *Session) Take() Output {
	o := s.out
	s.out = Output{}
	return o
}

// Ready tells whether a Command can be given.
func (s *Session) Ready() bool { return s.state == ready }

// Step advances the session. A Command or Open at the wrong time is a bug of
// the caller and panics.
func (s *Session) Step(now time.Time, e Event) {
	switch e := e.(type) {
	case Open:
		s.must(idle)
		s.enter(now, capabilities)
	case Command:
		s.must(ready)
		s.cmd = e
		if now.Sub(s.heard) > idleLimit {
			s.fail(ErrExpired, fmt.Sprintf("silent for %v", now.Sub(s.heard).Round(time.Second)))
			return
		}
		s.ask(now, command, e.NetFn, e.Cmd, e.Data)
	case Close:
		s.close(now)
	case Datagram:
		s.receive(now, e.Bytes)
	case Tick:
		if !s.deadline.IsZero() && !now.Before(s.deadline) {
			s.expire(now)
		}
	}
}

func (s *Session) must(want state) {
	if s.state != want {
		panic(fmt.Sprintf("ipmi/session: %v, want %v", s.state, want))
	}
}

func (s *Session) close(now time.Time) {
	if s.state != ready {
		s.state, s.deadline = closed, time.Time{}
		s.out.Result = &Result{}
		return
	}
	s.ask(now, closing, wire.NetFnApp, wire.CmdCloseSession, binary.LittleEndian.AppendUint32(nil, s.id))
}

// enter goes to a state of log-in and sends its packet.
func (s *Session) enter(now time.Time, to state) {
	s.state, s.sent = to, 0
	s.transmit(now)
}

// ask sends a command inside the session.
func (s *Session) ask(now time.Time, to state, f wire.NetFn, c wire.Cmd, data []byte) {
	s.msgSeq++
	s.msg = wire.Request(f, c, s.msgSeq, data)
	s.enter(now, to)
}

// wait is how long the n-th transmission (from 1) is waited for.
func (s *Session) wait(n int) time.Duration {
	return s.cfg.Timeout + s.cfg.Timeout*time.Duration(n-1)/2
}

// transmit sends the packet of the present state, the first time or again.
func (s *Session) transmit(now time.Time) {
	s.sent++
	s.resent = false
	s.deadline = now.Add(s.wait(s.sent))
	var p []byte
	switch s.state {
	case capabilities, probe:
		ask := wire.AuthCapRequest{Extended: s.cfg.V20, Channel: wire.ThisChannel, Privilege: s.cfg.Privilege}
		p = s.outside(wire.CmdGetAuthCap, ask.Append(nil))
	case opening, rakp1, rakp3:
		p = s.transmitRAKP()
	case challenge:
		ask := wire.ChallengeRequest{Auth: s.auth}
		copy(ask.Name[:], s.cfg.User)
		p = s.outside(wire.CmdGetChallenge, ask.Append(nil))
	case activate:
		p = s.transmitActivate()
	default:
		p = s.inside()
	}
	s.out.Send = append(s.out.Send, p)
}

// outside is a 1.5 packet outside of any session.
func (s *Session) outside(c wire.Cmd, data []byte) []byte {
	s.msgSeq++
	s.msg = wire.Request(wire.NetFnApp, c, s.msgSeq, data)
	return wire.Append15(nil, wire.AuthNone, 0, 0, nil, s.msg.Append(nil))
}

// inside is a packet of the session, with a sequence number of its own.
func (s *Session) inside() []byte {
	seq := s.seq
	if s.seq++; s.seq == 0 {
		s.seq = 1 // 0 is for packets outside of sessions
	}
	if s.cfg.V20 {
		return s.keys.Seal(nil, s.id, seq, s.random16(), wire.PayloadIPMI, s.msg.Append(nil))
	}
	return wire.Append15(nil, s.auth, s.id, seq, &s.secret, s.msg.Append(nil))
}

func (s *Session) random16() (b [16]byte) {
	if _, err := io.ReadFull(s.cfg.Rand, b[:]); err != nil {
		panic("ipmi/session: no randomness: " + err.Error())
	}
	return b
}

// randomID is a random number other than 0.
func (s *Session) randomID() uint32 {
	for {
		if b := s.random16(); binary.LittleEndian.Uint32(b[:]) != 0 {
			return binary.LittleEndian.Uint32(b[:])
		}
	}
}

// step names what is under way, for errors.
func (s *Session) step() string {
	if s.state == command && s.cmd.Name != "" {
		return s.cmd.Name
	}
	return s.state.String()
}

// fail ends the session with an error.
func (s *Session) fail(k Kind, detail string) {
	s.out.Result = &Result{Err: &Error{Kind: k, Step: s.step(), Detail: detail}}
	s.state, s.deadline = closed, time.Time{}
}

// drop notes a packet that is ignored.
func (s *Session) drop(why string) { s.out.Dropped = append(s.out.Dropped, why) }

// expire repeats the present packet or gives up.
func (s *Session) expire(now time.Time) {
	if s.state == activate {
		s.enter(now, probe)
		return
	}
	if s.sent <= s.cfg.Retries {
		if s.resent && s.state == command {
			s.msgSeq++ // the BMC has answered: this is a new request
			s.msg.Seq = s.msgSeq & 0x3f
		}
		s.transmit(now)
		return
	}
	tries := fmt.Sprintf("%d packets sent", s.sent)
	switch s.state {
	case opening:
		if s.proposal+1 < len(s.cfg.Suites) { // some BMCs ignore what they do not know
			s.proposal++
			s.enter(now, opening)
			return
		}
		s.fail(ErrNoAnswer, fmt.Sprintf("%s; it answered before, it may not support cipher suite %d", tries, s.cfg.Suites[s.proposal]))
	case rakp1:
		s.fail(ErrUser, fmt.Sprintf("the BMC, which answered before, ignores user %q; %s", s.cfg.User, tries))
	case rakp3:
		if s.restarts < maxRestarts { // our proof or its answers were lost, and the BMC does not repeat itself
			s.restarts++
			s.enter(now, opening)
			return
		}
		s.fail(ErrNoAnswer, "the BMC knows the password but does not take ours; "+tries)
	case challenge:
		s.fail(ErrUser, fmt.Sprintf("the BMC, which answered before, ignores user %q; %s", s.cfg.User, tries))
	case closing:
		s.finish(nil) // the BMC ends the session by itself
		s.state = closed
	default:
		if s.resent {
			s.fail(ErrBusy, tries)
			return
		}
		s.fail(ErrNoAnswer, tries)
	}
}

// finish reports success of what was asked.
func (s *Session) finish(data []byte) {
	s.out.Result = &Result{Data: data}
	s.state, s.deadline = ready, time.Time{}
}

// receive takes a packet.
func (s *Session) receive(now time.Time, b []byte) {
	if len(b) > wire.MaxPacket {
		s.drop("packet too long")
		return
	}
	p, err := wire.Parse(b)
	if err != nil {
		s.drop(err.Error())
		return
	}
	switch s.state {
	case idle, ready, closed:
		s.drop("nothing was asked")
	case capabilities, challenge, probe:
		s.receiveOutside(now, &p)
	case opening, rakp1, rakp3:
		s.receiveRAKP(now, &p)
	case activate:
		s.receiveActivated(now, &p)
	default:
		s.receiveInside(now, &p)
	}
}

// parseAnswer reads the answer to the message last sent.
func (s *Session) parseAnswer(body []byte) (wire.Completion, []byte, bool) {
	m, err := wire.ParseMessage(body)
	if err != nil {
		s.drop(err.Error())
		return 0, nil, false
	}
	if m.NetFn != s.msg.NetFn.Response() || m.Cmd != s.msg.Cmd || m.Seq != s.msg.Seq || len(m.Data) == 0 {
		s.drop("answer to something else")
		return 0, nil, false
	}
	return wire.Completion(m.Data[0]), m.Data[1:], true
}

// receiveInside takes a packet of the session.
func (s *Session) receiveInside(now time.Time, p *wire.Packet) {
	body, err := s.authentic(p)
	if err != nil {
		s.drop(err.Error())
		return
	}
	c, data, ok := s.parseAnswer(body)
	if !ok {
		return
	}
	s.heard = now
	switch c {
	case wire.Done:
	case wire.Busy, wire.FirmwareUpdate, wire.Initialising, wire.NoDuplicate:
		s.resent = true // ask again when the deadline comes
		return
	case wire.NoPrivilege:
		s.answered(ErrPrivilege, c)
		return
	default:
		s.refused(c)
		return
	}
	switch s.state {
	case privilege:
		if len(data) > 0 && wire.Privilege(data[0]&0x0f) < s.cfg.Privilege {
			s.fail(ErrPrivilege, fmt.Sprintf("asked for %v, got %v", s.cfg.Privilege, wire.Privilege(data[0]&0x0f)))
			return
		}
		s.finish(nil)
	case closing:
		s.finish(nil)
		s.state = closed
	default:
		s.finish(append([]byte(nil), data...))
	}
}

// refused reports a completion code other than success.
func (s *Session) refused(c wire.Completion) {
	switch s.state {
	case privilege: // §22.18: 80h not available to this user, 81h above the limit of user or channel
		s.fail(ErrPrivilege, fmt.Sprintf("asked for %v, %v", s.cfg.Privilege, c))
	case closing:
		s.finish(nil)
		s.state = closed
	default:
		s.answered(ErrRefused, c)
	}
}

// answered reports an error of a command; the session itself stays usable.
func (s *Session) answered(k Kind, c wire.Completion) {
	err := &Error{Kind: k, Step: s.step(), Detail: c.String(), Completion: c}
	if s.state != command {
		s.fail(k, c.String())
		return
	}
	s.finish(nil)
	s.out.Result.Err = err
}

// authentic checks that a packet is of this session, from the BMC, and new.
func (s *Session) authentic(p *wire.Packet) (body []byte, err error) {
	if p.V20() != s.cfg.V20 {
		return nil, fmt.Errorf("packet of another version")
	}
	if s.cfg.V20 {
		if p.Session != s.login.Console || p.Payload != wire.PayloadIPMI {
			return nil, fmt.Errorf("packet of another session")
		}
		if body, err = s.keys.Open(p); err != nil {
			return nil, err
		}
	} else {
		if p.Session != s.id {
			return nil, fmt.Errorf("packet of another session")
		}
		if p.Auth != s.auth || !s.secret.Valid(p) {
			return nil, wire.ErrForged
		}
		body = p.Body
	}
	if p.Seq == 0 && s.auth == wire.AuthNone && !s.cfg.V20 {
		return body, nil // without authentication a BMC need not count (§6.12.12)
	}
	if !s.inbound.Take(p.Seq) {
		return nil, fmt.Errorf("packet %d seen before", p.Seq)
	}
	return body, nil
}
