package engine

import (
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Effect is one thing the daemon must do. Trees in effects may share parts of
// the CIB and of requests: they are to be written out before the next request,
// and not changed.
type Effect interface{ effect() }

// Reply answers request ID of a client; an ID of 0 means that it goes as an event.
type Reply struct {
	Client string
	ID     uint32
	XML    *xmltree.Node
}

// Ack acknowledges request ID of a client with a status, if it waits.
type Ack struct {
	Client string
	ID     uint32
	Status int
}

// Notify tells clients, in the order they came, of a change.
type Notify struct {
	Clients []string
	XML     *xmltree.Node
}

// Send goes to the daemons of the group, or to that of one node.
type Send struct {
	To  string // node name, empty: all
	XML *xmltree.Node
}

// Persist asks for the CIB to be written to disk. Only the last one counts.
type Persist struct{ CIB *xmltree.Node }

// Options tells of cluster options that concern the daemon.
type Options struct{ IPCLimit string }

// Daemon says that a client is one of the cluster's own, which may lag behind further.
type Daemon struct{ Client string }

// Exit ends the daemon. Forced: peers did not answer.
type Exit struct{ Forced bool }

// Level of a log line.
type Level uint8

// Levels, with syslog's numbers.
const (
	Error Level = iota + 3
	Warning
	Notice
	Info
	Debug
)

// Log is a line for the log. Lines that users search for read as in the original.
type Log struct {
	Level Level
	Text  string
}

func (Reply) effect()   {}
func (Ack) effect()     {}
func (Notify) effect()  {}
func (Send) effect()    {}
func (Persist) effect() {}
func (Options) effect() {}
func (Daemon) effect()  {}
func (Exit) effect()    {}
func (Log) effect()     {}

func (e *Engine) put(x Effect) { e.out = append(e.out, x) }

func (e *Engine) log(level Level, text string) { e.put(Log{level, text}) }

// Take returns what is to be done, in that order, and forgets it.
func (e *Engine) Take() []Effect {
	out := e.out
	e.out = nil
	return out
}

// borrow makes an element that shows all of n without being its copy, so that n
// can be part of a message. Neither may be changed as long as both are in use.
func borrow(n *xmltree.Node) *xmltree.Node {
	return &xmltree.Node{Kind: n.Kind, Name: n.Name, Attrs: n.Attrs, First: n.First, Last: n.Last}
}

// attach puts data into a message, in an element of its own
// (messages.c: add_message_xml).
func attach(msg *xmltree.Node, field string, data *xmltree.Node) {
	msg.AddNew(field).Add(borrow(data))
}

// attached is what attach put there, nil for nothing
// (messages.c: get_message_xml).
func attached(msg *xmltree.Node, field string) *xmltree.Node {
	box := msg.Child(field)
	if box == nil {
		return nil
	}
	for c := box.First; c != nil; c = c.Next {
		if c.Kind == xmltree.Element {
			return c
		}
	}
	return nil
}
