package crmd

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// maxMessage bounds one message of a peer or a client: a CIB in a join or a
// scheduler's graph is the largest there is.
const maxMessage = 64 << 20

// message is a controller message, between nodes, daemons and clients alike,
// its header decoded once (lib/common/messages.c: create_request_adv,
// create_reply_adv).
type message struct {
	root *xmltree.Node // whole message, for relaying and the task's own attributes

	task    string // crm_task
	reply   bool   // subt: a response, else a request
	sysTo   string // subsystem it is for: dc, crmd, tengine, lrmd, a client's id
	sysFrom string
	hostTo  string // node it is for, empty for all
	from    string // src: node it came from, set by the receiver
	ref     string
	version string // feature set of the sender
	user    string // ACL user of the client it came from, set by the receiver

	data *xmltree.Node // its data, nil when there is none
}

// decodeMessage takes the header of a parsed message.
func decodeMessage(root *xmltree.Node) (*message, error) {
	m := &message{
		root: root, task: root.Attr("crm_task"), sysTo: root.Attr("crm_sys_to"), sysFrom: root.Attr("crm_sys_from"),
		hostTo: root.Attr("crm_host_to"), from: root.Attr("src"), ref: root.Attr("reference"),
		version: root.Attr("version"), user: root.Attr("crm_user"),
	}
	if t := root.Attr("t"); t != "crmd" && m.task != "hello" {
		return nil, fmt.Errorf("message %q: type is %q, not crmd", m.ref, t)
	}
	switch subt := root.Attr("subt"); subt {
	case "request":
	case "response":
		m.reply = true
	default:
		if m.task != "hello" {
			return nil, fmt.Errorf("message %q: neither request nor response but %q", m.ref, subt)
		}
	}
	if d := root.Child("crm_xml"); d != nil {
		d.Elements(func(e *xmltree.Node) {
			if m.data == nil {
				m.data = e
			}
		})
	}
	return m, nil
}

// parseMessage reads the text of a message.
func parseMessage(text string) (*message, error) {
	if len(text) > maxMessage {
		return nil, fmt.Errorf("message of %d bytes: more than %d", len(text), maxMessage)
	}
	root, err := xmltree.ParseString(text, xmltree.Limits{})
	if err != nil {
		return nil, err
	}
	return decodeMessage(root)
}

// number returns an attribute of the message as a number; ok is false when it
// is missing or none.
func (m *message) number(name string) (n int, ok bool) {
	n, err := strconv.Atoi(m.root.Attr(name))
	return n, err == nil
}

// request makes a request in the controller's envelope.
func request(task string, data *xmltree.Node, hostTo, sysTo, sysFrom string) *message {
	root := crmipc.NewRequest(task, hostTo, sysTo, sysFrom, "", data)
	m, err := decodeMessage(root)
	if err != nil {
		panic("crmd: own request: " + err.Error())
	}
	return m
}

// response makes the answer to a request; its header is the request's with
// sender and receiver exchanged.
func response(to *message, data *xmltree.Node) *message {
	m, err := decodeMessage(crmipc.NewReply(to.root, data))
	if err != nil {
		panic("crmd: own response: " + err.Error())
	}
	return m
}

// readdress changes the subsystem a message is for.
func (m *message) readdress(sysTo string) {
	m.sysTo = sysTo
	m.root.Set("crm_sys_to", sysTo)
}

// compareVersions compares dotted versions number by number
// (lib/common/strings.c: compare_version): negative when a is older.
func compareVersions(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		m, _ := strconv.Atoi(x)
		n, _ := strconv.Atoi(y)
		if m != n {
			return m - n
		}
	}
	return 0
}
