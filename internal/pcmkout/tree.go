package pcmkout

import "github.com/pacesync/pacesync/internal/xmltree"

// Node adds an element below the current parent. attrs are names and values in
// turn; use NodeOpt where a value may be missing.
func (o *Out) Node(name string, attrs ...string) *xmltree.Node {
	n := xmltree.New(name)
	for i := 0; i+1 < len(attrs); i += 2 {
		n.Set(attrs[i], attrs[i+1])
	}
	if len(o.parents) == 0 {
		return n
	}
	return o.parents[len(o.parents)-1].Add(n)
}

// TextNode adds an element that holds text.
func (o *Out) TextNode(name, text string) *xmltree.Node { return setText(o.Node(name), text) }

// Add appends an element that holds text to n.
func Add(n *xmltree.Node, name, text string) *xmltree.Node { return setText(n.AddNew(name), text) }

// Span appends a piece of HTML text of a class, which may be empty, to n.
func Span(n *xmltree.Node, class, text string) { set(Add(n, "span", text), "class", class) }

func setText(n *xmltree.Node, text string) *xmltree.Node {
	if text != "" {
		n.Add(&xmltree.Node{Kind: xmltree.Text, Name: text})
	}
	return n
}

// Parent adds an element and makes it the current parent.
func (o *Out) Parent(name string, attrs ...string) *xmltree.Node {
	n := o.Node(name, attrs...)
	o.Push(n)
	return n
}

// Push makes n the current parent.
func (o *Out) Push(n *xmltree.Node) { o.parents = append(o.parents, n) }

// Pop leaves the current parent and returns it.
func (o *Out) Pop() *xmltree.Node {
	n := o.parents[len(o.parents)-1]
	o.parents = o.parents[:len(o.parents)-1]
	return n
}

// Peek returns the current parent.
func (o *Out) Peek() *xmltree.Node { return o.parents[len(o.parents)-1] }

// shortName is the XML name of a well-known list.
func shortName(title string) (string, bool) {
	switch title {
	case "Active Resources", "Full List of Resources", "Inactive Resources":
		return "resources", true
	case "Allocation Scores":
		return "allocations", true
	case "Allocation Scores and Utilization Information":
		return "allocations_utilizations", true
	case "Cluster Summary":
		return "summary", true
	case "Current cluster status":
		return "cluster_status", true
	case "Executing Cluster Transition":
		return "transition", true
	case "Failed Resource Actions":
		return "failures", true
	case "Fencing History":
		return "fence_history", true
	case "Migration Summary", "Operations":
		return "node_history", true
	case "Negative Location Constraints":
		return "bans", true
	case "Node Attributes":
		return "node_attributes", true
	case "Resource Config":
		return "resource_config", true
	case "Resource Operations":
		return "operations", true
	case "Revised Cluster Status":
		return "revised_cluster_status", true
	case "Transition Summary":
		return "actions", true
	case "Utilization Information":
		return "utilizations", true
	}
	return "", false
}
