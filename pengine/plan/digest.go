package plan

import (
	"crypto/md5"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

const featureSet = "3.16.1" // CRM_FEATURE_SET where a CIB names none

// CompareDigest compares the parameters that an operation ran with and those that it
// would run with now (rsc_action_digest_cmp).
func CompareDigest(r *model.Resource, o *model.HistoryOp, n *model.Node) *model.Digest {
	d := digestFor(r, o.Task, o.IntervalMS, n, o, r.Cluster.Sanitized)
	switch {
	case o.HasRestartDigest && d.HasRestart && d.Restart != o.RestartDigest:
		d.Result = model.DigestRestart
	case o.Digest == "":
		d.Result = model.DigestUnknown
	case o.Digest != d.All:
		if o.IntervalMS != 0 || d.Result != model.DigestRestart {
			d.Result = model.DigestAll
		}
	default:
		d.Result = model.DigestMatch
	}
	return d
}

// digestFor computes digests once for each node, resource and operation.
func digestFor(r *model.Resource, task string, ms uint32, n *model.Node, o *model.HistoryOp, secure bool) *model.Digest {
	key := model.Key(r.ID, task, ms)
	if d := n.Digests[key]; d != nil {
		return d
	}
	d := computeDigest(r, task, ms, n, o, secure)
	if n.Digests == nil {
		n.Digests = map[string]*model.Digest{}
	}
	n.Digests[key] = d
	return d
}

func computeDigest(r *model.Resource, task string, ms uint32, n *model.Node, o *model.HistoryOp, secure bool) *model.Digest {
	version := featureSet
	if r.Cluster.FeatureSet != "" {
		version = r.Cluster.FeatureSet
	}
	if o != nil && o.FeatureSet != "" {
		version = o.FeatureSet
	}
	d := &model.Digest{}
	params := r.Params(n)
	all := map[string]string{}
	BundleAddr(r, all)
	a := Draft(r.Cluster, Spec{Rsc: r, Task: task, Interval: ms, Node: n})
	mergeMissing(all, params)
	mergeMissing(all, a.Extra)
	for k, v := range a.Meta {
		if name, ok := MetaName(k); ok {
			if _, have := all[name]; !have {
				all[name] = v
			}
		}
	}
	FilterForDigest(all)
	if ms == 0 && len(a.Extra) > 0 {
		d.Result = model.DigestRestart
	}
	d.All = ParamsDigest(all)
	if secure {
		d.Secure = secureDigest(r, params, all, o, version)
	}
	if o != nil && o.HasRestartDigest {
		restart := map[string]string{}
		mergeMissing(restart, all)
		if o.HasForceRestart {
			removeIf(restart, func(k string) bool { return !strings.Contains(o.ForceRestart, " "+k+" ") })
		}
		d.Restart, d.HasRestart = ParamsDigest(restart), true
	}
	return d
}

// secureDigest leaves out what the agent marks private (calculate_secure_digest).
func secureDigest(r *model.Resource, params, all map[string]string, o *model.HistoryOp, version string) string {
	old := rules.CompareVersions(version, "3.16.0") < 0
	list := " passwd password user "
	if o != nil {
		list = o.SecureParams
	}
	m := map[string]string{}
	if old {
		mergeMissing(m, params)
	} else {
		mergeMissing(m, all)
	}
	removeIf(m, func(k string) bool { return strings.Contains(list, " "+k+" ") })
	if old && strings.EqualFold(r.Class, "stonith") {
		removeIf(m, fenceParam)
	}
	FilterForDigest(m)
	if old {
		delete(m, "CRM_meta_timeout")
	}
	return ParamsDigest(m)
}

func mergeMissing(dst, src map[string]string) {
	for k, v := range src {
		if _, have := dst[k]; !have {
			dst[k] = v
		}
	}
}

func removeIf(m map[string]string, bad func(string) bool) {
	for k := range m {
		if bad(k) {
			delete(m, k)
		}
	}
}

// MetaName is the name of a meta attribute among the parameters of an action; ok is
// false for names that stay out (hash2metafield).
func MetaName(k string) (name string, ok bool) {
	if strings.ContainsAny(k, "#:") {
		return "", false
	}
	return "CRM_meta_" + strings.ReplaceAll(k, "-", "_"), true
}

// FilterForDigest removes what must not count (pcmk__filter_op_for_digest).
func FilterForDigest(m map[string]string) {
	timeout, hasTimeout := m["CRM_meta_timeout"]
	ms := m["CRM_meta_interval"]
	removeIf(m, func(k string) bool {
		switch k {
		case "id", "crm_feature_set", "op-digest", "on_node", "on_node_uuid", "pcmk_external_ip":
			return true
		}
		return strings.HasPrefix(k, "CRM_meta_")
	})
	if hasTimeout && strings.Trim(ms, "0") != "" {
		m["CRM_meta_timeout"] = timeout
	}
}

// fenceParam says whether a parameter of a fence device is Pacemaker's own (pcmk_stonith_param).
func fenceParam(k string) bool {
	switch k {
	case "provides", "stonith-timeout", "pcmk_action_limit", "pcmk_delay_base", "pcmk_delay_max", "pcmk_host_argument",
		"pcmk_host_check", "pcmk_host_list", "pcmk_host_map":
		return true
	}
	rest, ok := strings.CutPrefix(k, "pcmk_")
	if !ok {
		return false
	}
	i := strings.IndexByte(rest, '_')
	return i >= 0 && (rest[i:] == "_action" || rest[i:] == "_timeout" || rest[i:] == "_retries")
}

// ParamsDigest is the digest of parameters as attributes of one element, sorted
// (calculate_operation_digest, of what hash2field makes).
func ParamsDigest(m map[string]string) string {
	n := xmltree.New("parameters")
	for k, v := range m {
		n.Attrs = append(n.Attrs, xmltree.Attr{Name: k, Value: v})
	}
	slices.SortFunc(n.Attrs, func(a, b xmltree.Attr) int { return strings.Compare(a.Name, b.Name) })
	b := n.AppendPacemaker([]byte(" "), xmltree.TextOptions{})
	sum := md5.Sum(append(b, '\n'))
	return hex.EncodeToString(sum[:])
}

// compareFencing compares what a device is configured like with what a node was
// unfenced by (pe__compare_fencing_digest).
func compareFencing(r *model.Resource, agent string, n *model.Node) *model.Digest {
	d := digestFor(r, "stonith-on", 0, n, nil, true)
	all, ok := n.Attrs["#digests-all"]
	switch {
	case !ok:
		d.Result = model.DigestUnknown
		return d
	case strings.Contains(all, r.ID+":"+agent+":"+d.All):
		d.Result = model.DigestMatch
		return d
	}
	if strings.Contains(n.Attrs["#digests-secure"], r.ID+":"+agent+":"+d.Secure) {
		d.Result = model.DigestMatch
		notice(r.Cluster, "Only 'private' parameters to "+r.ID+" for unfencing "+n.Name+" changed")
		return d
	}
	d.Result = model.DigestAll
	if r.Cluster.Sanitized {
		notice(r.Cluster, "Parameters to "+r.ID+" for unfencing "+n.Name+" changed, try '"+r.ID+":"+agent+":"+d.Secure+"'")
	}
	return d
}

// NeedsAddr says whether the address of a remote connection is the host of its
// bundle, which is known late (pe__bundle_needs_remote_name).
func NeedsAddr(r *model.Resource) bool {
	return r.IsRemoteConn && strings.EqualFold(r.Params(nil)["addr"], "#uname")
}

// BundleAddr sets addr to the host of the bundle that r connects to, if r needs that;
// it returns the host (pe__add_bundle_remote_name).
func BundleAddr(r *model.Resource, m map[string]string) string {
	if !NeedsAddr(r) {
		return ""
	}
	top := r
	for top.Parent != nil {
		top = top.Parent
	}
	if top.Bundle == nil {
		return ""
	}
	for _, rep := range top.Bundle.Replicas {
		if rep.Remote != r {
			continue
		}
		n := rep.Container.Assigned
		if n == nil {
			n = rep.Container.Current()
		}
		if n == nil {
			return ""
		}
		if m != nil {
			m["addr"] = n.Name
		}
		return n.Name
	}
	return ""
}
