// Package wire is the form of an election's messages: requests of the controller
// (t="crmd") with the candidate's id, round and age as attributes of the root.
//
// Attribute managers use it too, with the controller's names and message type,
// inside their own group (election.c: election_vote, send_no_vote,
// parse_election_message). The controller and internal/attrd call it.
package wire

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/crmd/election"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// ErrNotElection says that a message has another task; it is no failure.
var ErrNotElection = errors.New("election: not a message of an election")

// maxAge bounds what a peer may claim, so that seconds and microseconds add up
// within a time.Duration.
const maxAge = 1 << 32

// Encode builds the request for m. The reference identifies it in logs:
// TASK-crmd-EPOCH-COUNTER (messages.c: create_request_adv).
func Encode(m election.Message, reference string) *xmltree.Node {
	origin := "election_vote"
	if m.Op == election.NoVote {
		origin = "send_no_vote"
	}
	n := xmltree.New("create_request_adv",
		xmltree.Attr{Name: "origin", Value: origin},
		xmltree.Attr{Name: "t", Value: "crmd"},
		xmltree.Attr{Name: "version", Value: m.Version},
		xmltree.Attr{Name: "subt", Value: "request"},
		xmltree.Attr{Name: "reference", Value: reference},
		xmltree.Attr{Name: "crm_task", Value: m.Op.String()},
		xmltree.Attr{Name: "crm_sys_to", Value: "crmd"},
		xmltree.Attr{Name: "crm_sys_from", Value: "crmd"})
	if m.To != "" {
		n.Set("crm_host_to", m.To)
	}
	n.Set("election-owner", m.Owner)
	n.Set("election-id", strconv.Itoa(m.Round))
	if m.Op == election.Vote {
		n.Set("election-age-sec", strconv.FormatInt(int64(m.Age/time.Second), 10))
		n.Set("election-age-nano-sec", strconv.FormatInt(int64(m.Age%time.Second/time.Microsecond), 10))
	}
	return n
}

// Decode reads a message that from sent; the name comes from the layer below, not from the text.
func Decode(n *xmltree.Node, from string) (election.Message, error) {
	task := n.Attr("crm_task")
	op, ok := election.ParseOp(task)
	if !ok {
		return election.Message{}, ErrNotElection
	}
	m := election.Message{Op: op, From: from, To: n.Attr("crm_host_to"), Version: n.Attr("version"), Owner: n.Attr("election-owner")}
	round, err := strconv.ParseInt(n.Attr("election-id"), 10, 32)
	if err != nil || round < 0 || m.From == "" || m.Version == "" || m.Owner == "" {
		return election.Message{}, fmt.Errorf("election: invalid %s message from %q: owner %q, round %q, version %q",
			task, from, m.Owner, n.Attr("election-id"), m.Version)
	}
	m.Round = int(round)
	if op == election.Vote {
		if m.Age, err = age(n); err != nil {
			return election.Message{}, fmt.Errorf("election: cannot count vote from %s: %w", from, err)
		}
	}
	return m, nil
}

// age reads seconds and microseconds; what is missing is zero, as the original
// has it. The second attribute's name promises nanoseconds, its value is in microseconds.
func age(n *xmltree.Node) (time.Duration, error) {
	var parts [2]int64
	for i, name := range [...]string{"election-age-sec", "election-age-nano-sec"} {
		s, ok := n.Get(name)
		if !ok {
			break
		}
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil || v < 0 || v > maxAge {
			return 0, fmt.Errorf("%s=%q is no uptime", name, s)
		}
		parts[i] = v
	}
	return time.Duration(parts[0])*time.Second + time.Duration(parts[1])*time.Microsecond, nil
}
