package notifyd

import (
	"fmt"
	"io"
	"log/syslog"
)

// logger writes lines to the system's log and, with -o, to standard error, where
// the original prints them too. As a sink it is option -l. Owned by the loop.
type logger struct {
	sys    *syslog.Writer // nil when there is none
	stderr io.Writer      // nil without -o
}

func newLogger(stderr io.Writer, print bool) *logger {
	l := &logger{}
	l.sys, _ = syslog.New(syslog.LOG_DAEMON|syslog.LOG_NOTICE, "notifyd") // a system without a log is none's fault
	if print {
		l.stderr = stderr
	}
	return l
}

// error and notice have the levels of the original's lines.
func (l *logger) error(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if l.sys != nil {
		_ = l.sys.Err(text) // nobody to tell
	}
	l.print("error", text)
}

func (l *logger) notice(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if l.sys != nil {
		_ = l.sys.Notice(text)
	}
	l.print("notice", text)
}

// print has libqb's form (lib/log_format.c: the default format "[%p] %b").
func (l *logger) print(level, text string) {
	if l.stderr != nil {
		fmt.Fprintf(l.stderr, "[%s] %s\n", level, text)
	}
}

func (l *logger) node(m member) { l.notice("%s[%d] ip:%s %s", m.name, m.id, m.addr, m.state) }

func (l *logger) quorum(o origin, quorate bool) {
	if quorate {
		l.notice("%s[%d] is now quorate", o.host, o.id)
	} else {
		l.notice("%s[%d] has lost quorum", o.host, o.id)
	}
}

func (l *logger) client(o origin, c client) {
	preposition := "from"
	if c.state == connected {
		preposition = "to"
	}
	l.notice("%s[%d] %s is now %s %s corosync", o.host, o.id, c.name, c.state, preposition)
}

func (l *logger) link(o origin, k link) {
	l.notice("%s[%d] link %d to node %d is now %s", o.host, o.id, k.number, k.node, k.state)
}
