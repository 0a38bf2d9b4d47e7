package service

// Level is a syslog priority, and LevelTrace below all of them (logsys.h).
type Level uint8

const (
	LevelAlert   Level = 1
	LevelCrit    Level = 2
	LevelError   Level = 3
	LevelWarning Level = 4
	LevelNotice  Level = 5
	LevelInfo    Level = 6
	LevelDebug   Level = 7
	LevelTrace   Level = 8
)

// Log takes one line of a service, without time and subsystem, which the
// daemon adds. The text is the original's where operators look for it.
type Log func(level Level, text string)
