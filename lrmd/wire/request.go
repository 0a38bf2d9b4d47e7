package wire

import "github.com/pacesync/pacesync/internal/xmltree"

// Alert is an alert agent to run.
type Alert struct{ ID, Path string }

// Request is what a client asks. Which fields count depends on Op.
type Request struct {
	Op         string
	Token      string // lrmd_async_id: the client's id as register answered it
	ClientName string // register
	Version    string // register: the client's protocol version
	Provider   bool   // register: the client wants to serve proxies
	Options    Options
	Timeout    int // of the call, in ms, as the client says; the server ignores it

	Origin string // function of the client, for logs
	Rsc    Rsc
	// HasRsc says whether the request names a resource; get_recurring works on all without.
	HasRsc     bool
	Action     string
	UserData   string
	Interval   uint32 // ms
	OpTimeout  int    // ms
	StartDelay int    // ms
	Params     Params // exec and alert

	Alert    Alert
	Watchdog string // check: stonith-watchdog-timeout
}

// ParseRequest reads a request. It never fails: an unknown operation and
// missing values are the server's to refuse.
func ParseRequest(n *xmltree.Node) Request {
	top := reader{n}
	q := Request{
		Op: top.str("lrmd_op"), Token: top.str("lrmd_async_id"), ClientName: top.str("lrmd_clientname"),
		Version: top.str("lrmd_protocol_version"), Provider: top.bool("lrmd_is_ipc_provider"),
		Options: Options(top.int("lrmd_callopt")), Timeout: top.int("lrmd_timeout"),
	}
	switch q.Op {
	case OpAlertExec:
		if a := named(n, "lrmd_alert"); a != nil {
			r := reader{a}
			q.Origin, q.Alert = r.str("lrmd_origin"), Alert{r.str("lrmd_alert_id"), r.str("lrmd_alert_path")}
			q.OpTimeout, q.Params = r.int("lrmd_timeout"), parseParams(a)
		}
		return q
	case OpCheck:
		if data := n.Child("lrmd_calldata"); data != nil && data.First != nil {
			q.Watchdog = data.First.Attr("lrmd_watchdog")
		}
		return q
	}
	rsc := named(n, "lrmd_rsc")
	if rsc == nil {
		return q
	}
	r := reader{rsc}
	q.HasRsc, q.Origin = true, r.str("lrmd_origin")
	q.Rsc = Rsc{r.str("lrmd_rsc_id"), r.str("lrmd_class"), r.str("lrmd_provider"), r.str("lrmd_type")}
	q.Action, q.UserData = r.str("lrmd_rsc_action"), r.str("lrmd_rsc_userdata_str")
	q.Interval = r.ms("lrmd_rsc_interval")
	q.OpTimeout, q.StartDelay = r.int("lrmd_timeout"), r.int("lrmd_rsc_start_delay")
	if q.Op == OpRscExec {
		q.Params = parseParams(rsc)
	}
	return q
}

// XML writes a request as the C library does.
func (q Request) XML() *xmltree.Node {
	n := xmltree.New("lrmd_command")
	w := writer{n}
	if q.Op == OpRegister {
		w.str("t", "lrmd")
		w.str("lrmd_op", q.Op)
		w.str("lrmd_clientname", q.ClientName)
		w.str("lrmd_protocol_version", q.Version)
		if q.Provider {
			w.str("lrmd_is_ipc_provider", "true")
		}
		return n
	}
	w.str("__name__", "lrmd_command")
	w.str("t", "lrmd")
	w.str("lrmd_async_id", q.Token)
	w.str("lrmd_op", q.Op)
	w.int("lrmd_timeout", q.Timeout)
	w.int("lrmd_callopt", int(q.Options))
	if data := q.data(); data != nil {
		n.AddNew("lrmd_calldata").Add(data)
	}
	return n
}

func (q Request) data() *xmltree.Node {
	switch q.Op {
	case OpAlertExec:
		n := xmltree.New("lrmd_alert")
		w := writer{n}
		addParams(n, q.Params)
		w.str("lrmd_origin", q.Origin)
		w.str("lrmd_alert_id", q.Alert.ID)
		w.str("lrmd_alert_path", q.Alert.Path)
		w.int("lrmd_timeout", q.OpTimeout)
		return n
	case OpCheck:
		n := xmltree.New("lrmd_op")
		writer{n}.str("lrmd_origin", q.Origin)
		writer{n}.str("lrmd_watchdog", q.Watchdog)
		return n
	case OpForward:
		return nil
	}
	if !q.HasRsc {
		return nil
	}
	n := xmltree.New("lrmd_rsc")
	w := writer{n}
	w.str("lrmd_origin", q.Origin)
	switch q.Op {
	case OpRscCancel:
		w.str("lrmd_rsc_action", q.Action)
		w.str("lrmd_rsc_id", q.Rsc.ID)
		w.ms("lrmd_rsc_interval", q.Interval)
	case OpRscExec:
		w.str("lrmd_rsc_id", q.Rsc.ID)
		w.str("lrmd_rsc_action", q.Action)
		w.str("lrmd_rsc_userdata_str", q.UserData)
		w.ms("lrmd_rsc_interval", q.Interval)
		w.int("lrmd_timeout", q.OpTimeout)
		w.int("lrmd_rsc_start_delay", q.StartDelay)
		addParams(n, q.Params)
	default:
		w.str("lrmd_rsc_id", q.Rsc.ID)
		w.str("lrmd_class", q.Rsc.Class)
		w.str("lrmd_provider", q.Rsc.Provider)
		w.str("lrmd_type", q.Rsc.Type)
	}
	return n
}
