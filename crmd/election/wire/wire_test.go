package wire

import (
	"errors"
	"testing"
	"time"

	"github.com/pacesync/pacesync/crmd/election"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func TestRoundTrip(t *testing.T) {
	for _, tc := range []struct {
		m    election.Message
		text string
	}{
		{election.Message{Op: election.Vote, From: "p1", Version: "3.16.1", Owner: "1", Round: 3, Age: 2*time.Second + 70123*time.Microsecond},
			`<create_request_adv origin="election_vote" t="crmd" version="3.16.1" subt="request" reference="vote-crmd-1700000000-5" crm_task="vote"` +
				` crm_sys_to="crmd" crm_sys_from="crmd" election-owner="1" election-id="3" election-age-sec="2" election-age-nano-sec="70123"/>`},
		{election.Message{Op: election.NoVote, From: "p1", To: "p2", Version: "3.16.1", Owner: "2", Round: 1},
			`<create_request_adv origin="send_no_vote" t="crmd" version="3.16.1" subt="request" reference="vote-crmd-1700000000-5" crm_task="no-vote"` +
				` crm_sys_to="crmd" crm_sys_from="crmd" crm_host_to="p2" election-owner="2" election-id="1"/>`},
	} {
		n := Encode(tc.m, "vote-crmd-1700000000-5")
		if got := n.String(); got != tc.text {
			t.Errorf("encoded\n %s\nwant\n %s", got, tc.text)
		}
		if got, err := Decode(n, "p1"); err != nil || got != tc.m {
			t.Errorf("decoded %+v, %v; want %+v", got, err, tc.m)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	vote := func(change func(*xmltree.Node)) *xmltree.Node {
		n := Encode(election.Message{Op: election.Vote, From: "p1", Version: "3.16.1", Owner: "1", Round: 3}, "r")
		change(n)
		return n
	}
	for name, change := range map[string]func(*xmltree.Node){
		"no owner":       func(n *xmltree.Node) { n.Unset("election-owner") },
		"no round":       func(n *xmltree.Node) { n.Unset("election-id") },
		"negative round": func(n *xmltree.Node) { n.Set("election-id", "-1") },
		"huge round":     func(n *xmltree.Node) { n.Set("election-id", "99999999999") },
		"no version":     func(n *xmltree.Node) { n.Unset("version") },
		"negative age":   func(n *xmltree.Node) { n.Set("election-age-sec", "-1") },
		"huge age":       func(n *xmltree.Node) { n.Set("election-age-nano-sec", "9223372036854775807") },
	} {
		if m, err := Decode(vote(change), "p1"); err == nil || errors.Is(err, ErrNotElection) {
			t.Errorf("%s: decoded %+v, %v", name, m, err)
		}
	}
	if _, err := Decode(vote(func(n *xmltree.Node) { n.Set("crm_task", "join_offer") }), "p1"); !errors.Is(err, ErrNotElection) {
		t.Errorf("join_offer: %v", err)
	}
	if m, err := Decode(vote(func(n *xmltree.Node) { n.Unset("election-age-sec") }), "p1"); err != nil || m.Age != 0 {
		t.Errorf("an absent age is zero: %+v, %v", m, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(election.Message{Op: election.Vote, Version: "3.16.1", Owner: "1", Round: 3, Age: time.Second}, "r").String())
	f.Add(Encode(election.Message{Op: election.NoVote, Version: "3.16.1", Owner: "1", Round: 3}, "r").String())
	f.Add(`<a crm_task="vote" version="1" election-owner="1" election-id="1" election-age-sec="4294967296" election-age-nano-sec="4294967296"/>`)
	f.Fuzz(func(t *testing.T, text string) {
		n, err := xmltree.Parse([]byte(text), xmltree.Limits{})
		if err != nil {
			return
		}
		m, err := Decode(n, "p1")
		if err != nil {
			return
		}
		// Microseconds over a second are carried, which may pass the bound of the seconds.
		again, err := Decode(Encode(m, "r"), "p1")
		if m.Age < maxAge*time.Second && (err != nil || again != m) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}
