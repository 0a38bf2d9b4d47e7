package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
)

const (
	askEvery    = 100 * time.Millisecond // as the story says
	askPatience = time.Second            // then a request counts as lost
)

// probe is the client: it asks addr every 100 ms, each request in its own time,
// and prints a line per request: start and end in Unix nanoseconds, then "ok"
// and the node that answered, or "lost" and why. It ends when nobody reads.
func probe(addr string, w io.Writer) int {
	var mu sync.Mutex
	failed := make(chan struct{}, 1)
	tick := time.NewTicker(askEvery)
	for {
		select {
		case <-failed:
			return 0
		case <-tick.C:
		}
		go func() {
			start := time.Now()
			who, err := ask(addr)
			end := time.Now()
			line := fmt.Sprintf("%d %d ok %s\n", start.UnixNano(), end.UnixNano(), who)
			if err != nil {
				line = fmt.Sprintf("%d %d lost %s\n", start.UnixNano(), end.UnixNano(), strings.ReplaceAll(err.Error(), "\n", " "))
			}
			mu.Lock()
			defer mu.Unlock()
			if _, err := io.WriteString(w, line); err != nil {
				select {
				case failed <- struct{}{}:
				default:
				}
			}
		}()
	}
}

// ask makes one HTTP request by hand (net/http would burden the start of every
// program in this binary) and returns the body, which names the node.
func ask(addr string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, askPatience)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(askPatience))
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, 64<<10))
	if err != nil {
		return "", err
	}
	head, body, ok := strings.Cut(string(answer), "\r\n\r\n")
	if !ok || !strings.Contains(head, " 200 ") {
		return "", fmt.Errorf("answer %.40q", head)
	}
	return strings.TrimSpace(body), nil
}

// request is one line of the client. Immutable.
type request struct {
	start, end time.Time
	node       string // that answered; empty: lost
	why        string
}

// client runs the probe in its node and keeps what it said. Safe for concurrent use.
type client struct {
	cmd *exec.Cmd

	mu  sync.Mutex
	all []request // in the order of their ends
}

func startClient(ctx context.Context, n *lab.Node, program, addr string) (*client, error) {
	cmd, err := n.Command(ctx, program, "demo", "probe", addr)
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	c := &client{cmd: cmd}
	go func() {
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if r, ok := parseRequest(sc.Text()); ok {
				c.mu.Lock()
				c.all = append(c.all, r)
				c.mu.Unlock()
			}
		}
		cmd.Wait() // ended by the end of the story
	}()
	return c, nil
}

func parseRequest(line string) (request, bool) {
	f := strings.SplitN(line, " ", 4)
	if len(f) < 4 {
		return request{}, false
	}
	start, err1 := strconv.ParseInt(f[0], 10, 64)
	end, err2 := strconv.ParseInt(f[1], 10, 64)
	if err1 != nil || err2 != nil {
		return request{}, false
	}
	r := request{start: time.Unix(0, start), end: time.Unix(0, end)}
	if f[2] == "ok" {
		r.node = f[3]
	} else {
		r.why = f[3]
	}
	return r, true
}

// since returns the requests that were started at or after t, by their ends.
func (c *client) since(t time.Time) []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	rs := slices.DeleteFunc(slices.Clone(c.all), func(r request) bool { return r.start.Before(t) })
	slices.SortStableFunc(rs, func(a, b request) int { return a.end.Compare(b.end) })
	return rs
}

// answered returns the first answer by one of the nodes to a request started after t.
func (c *client) answered(t time.Time, by func(node string) bool) (request, bool) {
	for _, r := range c.since(t) {
		if r.node != "" && by(r.node) {
			return r, true
		}
	}
	return request{}, false
}

// outage is the longest time between two answers that a window of requests
// shows, and the number of requests lost.
func outage(rs []request) (longest time.Duration, lost int) {
	var last time.Time
	for _, r := range rs {
		if r.node == "" {
			lost++
			continue
		}
		if !last.IsZero() {
			longest = max(longest, r.end.Sub(last))
		}
		last = r.end
	}
	return longest, lost
}
