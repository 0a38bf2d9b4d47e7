package labcmd

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/pacesync/pacesync/internal/lab"
)

// answerLimit bounds what the picture waits for one node's tools.
const answerLimit = 3 * time.Second

func runStatus(c *call) error {
	l, err := c.open()
	if err != nil {
		return err
	}
	return picture(c.ctx, c.env.Stdout, l)
}

// view is what the picture shows of one node.
type view struct {
	node  *lab.Node
	lines []string
}

// picture draws the lab: the networks as lines, the nodes as boxes below them.
func picture(ctx context.Context, w io.Writer, l *lab.Lab) error {
	nodes := l.Nodes()
	views := make([]view, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { views[i] = look(ctx, n) })
	}
	wg.Wait()
	fmt.Fprintf(w, "lab %s · %d nodes, %d network%s · %s\n\n", l.Name(), len(nodes), l.Networks(), plural(l.Networks()), l.Dir())
	for len(views) > 0 { // rows of at most three boxes
		row := views[:min(3, len(views))]
		views = views[len(row):]
		drawRow(w, row, l.Networks(), isolated(l))
	}
	for _, f := range l.Faults() {
		fmt.Fprintf(w, "  ✂ %s\n", f)
	}
	return nil
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// isolated returns the nodes that are cut from all others on all networks.
func isolated(l *lab.Lab) []string {
	var names []string
	for _, f := range l.Faults() {
		if f.To == lab.Any && f.From != lab.Any && f.Net == lab.AllNetworks && f.Percent >= 100 {
			names = append(names, f.From)
		}
	}
	return names
}

// look asks one node what runs there and what it thinks of the cluster.
func look(ctx context.Context, n *lab.Node) view {
	v := view{node: n}
	add := func(format string, args ...any) { v.lines = append(v.lines, fmt.Sprintf(format, args...)) }
	add("%s   %s", n.Name(), n.Addr(0))
	if !n.On() {
		add("power off")
		return v
	}
	if n.IsHost() {
		add("outside the cluster")
		return v
	}
	ps := n.Ps()
	whose := func(exe string) string {
		for _, p := range ps {
			if p.Exe == exe {
				if p.State == 'T' {
					return n.Origin(p).String() + ", stopped"
				}
				return n.Origin(p).String()
			}
		}
		return "does not run"
	}
	add("corosync  %s", whose("/usr/sbin/corosync"))
	add("pacemaker %s", whose("/usr/sbin/pacemakerd"))
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	m := n.Membership(ctx)
	if m.Ring == "" {
		add("no ring")
		return v
	}
	add("ring %s of %s", m.Ring, strings.Trim(fmt.Sprint(m.Members), "[]"))
	quorate := "quorate"
	if !m.Quorate {
		quorate = "NO QUORUM"
	}
	add("votes %d, quorum %d: %s", m.Votes, m.Quorum, quorate)
	if slices.ContainsFunc(ps, func(p lab.Process) bool { return p.Exe == "/usr/sbin/pacemakerd" }) {
		if dc := n.DC(ctx); dc != "" {
			add("controller %s", dc)
		} else {
			add("no controller")
		}
	}
	return v
}

const boxWidth = 32 // inner width of a box: three fit a terminal of 110 columns

func drawRow(w io.Writer, row []view, networks int, cut []string) {
	height := 0
	for _, v := range row {
		height = max(height, len(v.lines))
	}
	for k := range networks {
		fmt.Fprintf(w, "  %s net%d 10.78.%d.0/24\n", strings.Repeat("═", len(row)*(boxWidth+4)-2), k, k)
	}
	line := func(f func(v view) string) {
		for _, v := range row {
			fmt.Fprint(w, "  ", f(v))
		}
		fmt.Fprintln(w)
	}
	cable := func(v view) string {
		mark := "│"
		if slices.Contains(cut, v.node.Name()) {
			mark = "✂"
		}
		return center(mark, boxWidth+2)
	}
	line(cable)
	line(func(view) string { return "┌" + strings.Repeat("─", boxWidth) + "┐" })
	for i := range height {
		line(func(v view) string {
			text := ""
			if i < len(v.lines) {
				text = v.lines[i]
			}
			return "│ " + pad(text, boxWidth-2) + " │"
		})
	}
	line(func(view) string { return "└" + strings.Repeat("─", boxWidth) + "┘" })
}

func pad(s string, width int) string {
	n := utf8.RuneCountInString(s)
	if n > width {
		return string([]rune(s)[:width-1]) + "…"
	}
	return s + strings.Repeat(" ", width-n)
}

func center(s string, width int) string {
	left := (width - utf8.RuneCountInString(s)) / 2
	return pad(strings.Repeat(" ", left)+s, width)
}
