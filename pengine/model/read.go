package model

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
)

// Score reads a score, empty for one that is not given, and reports what is none of
// it (char2score).
func (c *Cluster) Score(s string) score.Score {
	if s != "" && !score.IsWord(s) {
		c.complain(s, 0)
	}
	return score.Parse(s, c.Opt.Health)
}

// Int reads an integer, which is def where s is none, and reports what is none of it
// (pcmk__scan_ll).
func (c *Cluster) Int(s string, def int64) int64 {
	c.complain(s, def)
	if v, ok := score.Int(s); ok {
		return v
	}
	return def
}

// MinInt reads an integer of at least least and reports what is none
// (pcmk__scan_min_int).
func (c *Cluster) MinInt(s string, least int) int {
	v := c.Int(s, int64(least))
	switch {
	case v < int64(least):
		c.Report(LogWarn, "pcmk__scan_min_int", "Clipped '"+s+"' to minimum acceptable value "+strconv.Itoa(least))
		return least
	case v > 1<<31-1:
		c.Report(LogWarn, "pcmk__scan_min_int", "Clipped '"+s+"' to maximum integer "+strconv.Itoa(1<<31-1))
		return 1<<31 - 1
	}
	return int(v)
}

func (c *Cluster) complain(s string, def int64) {
	for _, text := range score.Complaints(s, def) {
		c.Report(LogWarn, "scan_ll", text)
	}
}

// ParseRole reads the name of a role and reports what is none (text2role).
func (c *Cluster) ParseRole(s string) Role {
	r := rules.ParseRole(s)
	if r == Unknown && !strings.EqualFold(s, Unknown.String()) {
		c.Report(LogErr, "text2role", "Unknown role: "+s)
	}
	return r
}

// RoleAttr is ParseRole for a role that need not be given.
func (c *Cluster) RoleAttr(s string, given bool) Role {
	if !given {
		return Unknown
	}
	return c.ParseRole(s)
}

// Interval reads an interval and reports what is none (crm_parse_interval_spec).
func (c *Cluster) Interval(s string) uint32 {
	ms, ok := iso8601.IntervalMS(s)
	if !ok {
		c.Report(LogWarn, "crm_parse_interval_spec", "Using 0 instead of '"+s+"'")
	}
	return ms
}
