package core

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/crmd/election"
	"github.com/pacesync/pacesync/internal/attrd/wire"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
)

// Request carries out what a client asks for (attrd_messages.c: attrd_handle_request).
// client goes into the answers as it is; name is what the log calls it.
func (c *Core) Request(at election.Moment, client any, name string, m wire.Message) {
	c.at = at
	var err error
	switch m.Task {
	case wire.Update, wire.UpdateBoth, wire.UpdateDelay:
		c.emit(Ack{client, true})
		err = c.requestUpdate(name, m)
	case wire.ClearFailure:
		c.emit(Ack{client, false})
		err = c.requestClear(name, m)
	case wire.PeerRemove:
		c.emit(Ack{client, false})
		c.requestRemove(name, m)
	case wire.Refresh:
		c.tracef(election.LevelInfo, "Updating all attributes")
		c.emit(Ack{client, false})
		c.writeAll(true, true)
	case wire.Query:
		err = c.requestQuery(client, name, m)
	default: // a peer's task, which no client may use
		c.tracef(election.LevelError, "Unknown IPC request %s from client %s", m.Task, name)
		c.processed(m.Task, "client", name, "Invalid request", fmt.Errorf("Unknown request type '%s' (bug?)", m.Task)) //nolint:staticcheck // log text of the original
		return
	}
	c.processed(m.Task, "client", name, "Error", err)
}

// processed tells how a request went.
func (c *Core) processed(task wire.Task, kind, name, failure string, err error) {
	if err != nil {
		c.tracef(election.LevelWarning, "Processed %s request from %s %s: %s (%s)", task, kind, name, failure, err)
		return
	}
	c.tracef(election.LevelDebug, "Processed %s request from %s %s: Done", task, kind, name)
}

// requestUpdate tells all peers about a change (attrd_ipc.c: attrd_client_update).
func (c *Core) requestUpdate(client string, m wire.Message) error {
	switch {
	case m.Multi && c.minProtocol >= 4:
		for i := range m.Ops {
			c.fillHost(&m.Ops[i])
			if err := c.expand(&m.Ops[i], m.Task); err != nil {
				return err
			}
		}
		c.send("", m)
		return nil
	case m.Multi: // a peer does not know more than one change per message
		var first error
		for _, v := range m.Ops {
			one := wire.Message{Root: m.Root, Source: m.Source, ACLUser: m.ACLUser, Value: v}
			if err := c.requestUpdate(client, one); first == nil {
				first = err
			}
		}
		return first
	case m.Name == "" && m.Pattern != "":
		return c.requestPattern(client, m)
	case m.Name == "":
		c.tracef(election.LevelError, "Update request did not specify attribute or regular expression")
		return fmt.Errorf("Client %s update request did not specify attribute or regular expression", client) //nolint:staticcheck // log text of the original
	}
	c.fillHost(&m.Value)
	if err := c.expand(&m.Value, m.Task); err != nil {
		return err
	}
	writer := ""
	if c.Writes() {
		writer = " (writer)"
	}
	c.tracef(election.LevelDebug, "Broadcasting %s[%s]=%s%s", m.Name, m.Host, m.Value.Value, writer)
	c.send("", m)
	return nil
}

// requestPattern sends one message for every attribute whose name matches.
func (c *Core) requestPattern(client string, m wire.Message) error {
	c.tracef(election.LevelDebug, "Setting %s to %s", m.Pattern, cmp.Or(m.Value.Value, "(null)"))
	re, err := regexp.CompilePOSIX(m.Pattern)
	if err != nil {
		return fmt.Errorf("Bad regex '%s' for update from client %s", m.Pattern, client) //nolint:staticcheck // log text of the original
	}
	for _, a := range c.sorted() {
		if re.MatchString(a.name) {
			m.Name = a.name
			c.send("", m)
		}
	}
	return nil
}

// fillHost: who says no node means the local one.
func (c *Core) fillHost(v *wire.Value) {
	if v.Host == "" {
		v.Host, v.HostID = c.cfg.Self, c.cfg.SelfID
	}
}

// expand replaces value++ and value+=N by a number (handle_value_expansion).
func (c *Core) expand(v *wire.Value, task wire.Task) error {
	a := c.attrs[v.Name]
	if a == nil && task == wire.UpdateDelay {
		return fmt.Errorf("Attribute %s does not exist", v.Name) //nolint:staticcheck // log text of the original
	}
	if !expandable(v.Value) {
		return nil
	}
	old := ""
	if a != nil {
		if known := a.values[key(v.Host)]; known != nil {
			old = known.current
		}
	}
	n := increase(v.Value, old)
	c.tracef(election.LevelInfo, "Expanded %s=%s to %d", v.Name, v.Value, n)
	v.Value = strconv.Itoa(n)
	return nil
}

// expandable knows an expression by what follows its first five characters,
// whatever these are (attrd_value_needs_expansion).
func expandable(s string) bool {
	return len(s) >= len("value++") && (s[5:7] == "++" || s[5:7] == "+=")
}

func increase(expr, old string) int {
	by := 1
	if expr[6] != '+' {
		by = int(score.Parse(expr[7:], score.Health{}))
	}
	return min(int(score.Parse(old, score.Health{}))+by, int(score.Infinity))
}

// requestClear tells all peers to forget failures, or if one of them is too old
// to understand that, deletes the attributes one by one (attrd_client_clear_failure).
func (c *Core) requestClear(client string, m wire.Message) error {
	if c.minProtocol >= 2 {
		c.send("", m)
		return nil
	}
	m.Task, m.Pattern = wire.Update, failurePattern(m)
	m.Name, m.Value.Value = "", ""
	return c.requestUpdate(client, m)
}

// failurePattern matches the names of the attributes that hold a resource's
// failures (pacemaker-attrd.h: ATTRD_RE_CLEAR_ALL and its kin).
func failurePattern(m wire.Message) string {
	all := "^(fail-count|last-failure)-"
	switch {
	case m.Resource == "":
		return all
	case m.Operation == "":
		return all + m.Resource + "(#.+_[0-9]+)?$"
	}
	ms, _ := iso8601.IntervalMS(m.Interval)
	return fmt.Sprintf("%s%s(#%s_%d)?$", all, m.Resource, m.Operation, ms)
}

// requestRemove tells all peers to forget a node (attrd_client_peer_remove).
func (c *Core) requestRemove(client string, m wire.Message) {
	if m.Host == "" && m.HostID != 0 {
		for _, k := range slices.Sorted(maps.Keys(c.peers)) {
			if c.peers[k].id == m.HostID {
				m.Host = c.peers[k].name
			}
		}
		m.Host = cmp.Or(m.Host, fmt.Sprintf("Node%d", m.HostID))
	}
	if m.Host == "" {
		c.tracef(election.LevelInfo, "Ignoring request by client %s to remove all peer values without specifying peer", client)
		return
	}
	c.tracef(election.LevelInfo, "Client %s is requesting all values for %s be removed", client, m.Host)
	c.send("", m)
}

// requestQuery answers with one node's value, or all (attrd_client_query).
func (c *Core) requestQuery(client any, name string, m wire.Message) error {
	c.tracef(election.LevelDebug, "Query arrived from %s", name)
	if m.Name == "" {
		return fmt.Errorf("Ignoring malformed query from %s (no attribute name given)", name) //nolint:staticcheck // log text of the original
	}
	var answer wire.Answer
	if a := c.attrs[m.Name]; a != nil {
		answer.Name = m.Name
		host := m.Host
		if strings.EqualFold(host, "localhost") {
			host = c.cfg.Self
		}
		switch v := a.values[key(host)]; {
		case host == "":
			for _, v := range a.hosts() {
				answer.Nodes = append(answer.Nodes, wire.NodeValue{Host: v.host, Value: v.current})
			}
		case v == nil:
			answer.Nodes = []wire.NodeValue{{Host: host}}
		default:
			answer.Nodes = []wire.NodeValue{{Host: host, Value: v.current}}
		}
	}
	c.emit(Reply{client, answer})
	return nil
}
