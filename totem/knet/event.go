package knet

import (
	"fmt"
	"net/netip"
)

// Level is how much an event matters.
type Level uint8

// The levels of libknet's log.
const (
	LevelError Level = iota
	LevelWarning
	LevelInfo
	LevelDebug
)

// EventKind says what an Event tells.
type EventKind uint8

// What is told, with the fields that are set beside Host and Link.
const (
	EventLinkUp         EventKind = iota + 1 // enough pongs came
	EventLinkDown                            // no pong for too long, or an ICMP error
	EventMTUReset                            // a link came up: N is its number, data goes in the smallest packets
	EventBestLink                            // passive: Link, N is its priority
	EventActiveLinks                         // active, rr: N links are used
	EventNoLinks                             // the host cannot be reached
	EventReachable                           // the host can (N 1) or cannot (N 0) be reached now
	EventLinkConfigured                      // a link was added
	EventLinkRemoved                         // a link was taken away
	EventTimers                              // timers of a link changed
	EventPriority                            // N is the new priority
	EventPong                                // N pongs have come, more are needed
	EventPongLate                            // a pong came after its time
	EventDataUp                              // data came on a link that is about to be up
	EventMTUStart                            // discovery starts
	EventMTULink                             // the link's MTU was N, is M
	EventMTUDone                             // discovery found N
	EventMTUInvalid                          // discovery found N, which is too small to use
	EventMTUAborted                          // discovery gave up, Errno says why
	EventMTUSuspect                          // packets of N bytes get lost
	EventMTUSuspectHint                      // what that may come from
	EventMTUGlobal                           // data goes in packets of N bytes from now on
	EventMTUManual                           // the MTU was set to N by hand
	EventMTUKernel                           // the kernel knows of a path MTU of N
	EventSendFailed                          // Errno for a datagram to Addr
	EventUnreachable                         // Errno came back by ICMP for Addr
	EventDropped                             // a packet from Addr was dropped: Drop
	EventCompressFailed                      // a datagram could not be compressed and goes as it is
)

// Event is one thing worth a line in the log. It is data: Text makes the line.
type Event struct {
	Kind  EventKind
	Drop  Drop
	Link  uint8
	Host  HostID
	N, M  int
	Errno Errno
	Addr  netip.AddrPort
}

// Level is the original's level of the event.
func (ev *Event) Level() Level {
	switch ev.Kind {
	case EventLinkUp, EventLinkDown, EventMTUReset, EventBestLink, EventActiveLinks, EventMTULink, EventMTUInvalid, EventMTUGlobal, EventMTUManual:
		return LevelInfo
	case EventNoLinks, EventMTUSuspect, EventMTUSuspectHint, EventCompressFailed:
		return LevelWarning
	case EventMTUAborted:
		if ev.Errno == 0 {
			return LevelError
		}
		return LevelDebug
	case EventDropped:
		return ev.Drop.Level()
	}
	return LevelDebug
}

// Text is the log line, with the name of libknet's part before it, as corosync
// writes it. Operators and tools look for these texts.
func (ev *Event) Text() string {
	on := fmt.Sprintf("host: %d link: %d", ev.Host, ev.Link)
	switch ev.Kind {
	case EventLinkUp:
		return "rx: " + on + " is up"
	case EventLinkDown:
		return "link: " + on + " is down"
	case EventMTUReset:
		return fmt.Sprintf("link: Resetting MTU for link %d because host %d joined", ev.Link, ev.Host)
	case EventBestLink:
		return fmt.Sprintf("host: host: %d (passive) best link: %d (pri: %d)", ev.Host, ev.Link, ev.N)
	case EventActiveLinks:
		return fmt.Sprintf("host: host: %d has %d active links", ev.Host, ev.N)
	case EventNoLinks:
		return fmt.Sprintf("host: host: %d has no active links", ev.Host)
	case EventReachable:
		return fmt.Sprintf("common: Knet host change callback. nodeid: %d reachable: %d", ev.Host, ev.N)
	case EventLinkConfigured:
		return "link: " + on + " is configured"
	case EventLinkRemoved:
		return "link: " + on + " config has been wiped"
	case EventTimers:
		return fmt.Sprintf("link: %s timeout update - interval: %d timeout: %d", on, ev.N, ev.M)
	case EventPriority:
		return fmt.Sprintf("link: %s priority set to: %d", on, ev.N)
	case EventPong:
		return fmt.Sprintf("rx: %s received pong: %d", on, ev.N)
	case EventPongLate:
		return "rx: Incoming pong packet from " + on + " has higher latency than pong_timeout. Discarding"
	case EventDataUp:
		return "rx: " + on + " received data during valid ping/pong activity. Force link up."
	case EventSendFailed:
		return fmt.Sprintf("udp: Unable to send to %v (%s): %v", ev.Addr, on, ev.Errno)
	case EventUnreachable:
		return fmt.Sprintf("udp: Received ICMP error: %v %v. Setting down host %d link %d", ev.Errno, ev.Addr.Addr(), ev.Host, ev.Link)
	case EventDropped:
		return ev.Drop.text(ev)
	case EventCompressFailed:
		return "compress: Compression failed"
	}
	return "pmtud: " + ev.mtuText(on)
}

func (ev *Event) mtuText(on string) string {
	switch ev.Kind {
	case EventMTUStart:
		return "Starting PMTUD for " + on
	case EventMTULink:
		return fmt.Sprintf("PMTUD link change for %s from %d to %d", on, ev.N, ev.M)
	case EventMTUDone:
		return fmt.Sprintf("PMTUD completed for %s current link mtu: %d", on, ev.N)
	case EventMTUInvalid:
		return fmt.Sprintf("Invalid MTU detected for %s mtu: %d", on, ev.N)
	case EventMTUAborted:
		if ev.Errno == 0 {
			return "Aborting PMTUD process: Too many attempts. MTU might have changed during discovery."
		}
		return fmt.Sprintf("Unable to send pmtu packet (sendto): %d %v", int(ev.Errno), ev.Errno)
	case EventMTUSuspect:
		return fmt.Sprintf("possible MTU misconfiguration detected. kernel is reporting MTU: %d bytes for "+
			"host %d link %d but the other node is not acknowledging packets of this size. ", ev.N, ev.Host, ev.Link)
	case EventMTUSuspectHint:
		return "This can be caused by this node interface MTU too big or a network device that does not support or has been" +
			" misconfigured to manage MTU of this size, or packet loss. knet will continue to run but performances might be affected."
	case EventMTUGlobal:
		return fmt.Sprintf("Global data MTU changed to: %d", ev.N)
	case EventMTUManual:
		return fmt.Sprintf("MTU manually set to: %d", ev.N)
	case EventMTUKernel:
		return fmt.Sprintf("detected kernel MTU: %d", ev.N)
	}
	return fmt.Sprintf("event %d", ev.Kind)
}
