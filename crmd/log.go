package crmd

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/pacesync/pacesync/internal/daemonkit"
)

// syslog writes a line at a level of syslog's numbers, 8 for tracing.
func (l logger) syslog(level int, text string) { l.at(daemonkit.Priority(level), "%s", []any{text}) }

// logger writes Pacemaker's levels. It is safe for concurrent use.
type logger struct{ h *slog.Logger }

func (l logger) at(level slog.Level, format string, args []any) {
	ctx := context.Background()
	if !l.h.Enabled(ctx, level) {
		return
	}
	var pcs [1]uintptr
	runtime.Callers(3, pcs[:]) // the line is its caller's
	r := slog.NewRecord(time.Now(), level, fmt.Sprintf(format, args...), pcs[0])
	_ = l.h.Handler().Handle(ctx, r) // a log that fails has nowhere to say so
}

func (l logger) crit(format string, args ...any)   { l.at(levelCrit, format, args) }
func (l logger) err(format string, args ...any)    { l.at(levelError, format, args) }
func (l logger) warn(format string, args ...any)   { l.at(levelWarning, format, args) }
func (l logger) notice(format string, args ...any) { l.at(levelNotice, format, args) }
func (l logger) info(format string, args ...any)   { l.at(levelInfo, format, args) }
func (l logger) debug(format string, args ...any)  { l.at(levelDebug, format, args) }
func (l logger) trace(format string, args ...any)  { l.at(levelTrace, format, args) }

const (
	levelCrit    = daemonkit.LevelCrit
	levelError   = slog.LevelError
	levelWarning = slog.LevelWarn
	levelNotice  = daemonkit.LevelNotice
	levelInfo    = slog.LevelInfo
	levelDebug   = slog.LevelDebug
	levelTrace   = daemonkit.LevelTrace
)
