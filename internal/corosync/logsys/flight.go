package logsys

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/blackbox"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// flight is the flight recorder. Safe for concurrent use: lines of all goroutines
// go into one ring, at once and not by way of the writer, so that it holds the
// last ones when the process crashes.
type flight struct {
	on   atomic.Bool
	mu   sync.Mutex
	ring *blackbox.Ring // nil: off
	rec  blackbox.Record
}

// enable turns the recorder on, empty, or off.
func (f *flight) enable(on bool, mem []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !on || mem == nil:
		f.ring = nil
	case f.ring == nil:
		f.ring = blackbox.NewRing(mem)
	}
	f.on.Store(f.ring != nil)
}

// put records a line. It allocates nothing.
func (f *flight) put(when time.Time, tag uint32, level service.Level, at *place, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ring == nil {
		return
	}
	f.rec = blackbox.Record{When: when, Func: at.function, Line: at.line, Tag: tag, Level: uint8(level), Text: text}
	f.ring.Put(&f.rec)
}

// FlightData is the content of the flight recorder as a file for qb-blackbox;
// false when logging.blackbox is off.
func (s *System) FlightData() ([]byte, bool) {
	f := &s.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ring == nil {
		return nil, false
	}
	return f.ring.AppendFile(make([]byte, 0, f.ring.FileSize())), true
}

// tagOf is the number of a subsystem in flight data. The original numbers them as
// they are made; those that its readers know by number keep it. Ours begin with 32,
// the largest number of subsystems there (logsys.h: LOGSYS_MAX_SUBSYS_COUNT).
func tagOf(name string, n int) uint32 {
	switch name {
	case "QB":
		return 1 << 31 // qblog.h: QB_LOG_TAG_LIBQB_MSG
	case "QUORUM":
		return 1
	case "SYNC":
		return 2
	case "CMAP":
		return 4
	case "CPG":
		return 5
	case "VOTEQ":
		return 7
	case "MAIN":
		return 8
	case "SERV":
		return 12
	case "MON":
		return 13
	case "WD":
		return 14
	case "TOTEM":
		return 15
	}
	return 32 + uint32(n)
}
