package crmipc

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// references numbers the requests of this process.
var references atomic.Uint32

// NewRequest makes a request in the envelope that the controller, the scheduler
// and pacemakerd understand (messages.c: create_request_adv). uuid and host may
// be empty; data, which may be nil, becomes part of the request.
func NewRequest(task, host, sysTo, sysFrom, uuid string, data *xmltree.Node) *xmltree.Node {
	from := sysFrom
	if uuid != "" {
		if from == "" {
			from = "none"
		}
		from = uuid + "_" + from
	}
	n := xmltree.New("create_request_adv",
		xmltree.Attr{Name: "origin", Value: "pacesync"},
		xmltree.Attr{Name: "t", Value: "crmd"},
		xmltree.Attr{Name: "version", Value: pcmk.FeatureSet},
		xmltree.Attr{Name: "subt", Value: "request"},
		xmltree.Attr{Name: "reference", Value: Reference(task, sysFrom)},
		xmltree.Attr{Name: "crm_task", Value: task},
		xmltree.Attr{Name: "crm_sys_to", Value: sysTo},
		xmltree.Attr{Name: "crm_sys_from", Value: from})
	if host != "" {
		n.Set("crm_host_to", host)
	}
	addData(n, data)
	return n
}

// Reference names a request of this process: TASK-FROM-TIME-NUMBER.
func Reference(task, from string) string {
	if task == "" {
		task = "_empty_"
	}
	if from == "" {
		from = "_empty_"
	}
	return task + "-" + from + "-" + strconv.FormatInt(time.Now().Unix(), 10) + "-" + strconv.FormatUint(uint64(references.Add(1)-1), 10)
}

func addData(n, data *xmltree.Node) {
	if data != nil {
		n.AddNew("crm_xml").Add(data)
	}
}

// NewReply makes the answer to a request of that envelope (messages.c:
// create_reply_adv): same reference and task, sender and receiver exchanged.
func NewReply(request, data *xmltree.Node) *xmltree.Node {
	n := xmltree.New("create_reply_adv",
		xmltree.Attr{Name: "origin", Value: "pacesync"},
		xmltree.Attr{Name: "t", Value: "crmd"},
		xmltree.Attr{Name: "version", Value: pcmk.FeatureSet},
		xmltree.Attr{Name: "subt", Value: "response"})
	for _, a := range [...][2]string{{"reference", "reference"}, {"crm_task", "crm_task"},
		{"crm_sys_to", "crm_sys_from"}, {"crm_sys_from", "crm_sys_to"}} {
		if v, ok := request.Get(a[1]); ok {
			n.Set(a[0], v)
		}
	}
	if host := request.Attr("src"); host != "" {
		n.Set("crm_host_to", host)
	}
	addData(n, data)
	return n
}

// Data is the first element within an envelope's data, nil without
// (messages.c: get_message_xml).
func Data(envelope *xmltree.Node) *xmltree.Node {
	var first *xmltree.Node
	envelope.Child("crm_xml").Elements(func(n *xmltree.Node) {
		if first == nil {
			first = n
		}
	})
	return first
}
