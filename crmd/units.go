package crmd

import (
	"time"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// absentTE, absentExecutor and absentFencer stand in until the units are there:
// a node that joins and can do nothing.
type (
	absentTE       struct{}
	absentExecutor struct {
		c  *Controller
		up bool
	}
	absentFencer struct{}
)

func newTransitioner(*Controller) transitioner { return absentTE{} }
func newExecutor(c *Controller) executor       { return &absentExecutor{c: c} }
func newFencer(*Controller) fencer             { return absentFencer{} }

func (absentTE) start()                                                        {}
func (absentTE) stop()                                                         {}
func (absentTE) invoke(schedReply)                                             {}
func (absentTE) cancel() bool                                                  { return false }
func (absentTE) halt() bool                                                    { return false }
func (absentTE) active() bool                                                  { return false }
func (absentTE) known() bool                                                   { return false }
func (absentTE) abort(int, completion, string, *xmltree.Node)                  {}
func (absentTE) abortAfter(time.Duration, int, completion, string)             {}
func (absentTE) cibChanged(*xmltree.Node)                                      {}
func (absentTE) nodeGone(string)                                               {}
func (absentTE) matchDown(string) (downEvent, bool)                            { return downEvent{}, false }
func (absentTE) confirmDown(string)                                            {}
func (absentTE) throttleChanged()                                              {}
func (absentTE) optionsChanged()                                               {}
func (absentTE) message(*message)                                              {}
func (absentTE) recheckBy() time.Time                                          { return time.Time{} }
func (e *absentExecutor) connect() bool                                        { e.up = true; return false }
func (e *absentExecutor) disconnect() bool                                     { e.up = false; return false }
func (e *absentExecutor) reconnect()                                           {}
func (e *absentExecutor) connected() bool                                      { return e.up }
func (e *absentExecutor) invoke(*message)                                      {}
func (e *absentExecutor) clearLastFailure(_, _, _ string, _ uint)              {}
func (e *absentExecutor) deleteFromCIB(*message)                               {}
func (e *absentExecutor) alert(_, _ string, _ time.Duration, _ []xmltree.Attr) {}
func (e *absentExecutor) updatesPending() bool                                 { return false }
func (e *absentExecutor) stopRecurring()                                       {}
func (e *absentExecutor) nodeState() *xmltree.Node {
	n := e.c.nodeState(e.c.peers.Self(), nodeCluster|nodePeer, "controld_query_executor_state")
	if n != nil {
		n.AddNew("lrm", xmltree.Attr{Name: "id", Value: n.ID()}).AddNew("lrm_resources")
	}
	return n
}
func (absentFencer) connect()        {}
func (absentFencer) disconnect(bool) {}
func (absentFencer) nodeUp(string)   {}
func (absentFencer) takeOver()       {}
func (absentFencer) notDC()          {}
func (absentFencer) syncHistory()    {}
func (absentFencer) forget(string)   {}
