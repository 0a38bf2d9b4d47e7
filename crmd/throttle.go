package crmd

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/crmd/transition"
)

// throttle tells the peers how busy this node is, and remembers what they say
// (controld_throttle.c).
type throttle struct {
	c      *Controller
	limits transition.Throttle
	timer  *timer
	last   transition.Strain
	told   bool
	cib    cibLoad
}

func newThrottle(c *Controller) throttle { return throttle{c: c} }

// throttleInterval is how often the load is looked at.
const throttleInterval = 30 * time.Second

// start begins to watch the load.
func (t *throttle) start() {
	t.configure()
	if !t.timer.running() {
		t.timer = t.c.after(throttleInterval, t.tick)
	}
}

// configure sets how many jobs this node takes (throttle_update_job_max).
func (t *throttle) configure() {
	n := t.c.opt.nodeLimit
	if v, err := strconv.Atoi(os.Getenv("PCMK_node_action_limit")); err == nil {
		n = v
	}
	if n <= 0 {
		n = 2 * runtime.NumCPU()
	}
	t.limits.Max = n
}

func (t *throttle) tick() {
	t.timer = t.c.after(throttleInterval, t.tick)
	now := t.strain()
	if t.told && now == t.last {
		return
	}
	t.c.log.info("New throttle mode: %s load (was %s)", now, t.last)
	t.last, t.told = now, true
	m := request("throttle", nil, "", "crmd", "crmd")
	m.root.Set("crm-limit-mode", strconv.Itoa(int(now)))
	m.root.Set("crm-limit-max", strconv.Itoa(t.limits.Max))
	t.c.send("", m)
}

// update takes what a peer says of itself.
func (t *throttle) update(m *message) {
	mode, _ := m.number("crm-limit-mode")
	limit, _ := m.number("crm-limit-max")
	t.limits.Heard(m.from, transition.Strain(mode), limit)
	t.c.log.debug("Node %s has %s load and supports at most %d jobs; new job limit %d", m.from, transition.Strain(mode), limit, t.limits.Jobs(m.from))
}

// strain is how busy this node is: its load, and the CIB manager's CPU, which
// is one thread's worth at most.
func (t *throttle) strain() transition.Strain {
	cib, ok := t.cib.measure(time.Now())
	if !ok {
		cib = -1
	}
	average, ok := loadAverage()
	if !ok {
		average = -1
	}
	return transition.LocalStrain(cib, average, t.c.opt.load, runtime.NumCPU())
}

// loadAverage is the machine's load of the last minute.
func loadAverage() (float64, bool) {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, false
	}
	first, _, _ := strings.Cut(string(b), " ")
	v, err := strconv.ParseFloat(first, 64)
	return v, err == nil
}

// cibLoad measures the CPU use of the CIB manager between two looks.
type cibLoad struct {
	pid   int
	at    time.Time
	ticks uint64
}

const ticksPerSecond = 100 // USER_HZ of the Linux ABI

// measure returns the share of one CPU used since the last call.
func (l *cibLoad) measure(now time.Time) (float64, bool) {
	ticks, ok := l.read()
	if !ok {
		if l.pid = processNamed("pacemaker-based"); l.pid == 0 {
			return 0, false
		}
		l.at = time.Time{}
		if ticks, ok = l.read(); !ok {
			return 0, false
		}
	}
	load := 0.0
	if d := now.Sub(l.at).Seconds(); !l.at.IsZero() && d >= 1 && ticks >= l.ticks {
		load = float64(ticks-l.ticks) / ticksPerSecond / d
	}
	l.at, l.ticks = now, ticks
	return load, true
}

// read returns the CPU time of the process in ticks.
func (l *cibLoad) read() (uint64, bool) {
	if l.pid == 0 {
		return 0, false
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(l.pid) + "/stat")
	if err != nil {
		return 0, false
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name may hold blanks
	f := strings.Fields(rest)
	const utime, stime = 11, 12 // fields 14 and 15 of proc(5)
	if len(f) <= stime {
		return 0, false
	}
	u, err1 := strconv.ParseUint(f[utime], 10, 64)
	s, err2 := strconv.ParseUint(f[stime], 10, 64)
	return u + s, err1 == nil && err2 == nil
}

// processNamed finds a process of this namespace by the name of its program
// (procfs.c: pcmk__procfs_pid_of).
func processNamed(name string) int {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + d.Name() + "/status")
		if err != nil {
			continue
		}
		line, _, _ := strings.Cut(string(b), "\n")
		if comm := strings.TrimSpace(strings.TrimPrefix(line, "Name:")); comm == name || len(comm) == 15 && strings.HasPrefix(name, comm) {
			if exe, err := os.Readlink("/proc/" + d.Name() + "/exe"); err != nil || strings.HasSuffix(exe, "/"+name) {
				return pid
			}
		}
	}
	return 0
}
