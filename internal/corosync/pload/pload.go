// Package pload is the profile loading service, 4: when an operator writes a long
// sentence into cmap, every node of the ring multicasts messages as fast as the
// ring takes them, tells how fast that was, and ends.
//
// The daemon registers its Engine; nodes of the original and ours take part in
// one run.
//
// Upstream: exec/pload.c.
package pload

import (
	"fmt"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// magic is the value of pload.start that starts a run.
const magic = "i_totally_understand_pload_will_crash_my_cluster_and_kill_corosync_on_exit"

// Number and size of messages unless cmap says otherwise, the largest size
// (coroapi.h: MESSAGE_SIZE_MAX) and the status that the daemon ends with
// (util.h: COROSYNC_DONE_PLOAD).
const (
	defaultCount = 1500000
	defaultSize  = 300
	maxSize      = 1024 * 1024
	exitStatus   = 99
)

// Messages between nodes.
const (
	execStart = 0 // header, count u32, size u32
	execMcast = 1 // header and what fills up to size
	startSize = mar.ReqSize + 8
)

// Options of the service.
type Options struct {
	Map *cmap.Map
	Log service.Log // subsystem PLOAD
	// EachTurn runs a function at the end of every turn of the loop: what it
	// sends fills the queue that the token has just emptied.
	EachTurn func(fn func() (more bool))
}

// Service is the profile loading service. Owned by the loop.
type Service struct {
	host service.Host
	opt  Options

	running   bool // a start message has come; there is but one run
	wanted    uint32
	size      uint32
	sent      uint32
	delivered uint32
	first     time.Time // of the first message delivered
	header    [mar.ReqSize]byte
	body      []byte
}

// New makes the service; nothing happens before the engine's Start.
func New(h service.Host, opt Options) *Service { return &Service{host: h, opt: opt} }

// Engine describes the service to the daemon.
func (s *Service) Engine() *service.Engine {
	return &service.Engine{
		ID: service.Pload, Name: "corosync_pload", Title: "corosync profile loading service", Short: "pload",
		Priority: 1, AllowInquorate: true, Start: s.start,
		Exec: []service.ExecFn{
			{Name: "start", Deliver: s.deliverStart, MinSize: startSize},
			{Name: "mcast", Deliver: s.deliverMcast},
		},
	}
}

func (s *Service) start() error {
	s.opt.Map.Track("pload.", cmap.Added|cmap.Modified|cmap.Deleted|cmap.Prefix, func(cmap.Change) { s.keyChanged() })
	return nil
}

// keyChanged asks all nodes to start when the magic words are there (pload.c:
// pload_read_config).
func (s *Service) keyChanged() {
	count, size := uint32(defaultCount), uint32(defaultSize)
	if v, ok := s.opt.Map.U32("pload.count"); ok {
		count = v
	}
	if v, ok := s.opt.Map.U32("pload.size"); ok {
		size = v
	}
	if size > maxSize {
		size = maxSize
		s.opt.Log(service.LevelWarning, fmt.Sprintf("pload size limited to %d", size))
	}
	if text, _ := s.opt.Map.Str("pload.start"); s.running || text != magic {
		return
	}
	s.opt.Log(service.LevelWarning, "Starting pload!")
	msg := make([]byte, startSize)
	mar.PutReq(msg, mar.ID(service.Pload, execStart), startSize)
	mar.PutU32(msg, mar.ReqSize, count)
	mar.PutU32(msg, mar.ReqSize+4, size)
	if err := s.host.Mcast(msg, nil); err != nil {
		s.opt.Log(service.LevelWarning, fmt.Sprintf("pload could not be started: %v: set pload.start again", err))
	}
}

// deliverStart begins to send, here as on every node.
func (s *Service) deliverStart(_ uint32, msg []byte, swapped bool) {
	if s.running {
		return
	}
	v := mar.View{B: msg, Swapped: swapped}
	s.running = true
	s.wanted, s.size = v.U32(mar.ReqSize), min(v.U32(mar.ReqSize+4), maxSize)
	mar.PutReq(s.header[:], mar.ID(service.Pload, execMcast), mar.ReqSize+int(s.size))
	if s.size > mar.ReqSize {
		s.body = make([]byte, s.size-mar.ReqSize)
	}
	s.opt.EachTurn(s.fill)
}

// fill sends until the ring takes no more; the next turn goes on. It allocates
// nothing.
func (s *Service) fill() (more bool) {
	for s.sent < s.wanted && s.host.Mcast(s.header[:], s.body) == nil {
		s.sent++
	}
	return false
}

// deliverMcast counts the messages of all nodes; the last one ends the daemon
// here and now, without a word to the ring.
func (s *Service) deliverMcast(uint32, []byte, bool) {
	if s.delivered == 0 {
		s.first = s.host.Now()
	}
	s.delivered++
	if s.delivered != s.wanted {
		return
	}
	seconds := s.host.Now().Sub(s.first).Seconds()
	n := float64(s.delivered)
	s.opt.Log(service.LevelNotice, fmt.Sprintf("%5d Writes %d bytes per write %7.3f seconds runtime, %9.3f TP/S, %9.3f MB/S.",
		s.delivered, s.size, seconds, n/seconds, n*float64(s.size)/seconds/(1024*1024)))
	s.opt.Log(service.LevelWarning, "Stopping corosync the hard way")
	s.host.Shutdown(exitStatus, false)
}
