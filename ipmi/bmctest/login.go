package bmctest

import (
	"crypto/hmac"
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/ipmi/wire"
)

// setup answers the session set-up of 2.0.
func (c *Core) setup(now time.Time, p *wire.Packet) []byte {
	if p.Signed || p.Encrypted {
		return nil
	}
	switch p.Payload {
	case wire.PayloadOpenReq:
		if r, err := wire.ParseOpenRequest(p.Body); err == nil {
			return wire.AppendPlain(nil, wire.PayloadOpenResp, c.open(now, r).Append(nil))
		}
	case wire.PayloadRAKP1:
		if r, err := wire.ParseRAKP1(p.Body); err == nil {
			return wire.AppendPlain(nil, wire.PayloadRAKP2, c.rakp1(now, r).Append(nil))
		}
	case wire.PayloadRAKP3:
		if r, err := wire.ParseRAKP3(p.Body); err == nil {
			return c.rakp3(now, r)
		}
	}
	return nil
}

func (c *Core) open(now time.Time, r wire.OpenRequest) wire.OpenResponse {
	out := wire.OpenResponse{Tag: r.Tag, Console: r.Console, Privilege: r.Privilege, Suite: r.Suite}
	if out.Privilege == 0 {
		out.Privilege = wire.Administrator
	}
	if !slices.Contains(c.cfg.Suites, r.Suite.ID) {
		out.Status = wire.StatusNoSuite
		return out
	}
	s := &session{v20: true, id: c.newID(), last: now, limit: out.Privilege}
	s.login = wire.Login{Suite: r.Suite, Console: r.Console, BMC: s.id, GUID: c.guid, Kg: c.cfg.Kg}
	if !c.add(s) {
		out.Status = wire.StatusResources
		return out
	}
	out.BMC = s.id
	return out
}

func (c *Core) rakp1(now time.Time, r wire.RAKP1) wire.RAKP2 {
	out := wire.RAKP2{Tag: r.Tag}
	s := c.find(r.BMC)
	if s == nil || !s.v20 || s.stage == active {
		out.Status = wire.StatusBadSession
		return out
	}
	out.Console = s.login.Console
	u, known := c.user(r.Name)
	if !known {
		c.log("no user %q", r.Name)
		if !c.cfg.HideUsers {
			out.Status = wire.StatusName
			return out
		}
		junk := c.random16()
		u = Account{Name: r.Name, Password: string(junk[:]), Max: wire.Administrator}
	}
	role := wire.Privilege(r.Role & 0x0f)
	if role == 0 {
		role = u.Max
	}
	if role > u.Max {
		out.Status = wire.StatusRole
		return out
	}
	s.stage, s.account, s.limit, s.last = proving, u, min(role, s.limit), now
	s.login.Rm, s.login.Role, s.login.Name, s.login.Password = r.Random, r.Role, r.Name, []byte(u.Password)
	s.login.Rc = c.random16()
	out.Random, out.GUID, out.Code = s.login.Rc, c.guid, s.login.Code2()
	return out
}

func (c *Core) rakp3(now time.Time, r wire.RAKP3) []byte {
	out := wire.RAKP4{Tag: r.Tag}
	reply := func() []byte { return wire.AppendPlain(nil, wire.PayloadRAKP4, out.Append(nil)) }
	s := c.find(r.BMC)
	if s == nil || !s.v20 || s.stage == opened || s.stage == active && c.cfg.ForgetRAKP3 {
		out.Status = wire.StatusBadSession
		return reply()
	}
	out.Console = s.login.Console
	if r.Status != wire.StatusOK {
		if s.stage == proving {
			c.failed(s.account.Name)
			c.remove(s)
		}
		return nil // the console ended the log-in; there is nothing to say
	}
	if !hmac.Equal(r.Code, s.login.Code3()) {
		if s.stage == proving {
			c.failed(s.account.Name)
			c.remove(s)
		}
		out.Status = wire.StatusCheckValue
		return reply()
	}
	out.Code = s.login.Code4()
	if s.stage == proving {
		s.stage, s.keys, s.seq, s.level, s.last = active, s.login.Keys(), 1, min(wire.User, s.limit), now
		c.failures[s.account.Name] = 0
		c.log("%q logged in with %v", s.account.Name, s.login.Suite)
	}
	return reply()
}

// giveChallenge starts the log-in of 1.5.
func (c *Core) giveChallenge(now time.Time, b []byte) (wire.Completion, []byte) {
	r, err := wire.ParseChallengeRequest(b)
	if err != nil {
		return wire.InvalidLength, nil
	}
	if !slices.Contains(c.cfg.Auth, r.Auth) {
		return wire.InvalidField, nil
	}
	name := strings.TrimRight(string(r.Name[:]), "\x00")
	u, known := c.user(name)
	if !known {
		c.log("no user %q", name)
		if name == "" {
			return 0x82, nil // null user name not enabled (§22.16)
		}
		return 0x81, nil // invalid user name
	}
	s := &session{id: c.newID(), stage: proving, account: u, auth: r.Auth, challenge: c.random16(), last: now}
	copy(s.secret[:], u.Password)
	if !c.add(s) {
		return wire.Busy, nil
	}
	return wire.Done, wire.Challenge{Session: s.id, Challenge: s.challenge}.Append(nil)
}

// activate checks the proof of a 1.5 log-in.
func (c *Core) activate(now time.Time, s *session, p *wire.Packet) []byte {
	m, err := wire.ParseMessage(p.Body)
	if err != nil || s.v20 || m.NetFn != wire.NetFnApp || m.Cmd != wire.CmdActivate {
		return nil
	}
	r, err := wire.ParseActivateRequest(m.Data)
	if err != nil {
		return nil
	}
	if p.Auth != s.auth || !s.secret.Valid(p) || r.Challenge != s.challenge {
		c.failed(s.account.Name)
		c.remove(s)
		return nil // 1.5 has no words for it (§6.12.11)
	}
	if r.Privilege > s.account.Max {
		return wire.Append15(nil, s.auth, s.id, 0, &s.secret, m.Answer(0x86, nil).Append(nil))
	}
	temporary := s.id
	s.id, s.stage, s.seq, s.last = c.newID(), active, r.Outbound, now
	s.limit, s.level = r.Privilege, min(wire.User, r.Privilege)
	first := c.random16()
	inbound := uint32(first[0]) + 1
	c.failures[s.account.Name] = 0
	c.log("%q logged in with %v", s.account.Name, s.auth)
	done := wire.Activated{Auth: s.auth, Session: s.id, Inbound: inbound, Privilege: r.Privilege}
	return wire.Append15(nil, s.auth, temporary, 0, &s.secret, m.Answer(wire.Done, done.Append(nil)).Append(nil))
}
