package plan

import (
	"crypto/md5"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
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
	p := Parameters{Rsc: r, Task: task, Interval: ms, Node: n, Op: o}
	p.gather(secure)
	d := &model.Digest{All: ParamsDigest(p.All)}
	if ms == 0 && len(p.extra) > 0 {
		d.Result = model.DigestRestart
	}
	if secure {
		d.Secure = ParamsDigest(p.Secure)
	}
	if p.Restart != nil {
		d.Restart, d.HasRestart = ParamsDigest(p.Restart), true
	}
	return d
}

// Parameters are what the digests of an operation are made of. The first fields are
// given, the others gathered: Secure without those that the agent marks private,
// Restart without those that a running resource can be given; nil if there is nothing
// that such a digest could be compared with.
type Parameters struct {
	Rsc       *model.Resource
	Task      string
	Interval  uint32
	Node      *model.Node
	Op        *model.HistoryOp  // nil: it never ran
	Overrides map[string]string // take precedence; may be nil

	All, Secure, Restart map[string]string
	extra, meta          map[string]string
}

// gather finds the parameters (pe_digest.c: pe__calculate_digests).
func (p *Parameters) gather(secure bool) {
	r, o := p.Rsc, p.Op
	version := featureSet
	if r.Cluster.FeatureSet != "" {
		version = r.Cluster.FeatureSet
	}
	if o != nil && o.FeatureSet != "" {
		version = o.FeatureSet
	}
	params := r.Params(p.Node)
	p.All = map[string]string{}
	BundleAddr(r, p.All)
	a := Draft(r.Cluster, Spec{Rsc: r, Task: p.Task, Interval: p.Interval, Node: p.Node})
	p.extra, p.meta = a.Extra, a.Meta
	mergeMissing(p.All, p.Overrides)
	mergeMissing(p.All, params)
	mergeMissing(p.All, a.Extra)
	for k, v := range a.Meta {
		if name, ok := MetaName(k); ok {
			if _, have := p.All[name]; !have {
				p.All[name] = v
			}
		}
	}
	FilterForDigest(p.All)
	if secure {
		p.Secure = p.open(params, version)
	}
	if o != nil && o.HasRestartDigest {
		p.Restart = map[string]string{}
		mergeMissing(p.Restart, p.All)
		if o.HasForceRestart {
			removeIf(p.Restart, func(k string) bool { return !strings.Contains(o.ForceRestart, " "+k+" ") })
		}
	}
}

// Digests gathers the parameters for a display: the digests are those of All, Secure
// and Restart. An interval among the overrides is that of the operation.
func (p *Parameters) Digests() (all, secure, restart string) {
	if ms, err := strconv.ParseUint(strings.TrimSpace(p.Overrides["CRM_meta_interval"]), 10, 32); err == nil {
		p.Interval = uint32(ms)
	}
	p.gather(true)
	if p.Restart != nil {
		restart = ParamsDigest(p.Restart)
	}
	return ParamsDigest(p.All), ParamsDigest(p.Secure), restart
}

// Element is some of the parameters as the original writes them: in the order of the
// tables that they come from.
func (p *Parameters) Element(some map[string]string) *xmltree.Node {
	x := xmltree.New("parameters")
	add := func(k string) {
		if v, ok := some[k]; ok {
			if _, have := x.Get(k); have {
				return
			}
			x.Set(k, v)
		}
	}
	meta := map[string]string{}
	for k, v := range p.meta {
		if name, ok := MetaName(k); ok {
			meta[name] = v
		}
	}
	for _, table := range []map[string]string{p.Overrides, p.Rsc.Params(p.Node), p.extra, meta} {
		keys := slices.Sorted(maps.Keys(table))
		for _, i := range model.HashOrder(keys) {
			if keys[i] != "CRM_meta_timeout" { // which the filter puts last
				add(keys[i])
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(some)) {
		add(k)
	}
	return x
}

// open leaves out what the agent marks private (calculate_secure_digest).
func (p *Parameters) open(params map[string]string, version string) map[string]string {
	old := rules.CompareVersions(version, "3.16.0") < 0
	list := " passwd password user "
	if p.Op != nil {
		list = p.Op.SecureParams
	}
	m := map[string]string{}
	if old {
		mergeMissing(m, p.Overrides)
		mergeMissing(m, params)
	} else {
		mergeMissing(m, p.All)
	}
	removeIf(m, func(k string) bool { return strings.Contains(list, " "+k+" ") })
	if old && strings.EqualFold(p.Rsc.Class, "stonith") {
		removeIf(m, fenceParam)
	}
	FilterForDigest(m)
	if old {
		delete(m, "CRM_meta_timeout")
	}
	return m
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
