package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Membership is what a node's corosync says about its ring. Immutable.
type Membership struct {
	Ring     string // "1.c"; empty when corosync does not answer
	Members  []int  // node ids, ascending
	Quorate  bool
	Votes    int
	Expected int
	Quorum   int
}

// Membership asks the node's corosync-quorumtool. A daemon that does not answer
// within ctx or does not run yields the zero value.
func (n *Node) Membership(ctx context.Context) Membership {
	// The tool's status is 2 without quorum: its text counts.
	res, _ := n.Exec(ctx, "corosync-quorumtool", "-s")
	return ParseMembership(res.Stdout)
}

// ParseMembership reads the text of corosync-quorumtool -s (tools/corosync-quorumtool.c: show_status).
func ParseMembership(text string) Membership {
	var m Membership
	table := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if table {
			if f := strings.Fields(line); len(f) > 0 {
				if id, err := strconv.Atoi(f[0]); err == nil && id != 0 { // 0: the quorum device
					m.Members = append(m.Members, id)
				}
			}
			continue
		}
		if strings.HasPrefix(line, "Nodeid") {
			table = true
			continue
		}
		key, val, ok := strings.Cut(line, ":")
		val = strings.TrimSpace(val)
		if !ok {
			continue
		}
		num, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(val, "Activity blocked")))
		switch key {
		case "Ring ID":
			m.Ring = val
		case "Quorate":
			m.Quorate = val == "Yes"
		case "Total votes":
			m.Votes = num
		case "Expected votes":
			m.Expected = num
		case "Quorum":
			m.Quorum = num
		}
	}
	slices.Sort(m.Members)
	return m
}

// WaitRing returns once all given nodes say that exactly they form one ring.
func (l *Lab) WaitRing(ctx context.Context, nodes ...*Node) error {
	var want []int
	for _, n := range nodes {
		want = append(want, n.ID())
	}
	slices.Sort(want)
	var last []string
	var dead *Node
	err := Wait(ctx, fmt.Sprintf("a ring of the nodes %v", want), func() bool {
		ring := ""
		last = last[:0]
		for _, n := range nodes {
			if n.Daemon(PartCorosync) == 0 {
				dead = n
				return true
			}
			m := n.Membership(ctx)
			last = append(last, fmt.Sprintf("%s: ring %q of %v", n.Name(), m.Ring, m.Members))
			if !slices.Equal(m.Members, want) || m.Ring == "" || (ring != "" && ring != m.Ring) {
				return false
			}
			ring = m.Ring
		}
		return true
	})
	if dead != nil {
		return dead.deadDaemon(PartCorosync)
	}
	if err != nil {
		return fmt.Errorf("%w; %s", err, strings.Join(last, "; "))
	}
	return nil
}

// WaitServe returns once the node's corosync answers its tools; with an error
// as soon as it does not run.
func (n *Node) WaitServe(ctx context.Context) error {
	died := false
	err := Wait(ctx, "corosync to serve on "+n.Name(), func() bool {
		died = n.Daemon(PartCorosync) == 0
		return died || n.Membership(ctx).Ring != ""
	})
	if died {
		return n.deadDaemon(PartCorosync)
	}
	return err
}

// deadDaemon is the error for a daemon that does not run, with its last words.
func (n *Node) deadDaemon(part Part) error {
	var said []string
	for _, f := range []string{filepath.Join(n.dir, string(part)+".out"), n.Path("/var/log/corosync/corosync.log")} {
		if b, err := os.ReadFile(f); err == nil && len(b) > 0 {
			said = append(said, lastLines(string(b), 6))
		}
	}
	return fmt.Errorf("lab: %s: %s does not run; its last words:\n%s", n.Name(), part, strings.Join(said, "\n"))
}

// StartRing starts corosync on the given nodes and waits for their ring.
func (l *Lab) StartRing(ctx context.Context, nodes ...*Node) error {
	for _, n := range nodes {
		if err := n.Start(ctx, PartCorosync); err != nil {
			return err
		}
	}
	return l.WaitRing(ctx, nodes...)
}

// DC asks the node's Pacemaker for the name of the designated controller; empty
// when there is none, or no answer.
func (n *Node) DC(ctx context.Context) string {
	res, err := n.Exec(ctx, "crm_mon", "-1", "--output-as=xml")
	if err != nil {
		return ""
	}
	_, rest, ok := strings.Cut(res.Stdout, `<current_dc present="true"`)
	if !ok {
		return ""
	}
	tag, _, _ := strings.Cut(rest, ">")
	_, name, ok := strings.Cut(tag, ` name="`)
	if !ok {
		return ""
	}
	name, _, _ = strings.Cut(name, `"`)
	return name
}

// WaitDC returns the designated controller once the node knows one.
func (n *Node) WaitDC(ctx context.Context) (string, error) {
	dc := ""
	err := Wait(ctx, "a designated controller", func() bool {
		dc = n.DC(ctx)
		return dc != ""
	})
	return dc, err
}
