package transition

import (
	"maps"
	"slices"
	"strings"
)

// jobs are the actions that a node is busy with.
type jobs struct{ all, migrations int }

// count notes that an action began (1) or ended (-1) on its node (te_update_job_count).
func (e *Engine) count(a *Action, by int) {
	if a.Router == "" && migration(a.Task) {
		for _, n := range []string{a.Meta("migrate_source"), a.Meta("migrate_target")} {
			if n != "" {
				j := e.jobsOf(n)
				j.all += by
				j.migrations += by
			}
		}
		return
	}
	e.jobsOf(a.Where()).all += by
}

func (e *Engine) jobsOf(node string) *jobs {
	j := e.jobs[node]
	if j == nil {
		j = &jobs{}
		e.jobs[node] = j
	}
	return j
}

// allowed says whether the nodes of an action can take another one (graph_action_allowed).
// Actions on a remote node count for the cluster node that reaches it.
func (e *Engine) allowed(a *Action) bool {
	switch {
	case a.Kind != Resource:
		return true
	case a.Router == "" && migration(a.Task):
		return e.allowedOn(a, a.Meta("migrate_source")) && e.allowedOn(a, a.Meta("migrate_target"))
	}
	return e.allowedOn(a, a.Where())
}

func (e *Engine) allowedOn(a *Action, node string) bool {
	if node == "" {
		return true
	}
	j := e.jobsOf(node)
	if e.cfg.Throttle.Jobs(node) <= j.all {
		return false
	}
	limit := e.graph.MigrationLimit
	return limit <= 0 || j.migrations < limit || !migration(a.Task)
}

func migration(task string) bool {
	return strings.EqualFold(task, taskMigrateTo) || strings.EqualFold(task, taskMigrateFrom)
}

func sortedKeys(m map[int]bool) []int { return slices.Sorted(maps.Keys(m)) }
