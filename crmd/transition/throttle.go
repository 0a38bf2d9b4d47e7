package transition

// Strain is how busy a node says it is. The values travel in messages between nodes.
type Strain int

// The loads (throttle_state_e).
const (
	StrainNone    Strain = 0
	StrainLow     Strain = 1
	StrainMedium  Strain = 0x10
	StrainHigh    Strain = 0x100
	StrainExtreme Strain = 0x1000
)

func (l Strain) String() string {
	switch l {
	case StrainNone:
		return "negligible"
	case StrainLow:
		return "low"
	case StrainMedium:
		return "medium"
	case StrainHigh:
		return "high"
	case StrainExtreme:
		return "extreme"
	}
	return "undetermined"
}

type nodeLoad struct {
	max  int
	load Strain
}

// Throttle limits how much is begun at once, by what the nodes say of their load
// (controld_throttle.c). The zero value knows no node.
type Throttle struct {
	Max   int // jobs of this node, also assumed of nodes that said nothing
	nodes map[string]nodeLoad
}

// Heard takes what a node says of itself.
func (t *Throttle) Heard(node string, load Strain, limit int) {
	if t.nodes == nil {
		t.nodes = map[string]nodeLoad{}
	}
	t.nodes[node] = nodeLoad{limit, load}
}

// Jobs is how many actions may run on a node at once.
func (t *Throttle) Jobs(node string) int {
	n, known := t.nodes[node]
	if !known {
		n = nodeLoad{t.Max, StrainLow}
	}
	switch n.load {
	case StrainNone:
		return max(1, n.max)
	case StrainLow:
		return max(1, n.max/2)
	case StrainMedium:
		return max(1, n.max/4)
	}
	return 1
}

// Total is how many actions may run in the cluster at once, 0 for any number, when
// limit is configured.
func (t *Throttle) Total(limit, peers int) int {
	for _, n := range t.nodes {
		part := 0
		switch n.load {
		case StrainExtreme:
			part = peers / 4
		case StrainHigh:
			part = peers / 2
		default:
			continue
		}
		if limit == 0 || limit > part {
			limit = max(1, part)
		}
	}
	return limit
}

// LocalStrain judges the load of this machine: cib is the share of one processor that the
// CIB daemon takes, average the load average; a negative value is not known. target is
// the option load-threshold, as a share (throttle_mode).
func LocalStrain(cib, average, target float64, cores int) Strain {
	mode := StrainNone
	if cib >= 0 {
		most := 0.95
		if cores == 1 {
			most = 0.4
		}
		if target > 0 && target < most {
			most = target
		}
		mode = judge(cib, most*0.8, most*0.9, most, most*1.5)
	}
	if target <= 0 || average < 0 {
		return mode
	}
	each := float64(cores)
	if cores == 1 {
		each = 0.6 // a load of 1 is too much already
	}
	each *= target
	return max(mode, judge(average, each*1.2, each*1.6, each*2, average+1)) // never extreme
}

func judge(load, low, medium, high, extreme float64) Strain {
	switch {
	case load > extreme:
		return StrainExtreme
	case load > high:
		return StrainHigh
	case load > medium:
		return StrainMedium
	case load > low:
		return StrainLow
	}
	return StrainNone
}
