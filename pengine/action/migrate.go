package action

import (
	"github.com/pacesync/pacesync/pengine/constraint"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// canMigrate says whether r can be moved live (pcmk__rsc_can_migrate).
func canMigrate(r *model.Resource, current *model.Node) bool {
	return r.Is(model.AllowMigrate|model.Managed) && !r.Is(model.Failed) && !r.Is(model.StartPending) &&
		current != nil && !current.Unclean && r.Assigned != nil && !r.Assigned.Unclean
}

// createMigration makes a move a migration, with the stop and the start of a move as
// the way out (pcmk__create_migration_actions).
func createMigration(r *model.Resource, current *model.Node) {
	c := r.Cluster
	up := plan.Start(r, r.Assigned, true)
	down := plan.Stop(r, current, true)
	partial := r.PartialTarget != nil
	var to *model.Action
	if !partial {
		to = plan.Action(c, plan.Spec{Rsc: r, Task: model.MigrateTo, Node: current})
	}
	from := plan.Action(c, plan.Spec{Rsc: r, Task: model.MigrateFrom, Node: r.Assigned})
	up.Set(model.MigrateRunnable | model.Pseudo)
	down.Set(model.MigrateRunnable)
	from.Set(model.MigrateRunnable)
	if partial {
		from.Needs = up.Needs
		constraint.OrderTasks(r, model.Monitor, r, model.MigrateFrom, model.OrderOptional)
	} else {
		to.Set(model.MigrateRunnable)
		to.Needs = up.Needs
		constraint.OrderTasks(r, model.Monitor, r, model.MigrateTo, model.OrderOptional)
		constraint.OrderTasks(r, model.MigrateTo, r, model.MigrateFrom, model.OrderOptional|model.ImpliesFirstMigratable)
	}
	constraint.OrderTasks(r, model.MigrateFrom, r, model.Stop, model.OrderOptional|model.ImpliesFirstMigratable)
	constraint.OrderTasks(r, model.MigrateFrom, r, model.Start, model.OrderOptional|model.ImpliesFirstMigratable|model.PseudoLeft)
	if to != nil {
		migrationMeta(to, current, r.Assigned)
		if !r.IsRemoteConn {
			plan.AddMeta(to, "record-pending", "true")
		}
	}
	migrationMeta(from, current, r.Assigned)
}

func migrationMeta(a *model.Action, source, target *model.Node) {
	plan.AddMeta(a, "migrate_source", source.Name)
	plan.AddMeta(a, "migrate_target", target.Name)
}

// abortMigration stops what an interrupted migration left on its source
// (pcmk__abort_dangling_migration).
func abortMigration(r *model.Resource, n *model.Node) {
	plan.Stop(r, n, false).Set(model.Dangle)
	if r.Cluster.Opt.RemoveAfterStop {
		cleanup(r, n, false)
	}
}
