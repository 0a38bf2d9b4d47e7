package wire

import (
	"strconv"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Record is what is remembered of an operation.
type Record struct {
	ID                       string
	Target, Action, Origin   string
	Delegate, ClientName     string
	Completed, CompletedNsec int64
	State                    State
	Result                   Result
}

// HistoryList is the history of a fencer, or what others lack of it.
type HistoryList struct {
	Differential bool
	Records      []Record
}

func historyOf(n *xmltree.Node) (*HistoryList, error) {
	h := &HistoryList{Differential: isTrue(n.Attr("st_differential"))}
	n.Elements(func(e *xmltree.Node) {
		if len(h.Records) <= maxHistory {
			h.Records = append(h.Records, recordOf(e))
		}
	})
	if len(h.Records) > maxHistory {
		return nil, ErrTooMany
	}
	return h, nil
}

func recordOf(e *xmltree.Node) Record {
	r := Record{
		ID: e.Attr("st_remote_op"), Target: e.Attr("st_target"), Action: e.Attr("st_device_action"), Origin: e.Attr("st_origin"),
		Delegate: e.Attr("st_delegate"), ClientName: e.Attr("st_clientname"), State: State(atoi(e.Attr("st_state"))),
	}
	r.Completed, _ = strconv.ParseInt(e.Attr("st_date"), 10, 64)
	r.CompletedNsec, _ = strconv.ParseInt(e.Attr("st_date_nsec"), 10, 64)
	exit, ok1 := atoiOK(e.Attr("rc-code"))
	status, ok2 := atoiOK(e.Attr("op-status"))
	if !ok1 || !ok2 { // fencers before 2.1.3 did not say
		exit, status = int(pcmk.ExitIndeterminate), int(pcmk.ExecUnknown)
	}
	r.Result = Result{Exit: exit, Status: pcmk.ExecStatus(status), Reason: e.Attr("exit-reason"), Output: e.Attr("st_output")}
	return r
}

// XML is the st_history element; ids are only for peers.
func (h *HistoryList) XML(ids bool) *xmltree.Node {
	n := xmltree.New("st_history")
	for i := range h.Records {
		h.Records[i].add(n, ids)
	}
	if h.Differential {
		n.Set("st_differential", "true")
	}
	return n
}

func (r *Record) add(list *xmltree.Node, ids bool) {
	e := list.AddNew("st_execute")
	if ids {
		e.Set("st_remote_op", r.ID)
	}
	setIf(e, "st_target", r.Target)
	setIf(e, "st_device_action", r.Action)
	setIf(e, "st_origin", r.Origin)
	setIf(e, "st_delegate", r.Delegate)
	setIf(e, "st_clientname", r.ClientName)
	e.Set("st_date", strconv.FormatInt(r.Completed, 10))
	e.Set("st_date_nsec", strconv.FormatInt(r.CompletedNsec, 10))
	setInt(e, "st_state", int(r.State))
	r.Result.Set(e)
}
