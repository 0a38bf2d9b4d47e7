// Package iso8601cmd is the program iso8601: it shows dates, periods and
// durations as Pacemaker understands them. pcs calls it to check a date.
//
// Upstream: tools/iso8601.c, iso8601(8).
package iso8601cmd

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
)

const indent = "                              "

// yearOne is how many seconds 1970 is after the year 1, from which --seconds counts.
const yearOne = 62135596800

// tool is one run.
type tool struct {
	goption.Common
	date                                   *string
	now                                    bool
	period, duration, expected             *string
	seconds, epoch, local, ordinal, weekly bool
	env                                    *applet.Env
	here                                   iso8601.Time
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	t := &tool{env: e}
	if _, status, ok := t.context().Run(e.Args, "dpDE", e.Stdout, e.Stderr); !ok {
		return status
	}
	if t.Version {
		fmt.Fprint(e.Stdout, pcmk.VersionText())
		return int(pcmk.ExitOK)
	}
	now := time.Now()
	_, offset := now.Zone()
	t.here = iso8601.Time{Unix: now.Unix(), Offset: offset}
	status, err := t.run()
	if err != nil {
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err)
	}
	return int(status)
}

func (t *tool) context() *goption.Context {
	c := goption.Pacemaker("iso8601", "Display and parse ISO 8601 dates and times", "", "", &t.Common)
	c.Description = "For more information on the ISO 8601 standard, see https://en.wikipedia.org/wiki/ISO_8601"
	c.AddGroup("commands", "Commands:", "Show command options",
		goption.Entry{Long: "now", Short: 'n', Flags: goption.NoArg, Dest: func(goption.Value) error { t.now = true; return nil },
			Help: "Display the current date/time"},
		goption.Entry{Long: "date", Short: 'd', Dest: func(v goption.Value) error { t.date, t.now = &v.Arg, false; return nil }, Arg: "DATE",
			Help: "Parse an ISO 8601 date/time (for example,\n" + indent + "'2019-09-24 00:30:00 +01:00' or '2019-040')"},
		goption.Entry{Long: "period", Short: 'p', Dest: &t.period, Arg: "PERIOD",
			Help: "Parse an ISO 8601 period (interval) with start time (for example,\n" + indent + "'2005-040/2005-043')"},
		goption.Entry{Long: "duration", Short: 'D', Dest: &t.duration, Arg: "DURATION", Help: "Parse an ISO 8601 duration (for example, 'P1M')"},
		goption.Entry{Long: "expected", Short: 'E', Dest: &t.expected, Arg: "TEXT",
			Help: "Exit with error status if result does not match this text.\n" + indent + "Requires: -n or -d"})
	set := func(b *bool) goption.Callback { return func(goption.Value) error { *b = true; return nil } }
	c.AddGroup("modifiers", "Output modifiers:", "Show output modifiers",
		goption.Entry{Long: "seconds", Short: 's', Flags: goption.NoArg, Dest: set(&t.seconds), Help: "Show result as a seconds since 0000-001 00:00:00Z"},
		goption.Entry{Long: "epoch", Short: 'S', Flags: goption.NoArg, Dest: set(&t.epoch), Help: "Show result as a seconds since EPOCH (1970-001 00:00:00Z)"},
		goption.Entry{Long: "local", Short: 'L', Flags: goption.NoArg, Dest: set(&t.local), Help: "Show result as a 'local' date/time"},
		goption.Entry{Long: "ordinal", Short: 'O', Flags: goption.NoArg, Dest: set(&t.ordinal), Help: "Show result as an 'ordinal' date/time"},
		goption.Entry{Long: "week", Short: 'W', Flags: goption.NoArg, Dest: set(&t.weekly), Help: "Show result as an 'calendar week' date/time"})
	return c
}

func (t *tool) run() (pcmk.Exit, error) {
	when, dated := t.here, t.now
	switch {
	case t.now, t.date != nil && strings.EqualFold(*t.date, "now"):
		dated = true
		t.say("Current date/time", t.text(when, t.local))
	case t.date != nil:
		var err error
		if when, err = iso8601.Parse(*t.date, t.here); err != nil {
			return pcmk.ExitInvalidParam, errors.New("Invalid date/time specified: " + *t.date)
		}
		dated = true
		t.say("Date", t.text(when, t.local))
	}
	var parts iso8601.Parts
	if t.duration != nil {
		var err error
		if parts, err = iso8601.ParseParts(*t.duration); err != nil {
			return pcmk.ExitInvalidParam, errors.New("Invalid duration specified: " + *t.duration)
		}
		t.say("Duration", durationText(parts))
	}
	if t.period != nil {
		start, end, ok := t.parsePeriod(*t.period)
		if !ok {
			return pcmk.ExitInvalidParam, errors.New("Invalid interval specified: " + *t.period)
		}
		fmt.Fprintf(t.env.Stdout, "Period: %s to %s\n", t.text(start, t.local), t.text(end, t.local))
	}
	if !dated {
		return pcmk.ExitOK, nil
	}
	if t.duration != nil {
		when = when.Add(parts)
		t.say("Duration ends at", t.text(when, true))
	}
	if t.expected != nil && !strings.EqualFold(*t.expected, t.text(when, t.local)) {
		return pcmk.ExitError, nil
	}
	return pcmk.ExitOK, nil
}

func (t *tool) say(what, text string) { fmt.Fprintf(t.env.Stdout, "%s: %s\n", what, text) }

// text shows a moment as the modifiers ask for it (crm_time_as_string).
func (t *tool) text(when iso8601.Time, local bool) string {
	if !local {
		when.Offset = 0
	}
	switch {
	case t.seconds:
		return fmt.Sprint(when.Unix + yearOne)
	case t.epoch:
		return fmt.Sprint(when.Unix)
	}
	y, m, d := when.Date()
	date := fmt.Sprintf("%04d-%02d-%02d", y, m, d)
	switch {
	case t.weekly:
		wy, w, wd := when.ISOWeek()
		date = fmt.Sprintf("%d-W%02d-%d", wy, w, wd)
	case t.ordinal:
		date = fmt.Sprintf("%d-%03d", y, when.YearDay())
	}
	hour, minute, second := when.Clock()
	zone, sign, off := "Z", '+', when.Offset
	if off < 0 {
		sign, off = '-', -off
	}
	if off != 0 {
		zone = fmt.Sprintf(" %c%02d:%02d", sign, off/3600, off/60%60)
	}
	return fmt.Sprintf("%s %02d:%02d:%02d%s", date, hour, minute, second, zone)
}

// durationText is crm_duration_as_string.
func durationText(p iso8601.Parts) string {
	var b strings.Builder
	for _, x := range []struct {
		n     int
		width int
		name  string
	}{{p.Years, 4, "year"}, {p.Months, 2, "month"}, {p.Days, 2, "day"}} {
		if x.n != 0 {
			fmt.Fprintf(&b, "%*d %s ", x.width, x.n, count(int64(x.n), x.name))
		}
	}
	switch s := p.Seconds; {
	case s > -60 && s < 60 && (s != 0 || b.Len() == 0):
		fmt.Fprintf(&b, "%d %s", s, count(s, "second"))
	case s != 0:
		var units []string
		all := s
		s = max(s, -s)
		for _, u := range []struct {
			n    int64
			name string
		}{{s / 3600, "hour"}, {s / 60 % 60, "minute"}, {s % 60, "second"}} {
			if u.n != 0 {
				units = append(units, fmt.Sprintf("%d %s", u.n, count(u.n, u.name)))
			}
		}
		fmt.Fprintf(&b, "%d seconds (%s)", all, strings.Join(units, " "))
	}
	return b.String()
}

func count(n int64, name string) string {
	if n == 1 {
		return name
	}
	return name + "s"
}

// parsePeriod reads START/END, START/DURATION, DURATION/END, or a duration from
// now on (crm_time_parse_period).
func (t *tool) parsePeriod(s string) (start, end iso8601.Time, ok bool) {
	from, to, two := strings.Cut(s, "/")
	lasts := strings.HasPrefix(from, "P")
	var parts iso8601.Parts
	var err error
	if lasts {
		parts, err = iso8601.ParseParts(from)
	} else {
		start, err = iso8601.Parse(from, t.here)
	}
	switch {
	case err != nil || !two && !lasts:
		return start, end, false
	case !two:
		return t.here, t.here.Add(parts), true
	case strings.HasPrefix(to, "P"):
		if parts, err = iso8601.ParseParts(to); lasts || err != nil {
			return start, end, false
		}
		return start, start.Add(parts), true
	}
	if end, err = iso8601.Parse(to, t.here); err != nil {
		return start, end, false
	}
	if lasts {
		start = end.Sub(parts)
	}
	return start, end, true
}
