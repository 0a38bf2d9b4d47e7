package action

import "fmt"

// readable writes an interval for people (pcmk__readable_interval).
func readable(ms uint32) string {
	s := ""
	for _, u := range []struct {
		size uint32
		name string
	}{{86400000, "d"}, {3600000, "h"}, {60000, "m"}} {
		if ms > u.size {
			s += fmt.Sprintf("%d%s", ms/u.size, u.name)
			ms %= u.size
		}
	}
	switch {
	case ms > 1000:
		s += fmt.Sprintf("%d", ms/1000)
		if ms%1000 > 0 {
			s += fmt.Sprintf(".%03d", ms%1000)
		}
		s += "s"
	case ms > 0:
		s += fmt.Sprintf("%dms", ms)
	case s == "":
		s = "0s"
	}
	return s
}
