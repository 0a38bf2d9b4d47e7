package session

import (
	"fmt"
	"time"

	"github.com/pacesync/pacesync/ipmi/wire"
)

// transmitActivate makes the packet that proves the password.
func (s *Session) transmitActivate() []byte {
	r := wire.ActivateRequest{Auth: s.auth, Privilege: s.cfg.Privilege, Challenge: s.challenge.Challenge, Outbound: s.randomID()}
	s.msgSeq++
	s.msg = wire.Request(wire.NetFnApp, wire.CmdActivate, s.msgSeq, r.Append(nil))
	return wire.Append15(nil, s.auth, s.challenge.Session, 0, &s.secret, s.msg.Append(nil))
}

// receiveOutside takes the answer to a command outside of any session.
func (s *Session) receiveOutside(now time.Time, p *wire.Packet) {
	if p.V20() || p.Session != 0 {
		s.drop("packet of a session")
		return
	}
	c, data, ok := s.parseAnswer(p.Body)
	if !ok {
		return
	}
	switch s.state {
	case capabilities:
		s.capable(now, c, data)
	case challenge:
		s.challenged(now, c, data)
	case probe:
		s.fail(ErrPassword, fmt.Sprintf("of user %q: the BMC answers, but not to the log-in; it is not repeated lest the user be locked out", s.cfg.User))
	}
}

// capable takes the answer to Get Channel Authentication Capabilities.
func (s *Session) capable(now time.Time, c wire.Completion, data []byte) {
	if c == wire.Busy || c == wire.Initialising || c == wire.FirmwareUpdate {
		s.resent = true
		return
	}
	var err error
	if c == wire.Done {
		if s.caps, err = wire.ParseAuthCap(data); err != nil {
			s.fail(ErrBadAnswer, err.Error())
			return
		}
	}
	if s.cfg.V20 {
		if c == wire.Done && s.caps.Extended && !s.caps.V20 {
			s.fail(ErrMethod, "the BMC speaks IPMI 1.5 only")
			return
		}
		s.enter(now, opening) // a BMC that does not know the question may well know RMCP+
		return
	}
	if c != wire.Done {
		s.fail(ErrRefused, c.String())
		return
	}
	if !s.chooseAuth() {
		return
	}
	s.enter(now, challenge)
}

// chooseAuth picks the authentication type of 1.5, or fails.
func (s *Session) chooseAuth() bool {
	offered := s.caps
	if s.cfg.Auth != AuthAuto {
		if !offered.Has(s.cfg.Auth) {
			s.fail(ErrMethod, fmt.Sprintf("asked for authentication %v, the BMC offers %s", s.cfg.Auth, offers(offered)))
			return false
		}
		s.auth = s.cfg.Auth
		return true
	}
	order := []wire.AuthType{wire.AuthMD5, wire.AuthPassword}
	if len(s.cfg.Password) == 0 {
		order = append(order, wire.AuthNone)
	}
	for _, a := range order {
		if offered.Has(a) {
			s.auth = a
			return true
		}
	}
	s.fail(ErrMethod, fmt.Sprintf("the BMC offers authentication %s", offers(offered)))
	return false
}

// offers lists authentication types for an operator.
func offers(c wire.AuthCap) string {
	text := ""
	for _, a := range []wire.AuthType{wire.AuthNone, wire.AuthMD2, wire.AuthMD5, wire.AuthPassword} {
		if c.Has(a) {
			text += ", " + a.String()
		}
	}
	if c.V20 {
		text += ", RMCP+ (lanplus)"
	}
	if text == "" {
		return "nothing that is known here"
	}
	return text[2:]
}

// challenged takes the answer to Get Session Challenge.
func (s *Session) challenged(now time.Time, c wire.Completion, data []byte) {
	switch c {
	case wire.Done:
	case 0x81, 0x82: // §22.16: invalid user name; null user name not enabled
		s.fail(ErrUser, fmt.Sprintf("user %q: code %#02x", s.cfg.User, uint8(c)))
		return
	case wire.Busy, wire.Initialising, wire.FirmwareUpdate:
		s.resent = true
		return
	default:
		s.fail(ErrRefused, c.String())
		return
	}
	var err error
	if s.challenge, err = wire.ParseChallenge(data); err != nil {
		s.fail(ErrBadAnswer, err.Error())
		return
	}
	s.enter(now, activate)
}

// receiveActivated takes the answer to Activate Session.
func (s *Session) receiveActivated(now time.Time, p *wire.Packet) {
	if p.V20() || p.Session != s.challenge.Session && p.Session != 0 && p.Auth == wire.AuthNone {
		s.drop("packet of another session")
		return
	}
	if p.Auth != wire.AuthNone && !s.secret.Valid(p) {
		s.drop(wire.ErrForged.Error())
		return
	}
	c, data, ok := s.parseAnswer(p.Body)
	if !ok {
		return
	}
	if c != wire.Done {
		s.activationRefused(c)
		return
	}
	if p.Auth != s.auth {
		s.drop("log-in answered without authentication")
		return
	}
	a, err := wire.ParseActivated(data)
	if err != nil {
		s.fail(ErrBadAnswer, err.Error())
		return
	}
	if a.Auth != s.auth && a.Auth != wire.AuthNone || a.Session == 0 {
		s.fail(ErrBadAnswer, fmt.Sprintf("session %#x with authentication %v, asked for %v", a.Session, a.Auth, s.auth))
		return
	}
	s.auth, s.id, s.seq, s.inbound = a.Auth, a.Session, a.Inbound, wire.Window{}
	s.heard = now
	s.askPrivilege(now)
}

// activationRefused reports why no session was given (§22.17).
func (s *Session) activationRefused(c wire.Completion) {
	switch c {
	case 0x81, 0x82, 0x83, wire.Busy, wire.Initialising, wire.FirmwareUpdate: // no slot: at all, for the user, at the level
		s.fail(ErrBusy, fmt.Sprintf("no session free: %v", c))
	case 0x86, wire.NoPrivilege:
		s.fail(ErrPrivilege, fmt.Sprintf("asked for %v: %v", s.cfg.Privilege, c))
	default:
		// There is no code for a wrong password: BMCs use what seems fit, most none at all.
		s.fail(ErrPassword, fmt.Sprintf("of user %q: %v", s.cfg.User, c))
	}
}
