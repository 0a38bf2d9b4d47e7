// Package procfs measures for resource monitoring (mon.Source) what Linux tells
// in /proc. The daemon hands it to mon.
//
// Upstream: libstatgrab's sg_get_mem_stats, sg_get_swap_stats, sg_get_load_stats.
package procfs

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Source reads /proc. Root is "/proc" but in tests.
type Source struct{ Root string }

// MemoryUsed is the part of memory and swap that is not free, in percent. The
// cache of files counts as free, as in the original.
func (s Source) MemoryUsed() (int32, error) {
	b, err := os.ReadFile(s.Root + "/meminfo")
	if err != nil {
		return 0, err
	}
	var total, free uint64
	for line := range strings.Lines(string(b)) {
		name, rest, _ := strings.Cut(line, ":")
		var to *uint64
		switch name {
		case "MemTotal", "SwapTotal":
			to = &total
		case "MemFree", "Cached", "SwapFree":
			to = &free
		default:
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s/meminfo: %s: %w", s.Root, name, err)
		}
		*to += n
	}
	if total == 0 || free > total {
		return 0, fmt.Errorf("%s/meminfo: %d of %d kB free", s.Root, free, total)
	}
	return int32((total - free) * 100 / total), nil
}

// Load is the load average of 15 minutes.
func (s Source) Load() (float64, error) {
	b, err := os.ReadFile(s.Root + "/loadavg")
	if err != nil {
		return 0, err
	}
	field := strings.Fields(string(b))
	if len(field) < 3 {
		return 0, fmt.Errorf("%s/loadavg: %q: no load of 15 minutes", s.Root, b)
	}
	v, err := strconv.ParseFloat(field[2], 64)
	if err != nil {
		return 0, fmt.Errorf("%s/loadavg: %w", s.Root, err)
	}
	return v, nil
}
