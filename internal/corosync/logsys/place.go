package logsys

import (
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// place is where in our source a line was written. Immutable.
type place struct {
	function, file string
	line           uint32
}

const (
	// placeDepth is how many callers are looked at for the one that had something
	// to say: some only pass lines on.
	placeDepth = 6
	// maxPlaces bounds what is remembered; the source has some hundreds.
	maxPlaces = 4096
)

// places remembers what is known of callers: looking it up takes microseconds and
// memory, once for each. Safe for concurrent use.
type places struct {
	mu      sync.Mutex
	scratch [placeDepth]uintptr // what runtime.Callers gets would else be allocated
	known   map[[placeDepth]uintptr]*place
}

// caller is the place of the line that is being written.
func (p *places) caller() *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.scratch[:])
	n := runtime.Callers(3, p.scratch[:]) // beyond Callers, caller and Log
	at := p.scratch
	if found := p.known[at]; found != nil {
		return found
	}
	if p.known == nil || len(p.known) >= maxPlaces {
		p.known = map[[placeDepth]uintptr]*place{}
	}
	found := lookUp(p.scratch[:n])
	p.known[at] = found
	return found
}

// lookUp finds the innermost caller that does not merely pass a line on.
func lookUp(at []uintptr) *place {
	out := &place{function: "?", file: "?"}
	if len(at) == 0 {
		return out
	}
	frames := runtime.CallersFrames(at)
	for {
		f, more := frames.Next()
		name := shortName(f.Function)
		*out = place{function: name, file: filepath.Base(f.File), line: uint32(f.Line)}
		if !more || !passesOn(f.Function, name) {
			return out
		}
	}
}

// passesOn says whether a function only hands lines to the log.
func passesOn(full, name string) bool {
	if strings.Contains(full, "internal/corosync/logsys.(*Logger)") {
		return true
	}
	switch name {
	case "log", "logf", "Log", "tell", "warn":
		return true
	}
	return false
}

// shortName is a function's own name: "onToken" of "…/srp.(*Ring).onToken.func1".
func shortName(full string) string {
	full = strings.TrimSuffix(full[strings.LastIndexByte(full, '/')+1:], "-fm")
	part := strings.Split(full, ".")
	for len(part) > 2 && generated(part[len(part)-1]) {
		part = part[:len(part)-1]
	}
	return part[len(part)-1]
}

// generated says whether a part of a name is the compiler's: func1, 2, gowrap3.
func generated(s string) bool {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "func"), "gowrap")
	return strings.Trim(s, "0123456789") == ""
}
