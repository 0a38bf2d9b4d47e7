package simulate

import (
	"strings"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/model"
)

// Status prints the nodes and resources of a cluster under a title.
func Status(t *Text, c *model.Cluster, title string, pending bool) {
	t.Begin(title)
	showNodes(t, c)
	s := shower{t, pending}
	list := header{t: t, text: "Full List of Resources"}
	shown := false
	for _, r := range c.Resources {
		if (r.Is(model.Orphan) && !r.Active(true)) || nowhere(r) {
			continue
		}
		if !list.open {
			t.Spacer(len(c.Nodes) > 0)
		}
		list.show()
		shown = s.resource(r) || shown
	}
	if !shown {
		if !list.open {
			t.Spacer(len(c.Nodes) > 0)
		}
		list.show()
		t.Item("No resources")
	}
	list.end()
	t.End()
}

// nowhere says whether r counts as active but is listed on no node; such are not shown.
func nowhere(r *model.Resource) bool { return len(r.RunningOn) == 0 && r.Active(false) }

func showNodes(t *Text, c *model.Cluster) {
	list := header{t: t, text: "Node List"}
	var online, onlineRemote, onlineGuest, offline, offlineRemote []string
	for _, n := range c.Nodes {
		list.show()
		health := nodeHealth(c, n)
		switch {
		case n.Unclean || n.Pending || n.Standby || n.Maintenance || (n.StandbyOnFail && n.Online) || health <= 0:
			t.Item("%s %s: %s%s", kindOf(n), n.Name, stateOf(n), [3]string{" (health is RED)", " (health is YELLOW)", ""}[health+1])
		case n.Online && n.IsGuest():
			onlineGuest = append(onlineGuest, n.Name)
		case n.Online && n.IsRemote():
			onlineRemote = append(onlineRemote, n.Name)
		case n.Online:
			online = append(online, n.Name)
		case n.IsRemote():
			offlineRemote = append(offlineRemote, n.Name)
		case !n.IsGuest():
			offline = append(offline, n.Name)
		}
	}
	for _, l := range []struct {
		name  string
		nodes []string
	}{{"Online", online}, {"OFFLINE", offline}, {"RemoteOnline", onlineRemote}, {"RemoteOFFLINE", offlineRemote}, {"GuestOnline", onlineGuest}} {
		if l.nodes != nil {
			t.ItemOf(l.name, "[ "+strings.Join(l.nodes, " ")+" ]")
		}
	}
	list.end()
}

func kindOf(n *model.Node) string {
	switch {
	case n.IsGuest():
		return "GuestNode"
	case n.IsRemote():
		return "RemoteNode"
	}
	return "Node"
}

func stateOf(n *model.Node) string {
	switch {
	case n.Unclean && n.Online:
		return "UNCLEAN (online)"
	case n.Unclean && n.Pending:
		return "UNCLEAN (pending)"
	case n.Unclean:
		return "UNCLEAN (offline)"
	case n.Pending:
		return "pending"
	case n.StandbyOnFail && n.Online:
		return "standby (on-fail)"
	case n.Standby && n.Online && len(n.Running) > 0:
		return "standby (with active resources)"
	case n.Standby && n.Online:
		return "standby"
	case n.Standby:
		return "OFFLINE (standby)"
	case n.Maintenance && n.Online:
		return "maintenance"
	case n.Maintenance:
		return "OFFLINE (maintenance)"
	case n.Online:
		return "online"
	}
	return "OFFLINE"
}

// nodeHealth is 1 for a healthy node, 0 for a doubtful and -1 for a sick one.
func nodeHealth(c *model.Cluster, n *model.Node) int {
	switch strings.ToLower(c.Opt.HealthStrategy) {
	case "", "none":
		return 1
	}
	h := 1
	for k, v := range n.Attrs {
		if !strings.HasPrefix(k, "#health") {
			continue
		}
		s := score.Parse(v, c.Opt.Health)
		switch {
		case strings.EqualFold(v, "red"):
			return -1
		case strings.EqualFold(v, "yellow"):
			h = 0
		case s <= c.Opt.Health.Red:
			return -1
		case s <= c.Opt.Health.Yellow && c.Opt.Health.Yellow != c.Opt.Health.Green:
			h = 0
		}
	}
	return h
}
