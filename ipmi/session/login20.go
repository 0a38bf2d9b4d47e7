package session

import (
	"bytes"
	"crypto/hmac"
	"fmt"
	"time"

	"github.com/pacesync/pacesync/ipmi/wire"
)

// transmitRAKP makes the packet of a 2.0 log-in step. Each has a new tag.
func (s *Session) transmitRAKP() []byte {
	s.tag++
	switch s.state {
	case opening:
		suite, _ := wire.SuiteByID(s.cfg.Suites[s.proposal])
		s.login = wire.Login{
			Suite: suite, Console: s.randomID(), Role: wire.Role(s.cfg.Privilege),
			Name: s.cfg.User, Password: s.cfg.Password, Kg: s.cfg.Kg,
		}
		r := wire.OpenRequest{Tag: s.tag, Privilege: s.cfg.Privilege, Console: s.login.Console, Suite: suite}
		return wire.AppendPlain(nil, wire.PayloadOpenReq, r.Append(nil))
	case rakp1:
		s.login.Rm = s.random16()
		r := wire.RAKP1{Tag: s.tag, BMC: s.login.BMC, Random: s.login.Rm, Role: s.login.Role, Name: s.login.Name}
		return wire.AppendPlain(nil, wire.PayloadRAKP1, r.Append(nil))
	default:
		r := wire.RAKP3{Tag: s.tag, BMC: s.login.BMC, Code: s.login.Code3()}
		return wire.AppendPlain(nil, wire.PayloadRAKP3, r.Append(nil))
	}
}

// receiveRAKP takes a packet of a 2.0 log-in.
func (s *Session) receiveRAKP(now time.Time, p *wire.Packet) {
	if !p.V20() || p.Signed || p.Encrypted {
		s.drop("no packet of session setup")
		return
	}
	want := answerTo(s.state)
	if p.Payload != want {
		s.drop(fmt.Sprintf("payload %#x, want %#x", uint8(p.Payload), uint8(want)))
		return
	}
	switch s.state {
	case opening:
		s.opened(now, p.Body)
	case rakp1:
		s.receiveRAKP2(now, p.Body)
	case rakp3:
		s.receiveRAKP4(now, p.Body)
	}
}

// answerTo is the payload that answers a step.
func answerTo(s state) wire.PayloadType {
	switch s {
	case opening:
		return wire.PayloadOpenResp
	case rakp1:
		return wire.PayloadRAKP2
	}
	return wire.PayloadRAKP4
}

// current tells whether an answer is to the newest transmission.
func (s *Session) current(tag uint8, console uint32, st wire.Status) bool {
	// Some BMCs leave the session id out of refusals.
	if tag != s.tag || console != s.login.Console && st == wire.StatusOK {
		s.drop("answer to a former packet")
		return false
	}
	return true
}

func (s *Session) opened(now time.Time, b []byte) {
	r, err := wire.ParseOpenResponse(b)
	if err != nil {
		s.drop(err.Error())
		return
	}
	if !s.current(r.Tag, r.Console, r.Status) {
		return
	}
	if r.Status != wire.StatusOK {
		s.openRefused(now, r.Status)
		return
	}
	ours := false
	for _, id := range s.cfg.Suites {
		ours = ours || id == r.Suite.ID
	}
	if !ours || r.BMC == 0 {
		s.fail(ErrCipher, fmt.Sprintf("asked for %v, the BMC insists on %v", s.login.Suite, r.Suite))
		return
	}
	s.login.Suite, s.login.BMC = r.Suite, r.BMC
	s.enter(now, rakp1)
}

func (s *Session) openRefused(now time.Time, st wire.Status) {
	switch st {
	case wire.StatusBadAuth, wire.StatusBadIntegrity, wire.StatusNoAuth, wire.StatusNoIntegrity, wire.StatusBadCrypt, wire.StatusNoSuite:
		if s.proposal+1 < len(s.cfg.Suites) {
			s.proposal++
			s.enter(now, opening)
			return
		}
		s.fail(ErrCipher, fmt.Sprintf("%v: %v", s.login.Suite, st))
	default:
		s.statusFailed(st)
	}
}

// statusFailed reports a status that means the same in every step.
func (s *Session) statusFailed(st wire.Status) {
	switch st {
	case wire.StatusResources, wire.StatusRoleBusy:
		s.fail(ErrBusy, st.String())
	case wire.StatusRole, wire.StatusBadRole:
		s.fail(ErrPrivilege, fmt.Sprintf("asked for %v: %v", s.cfg.Privilege, st))
	case wire.StatusName, wire.StatusNameLength:
		s.fail(ErrUser, fmt.Sprintf("user %q: %v", s.cfg.User, st))
	case wire.StatusCheckValue:
		s.fail(ErrPassword, fmt.Sprintf("user %q: %v", s.cfg.User, st))
	default:
		s.fail(ErrRefused, st.String())
	}
}

func (s *Session) receiveRAKP2(now time.Time, b []byte) {
	r, err := wire.ParseRAKP2(b)
	if err != nil {
		s.drop(err.Error())
		return
	}
	if !s.current(r.Tag, r.Console, r.Status) {
		return
	}
	if r.Status != wire.StatusOK {
		s.statusFailed(r.Status)
		return
	}
	s.login.Rc, s.login.GUID = r.Random, r.GUID
	if !hmac.Equal(s.login.Code2(), r.Code) {
		// Tell the BMC, so that it frees the half-open session, and stop: the
		// password is not the BMC's and trying it once more can only lock the user out.
		s.tag++
		bye := wire.RAKP3{Tag: s.tag, Status: wire.StatusCheckValue, BMC: s.login.BMC}
		s.out.Send = append(s.out.Send, wire.AppendPlain(nil, wire.PayloadRAKP3, bye.Append(nil)))
		s.fail(ErrPassword, fmt.Sprintf("of user %q; or the BMC hides that it does not know the user", s.cfg.User))
		return
	}
	s.enter(now, rakp3)
}

func (s *Session) receiveRAKP4(now time.Time, b []byte) {
	r, err := wire.ParseRAKP4(b)
	if err != nil {
		s.drop(err.Error())
		return
	}
	if !s.currentRAKP4(r) {
		s.drop("answer to a former packet")
		return
	}
	switch r.Status {
	case wire.StatusOK:
	case wire.StatusBadSession, wire.StatusInactive, wire.StatusCheckValue:
		// Message 2 has shown that the BMC knows the same password. So either it
		// took our first proof, its answer was lost, and the repetition finds no
		// session that waits for one; or the network doubled our message 1 and the
		// BMC has drawn another random number since: start again.
		if s.restarts < maxRestarts {
			s.restarts++
			s.enter(now, opening)
			return
		}
		s.fail(ErrRefused, fmt.Sprintf("the BMC knows the password of user %q and does not take it: %v", s.cfg.User, r.Status))
		return
	default:
		s.statusFailed(r.Status)
		return
	}
	if !bytes.Equal(s.login.Code4(), r.Code) {
		detail := "the BMC's own proof does not match, though the password does"
		if s.caps.KgSet && len(s.cfg.Kg) == 0 {
			detail = "the BMC has a key of its own, none is configured here"
		}
		s.fail(ErrKey, detail)
		return
	}
	s.keys = s.login.Keys()
	s.id, s.seq, s.inbound = s.login.BMC, 1, wire.Window{}
	s.heard = now
	s.askPrivilege(now)
}

// currentRAKP4 takes an answer to any transmission of message 3: they are all
// the same but for the tag.
func (s *Session) currentRAKP4(r wire.RAKP4) bool {
	behind := s.tag - r.Tag
	return int(behind) < s.sent && (r.Console == s.login.Console || r.Status != wire.StatusOK)
}

func (s *Session) askPrivilege(now time.Time) {
	s.ask(now, privilege, wire.NetFnApp, wire.CmdSetPrivilege, []byte{byte(s.cfg.Privilege)})
}
