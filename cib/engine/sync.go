package engine

import (
	"fmt"
	"strconv"

	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/cib/doc"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// askForCIB asks a node, or all, for a whole CIB (based_messages.c:
// send_sync_request).
func (e *Engine) askForCIB(host string) {
	from := host
	if from == "" {
		from = "all peers"
	}
	e.log(Info, "Requesting re-sync from "+from)
	e.syncing = 1
	e.put(Send{To: host, XML: xmltree.New("sync-me", attr("t", "cib"), attr("cib_op", opSyncOne), attr("cib_delegated_from", e.cfg.Node))})
}

// sendCIB sends our CIB to all nodes or to the one that asked
// (based_messages.c: sync_our_cib).
func (e *Engine) sendCIB(ask *xmltree.Node, all bool) {
	host := ask.Attr("src")
	msg := xmltree.New("copy")
	for _, name := range copied() {
		if v, ok := ask.Get(name); ok {
			msg.Set(name, v)
		}
	}
	if host != "" {
		msg.Set("cib_isreplyto", host)
	}
	to := host
	if all {
		msg.Unset("cib_host")
		to = ""
		e.log(Debug, "Syncing CIB to all peers")
	} else {
		e.log(Debug, "Syncing CIB to "+host)
	}
	msg.Set("cib_op", "cib_replace")
	msg.Set("original_cib_op", ask.Attr("cib_op"))
	msg.Set("cib_update", "true")
	msg.Set("crm_feature_set", doc.FeatureSet)
	msg.Set("digest", digest.Versioned(e.Root(), doc.FeatureSet))
	attach(msg, "cib_calldata", e.Root())
	e.put(Send{To: to, XML: msg})
}

// copied are the attributes of a request that go into the answer with a whole
// CIB, in this order (based_common.c: cib_msg_copy).
func copied() [22]string {
	return [...]string{"__name__", "t", "cib_clientid", "cib_callopt", "cib_callid", "cib_op", "cib_isreplyto", "cib_section", "cib_host", "cib_rc",
		"cib_delegated_from", "cib_object", "cib_object_type", "cib_existing_object", "cib_seen", "cib_timeout", "cib_async_id", "cib_update",
		"cib_clientname", "cib_user", "cib_notify_type", "cib_notify_activate"}
}

// sendPing asks all nodes for the digests of their CIBs, on the primary alone
// (based_callbacks.c: cib_digester_cb).
func (e *Engine) sendPing() {
	if !e.primary || e.cfg.StandAlone {
		return
	}
	e.ping = pingState{seq: e.ping.seq + 1}
	e.put(Send{XML: xmltree.New("ping", attr("t", "cib"), attr("cib_op", opPing),
		attr("cib_ping_id", strconv.FormatUint(e.ping.seq, 10)), attr("crm_feature_set", doc.FeatureSet))})
}

// pong is our answer to a ping (based_messages.c: cib_process_ping).
func (e *Engine) pong(r *request) *xmltree.Node {
	sum := digest.Versioned(e.Root(), doc.FeatureSet)
	answer := xmltree.New("ping_response", attr("crm_feature_set", doc.FeatureSet), attr("digest", sum))
	if v, ok := r.xml.Get("cib_ping_id"); ok {
		answer.Set("cib_ping_id", v)
	}
	attach(answer, "cib_calldata", &xmltree.Node{Name: e.Root().Name, Attrs: e.Root().Attrs})
	e.log(Info, fmt.Sprintf("Reporting our current digest to %s: %s for %s", r.attr("src"), sum, version(e.Root())))
	return answer
}

// processPong compares a peer's digest with ours and sends our CIB where they
// differ (based_callbacks.c: process_ping_reply).
func (e *Engine) processPong(msg *xmltree.Node) {
	answer := attached(msg, "cib_calldata")
	if answer == nil {
		return
	}
	seq, err := strconv.ParseUint(answer.Attr("cib_ping_id"), 10, 64)
	theirs := answer.Attr("digest")
	if err != nil || theirs == "" || seq != e.ping.seq || e.ping.modified {
		return
	}
	if e.ping.digest == "" {
		e.ping.digest = digest.Versioned(e.Root(), answer.Attr("crm_feature_set"))
	}
	if digest.Same(e.ping.digest, theirs) {
		return
	}
	their := "_._._"
	if cib := attached(answer, "cib_calldata"); cib != nil {
		their = version(cib).String()
	}
	e.log(Notice, fmt.Sprintf("Local CIB %s.%s differs from %s: %s.%s", version(e.Root()), e.ping.digest, msg.Attr("src"), their, theirs))
	e.sendCIB(msg, false)
}
