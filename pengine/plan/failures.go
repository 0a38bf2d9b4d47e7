package plan

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/model"
)

// FailOpt says how failures are counted.
type FailOpt uint8

// The ways.
const (
	Effective FailOpt = 1 << iota // expired failures do not count
	Fillers                       // failures of what lives inside count too
)

// Failures counts the failures of r on n (pe_get_failcount) and tells when the last
// one was, 0 if there is none. op narrows the look at on-fail=block; nil for all.
func Failures(n *model.Node, r *model.Resource, opt FailOpt, op *model.HistoryOp) (count score.Score, last int64) {
	count, last = failAttrs(n, r)
	found := last
	if count <= 0 || last <= 0 {
		found = 0
	}
	if count > 0 && r.FailureTimeout != 0 && blocks(n, r, op) {
		r.Cluster.Report(model.PeWarn, "pe_get_failcount", "Ignoring failure timeout "+strconv.FormatInt(r.FailureTimeout, 10)+" for "+r.ID+
			" because it conflicts with on-fail=block")
		r.FailureTimeout = 0
	}
	if opt&Effective != 0 && count > 0 && last > 0 && r.FailureTimeout != 0 && r.Cluster.Now.Unix > last+r.FailureTimeout {
		count = 0
	}
	if opt&Fillers != 0 && !r.Bundled() {
		for _, f := range r.Fillers {
			k, t := Failures(n, f, opt, op)
			count, found = count+k, max(found, t)
		}
	}
	return count, found
}

// failAttrs sums the fail-count-* attributes of r on n and takes the latest last-failure-*.
func failAttrs(n *model.Node, r *model.Resource) (count score.Score, last int64) {
	name := r.ID
	if r.CloneName != "" {
		name = r.CloneName
	}
	unique := r.Is(model.Unique)
	if !unique {
		name = model.BaseName(name)
	}
	legacy := rules.CompareVersions(r.Cluster.FeatureSet, "3.0.13") < 0
	for k, v := range n.Attrs {
		if s, ok := strings.CutPrefix(k, "fail-count-"); ok && failName(s, name, legacy, unique) {
			count = score.Add(count, score.Parse(v, r.Cluster.Opt.Health))
		} else if s, ok := strings.CutPrefix(k, "last-failure-"); ok && failName(s, name, legacy, unique) {
			if t, ok := score.LeadingInt(v); ok {
				last = max(last, t)
			}
		}
	}
	return count, last
}

// failName matches NAME(:N)?(#OP_INTERVAL)?, the last part unless legacy.
func failName(s, name string, legacy, unique bool) bool {
	s, ok := strings.CutPrefix(s, name)
	if !ok {
		return false
	}
	if !unique && strings.HasPrefix(s, ":") {
		if d := digits(s[1:]); d > 0 {
			s = s[1+d:]
		}
	}
	if legacy {
		return s == ""
	}
	i := strings.LastIndexByte(s, '_')
	return strings.HasPrefix(s, "#") && i > 1 && i+1 < len(s) && digits(s[i+1:]) == len(s)-i-1
}

func digits(s string) int {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i
}

// blocks says whether a failure of r hit an operation with on-fail=block, so that it
// must not expire (block_failure).
func blocks(n *model.Node, r *model.Resource, op *model.HistoryOp) bool {
	if r.Variant != model.Primitive {
		return false
	}
	name := model.BaseName(r.ID)
	if name != r.XMLID {
		return false
	}
	for _, conf := range r.Ops {
		if conf.OnFail != "block" {
			continue
		}
		if op != nil {
			if matchesFailure(name, conf, op) {
				return true
			}
			continue
		}
		if h := r.Cluster.History[n.Name][name]; h != nil {
			for _, o := range h.Ops {
				if o.Task == conf.Name && o.IntervalMS == conf.IntervalMS && matchesFailure(name, conf, o) {
					return true
				}
			}
		}
	}
	return false
}

func matchesFailure(name string, conf *model.Op, o *model.HistoryOp) bool {
	if conf.IntervalMS != o.IntervalMS || !strings.EqualFold(conf.Name, o.Task) {
		return false
	}
	if strings.EqualFold(o.ID, model.Key(name, "last_failure", 0)) {
		return true
	}
	return strings.EqualFold(o.ID, model.Key(name, conf.Name, conf.IntervalMS)) && o.RC != TargetRC(o)
}

// TargetRC returns the result that the operation should have had, -1 when unknown.
func TargetRC(o *model.HistoryOp) int {
	if o.TransitionKey == "" {
		return -1
	}
	k, ok := ParseTransitionKey(o.TransitionKey)
	if !ok {
		return -1
	}
	return k.TargetRC
}

// TransitionKey is ACTION:TRANSITION:TARGETRC:UUID.
type TransitionKey struct {
	Action, Transition, TargetRC int
	UUID                         string
}

// ParseTransitionKey takes a transition key apart (decode_transition_key).
func ParseTransitionKey(s string) (k TransitionKey, ok bool) {
	f := strings.SplitN(s, ":", 4)
	if len(f) != 4 || strings.TrimSpace(f[3]) == "" {
		return TransitionKey{-1, -1, -1, ""}, false
	}
	var v [3]int
	for i := range v {
		x, ok := score.LeadingInt(f[i])
		if !ok {
			return TransitionKey{-1, -1, -1, ""}, false
		}
		v[i] = int(x)
	}
	uuid, _, _ := strings.Cut(strings.TrimSpace(f[3]), " ")
	if len(uuid) > 36 {
		uuid = uuid[:36]
	}
	return TransitionKey{v[0], v[1], v[2], uuid}, true
}
