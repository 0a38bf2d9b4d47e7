package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pacesync/pacesync/internal/lab"
)

// progressEvery is after how much waiting the timeline says that it still waits.
const progressEvery = 4 * time.Second

// timeline prints what happens, with the time since the start. It belongs to
// the goroutine that tells the story.
type timeline struct {
	w     io.Writer
	start time.Time
}

func (t *timeline) say(format string, args ...any) {
	fmt.Fprintf(t.w, "%6.1f s  %s\n", time.Since(t.start).Seconds(), fmt.Sprintf(format, args...))
}

// at is say for something that happened before now.
func (t *timeline) at(when time.Time, format string, args ...any) {
	fmt.Fprintf(t.w, "%6.1f s  %s\n", when.Sub(t.start).Seconds(), fmt.Sprintf(format, args...))
}

func (t *timeline) chapter(text string) {
	fmt.Fprintf(t.w, "\n── %s\n", text)
}

// wait waits for a condition and shows that it does.
func (t *timeline) wait(ctx context.Context, limit time.Duration, what string, cond func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	next := time.Now().Add(progressEvery)
	return lab.Wait(ctx, what, func() bool {
		if time.Now().After(next) {
			t.say("  … waiting for %s", what)
			next = time.Now().Add(progressEvery)
		}
		return cond()
	})
}

// figures are what one telling of the story measured. Immutable once told.
type figures struct {
	cast   cast
	repair time.Duration // web server killed to first answer: on the same node
	detect time.Duration // cable cut to the others' new membership
	fence  time.Duration // new membership to the node's power off
	start  time.Duration // power off to the first answer of another node
	outage time.Duration // longest time without an answer
	lost   int           // requests, of the cut
	asked  int           // requests, of the whole story
	rejoin time.Duration // power on to member of the ring and of the cluster
}

// table prints the figures, the reference's beside them if there are any.
func table(w io.Writer, f figures, ref *figures) {
	head := []string{"", f.cast.String()}
	if ref != nil {
		head = append(head, "reference (Debian)", "ratio")
	}
	rows := [][]string{head}
	add := func(name string, get func(figures) float64, format string) {
		row := []string{name, fmt.Sprintf(format, get(f))}
		if ref != nil {
			ratio := ""
			if r := get(*ref); r > 0 {
				ratio = fmt.Sprintf("%.2f", get(f)/r)
			}
			row = append(row, fmt.Sprintf(format, get(*ref)), ratio)
		}
		rows = append(rows, row)
	}
	sec := func(get func(figures) time.Duration) func(figures) float64 {
		return func(f figures) float64 { return get(f).Seconds() }
	}
	add("web server killed: without answer", sec(func(f figures) time.Duration { return f.repair }), "%.2f s")
	add("node cut off: detection", sec(func(f figures) time.Duration { return f.detect }), "%.2f s")
	add("              fencing", sec(func(f figures) time.Duration { return f.fence }), "%.2f s")
	add("              start elsewhere", sec(func(f figures) time.Duration { return f.start }), "%.2f s")
	add("              without answer", sec(func(f figures) time.Duration { return f.outage }), "%.2f s")
	add("              requests lost", func(f figures) float64 { return float64(f.lost) }, "%.0f")
	add("node returns: boot to member", sec(func(f figures) time.Duration { return f.rejoin }), "%.2f s")
	add("requests in all", func(f figures) float64 { return float64(f.asked) }, "%.0f")
	printTable(w, rows)
}

// printTable aligns columns; the first to the left, the others to the right.
func printTable(w io.Writer, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for i, r := range rows {
		for j, cell := range r {
			gap := strings.Repeat(" ", width[j]-utf8.RuneCountInString(cell))
			if j == 0 {
				fmt.Fprint(w, "  ", cell, gap)
			} else {
				fmt.Fprint(w, "   ", gap, cell)
			}
		}
		fmt.Fprintln(w)
		if i == 0 {
			total := 2
			for j, n := range width {
				total += n
				if j > 0 {
					total += 3
				}
			}
			fmt.Fprintln(w, "  "+strings.Repeat("─", total-2))
		}
	}
}
