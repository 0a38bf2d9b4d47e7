package crmattribute

import (
	"os"

	"github.com/pacesync/pacesync/internal/goption"
)

const indent = "                               "

const description = "Examples:\n\n" +
	"Add new node attribute called 'location' with the value of 'office' for host 'myhost':\n\n" +
	"\tcrm_attribute --node myhost --name location --update office\n\n" +
	"Query the value of the 'location' node attribute for host 'myhost':\n\n" +
	"\tcrm_attribute --node myhost --name location --query\n\n" +
	"Change the value of the 'location' node attribute for host 'myhost':\n\n" +
	"\tcrm_attribute --node myhost --name location --update backoffice\n\n" +
	"Delete the 'location' node attribute for host 'myhost':\n\n" +
	"\tcrm_attribute --node myhost --name location --delete\n\n" +
	"Query the value of the 'cluster-delay' cluster option:\n\n" +
	"\tcrm_attribute --type crm_config --name cluster-delay --query\n\n" +
	"Query value of the 'cluster-delay' cluster option and print only the value:\n\n" +
	"\tcrm_attribute --type crm_config --name cluster-delay --query --quiet\n\n"

// valued are the letters whose value may be joined to them.
const valued = "NPUdilnpstv"

// options are what the command line asks for.
type options struct {
	goption.Common
	fancy, inhibit    bool
	command           byte // G, u or D
	id, name, set     string
	pattern, fallback *string
	node, section     *string
	setType           string
	value             *string
	promotion         bool
}

func (o *options) context() *goption.Context {
	c := goption.Pacemaker("crm_attribute", "crm_attribute - query and update Pacemaker cluster options and node attributes",
		"text (default), xml", "", &o.Common)
	c.AddOutput(goption.Entry{Long: "text-fancy", Dest: &o.fancy, Help: "Use more highly formatted output (requires --output-as=text)"})
	c.AddMain(goption.Entry{Long: "quiet", Short: 'q', Dest: &o.Quiet, Help: "Print only the value on stdout"},
		goption.Entry{Long: "quiet", Short: 'Q', Flags: goption.Hidden, Dest: &o.Quiet})
	c.Description = description
	c.AddGroup("selections", "Selecting attributes:", "Show selecting options",
		goption.Entry{Long: "id", Short: 'i', Dest: &o.id, Arg: "XML_ID",
			Help: "(Advanced) Operate on instance of specified attribute with this\n" + indent + "XML ID"},
		goption.Entry{Long: "name", Short: 'n', Dest: &o.name, Arg: "NAME",
			Help: "Operate on attribute or option with this name.  For queries, this\n" + indent + "is optional, in which case all matching attributes will be\n" + indent + "returned."},
		goption.Entry{Long: "pattern", Short: 'P', Dest: &o.pattern, Arg: "PATTERN",
			Help: "Operate on all attributes matching this pattern\n" + indent + "(with -G, or with -v/-D and -l reboot)"},
		goption.Entry{Long: "promotion", Short: 'p', Flags: goption.OptionalArg, Dest: o.promotionScore, Arg: "RESOURCE",
			Help: "Operate on node attribute used as promotion score for specified\n" + indent + "resource, or resource given in OCF_RESOURCE_INSTANCE environment\n" +
				indent + "variable if none is specified; this also defaults -l/--lifetime\n" + indent + "to reboot (normally invoked from an OCF resource agent)"},
		goption.Entry{Long: "set-name", Short: 's', Dest: &o.set, Arg: "NAME",
			Help: "(Advanced) Operate on instance of specified attribute that is\n" + indent + "within set with this XML ID"})
	c.AddGroup("command", "Commands:", "Show command options",
		goption.Entry{Long: "delete", Short: 'D', Flags: goption.NoArg, Dest: o.choose('D'), Help: "Delete the attribute/option"},
		goption.Entry{Long: "query", Short: 'G', Flags: goption.NoArg, Dest: o.choose('G'),
			Help: "Query the current value of the attribute/option.\n" + indent + "See also: -n, -P"},
		goption.Entry{Long: "update", Short: 'v', Dest: o.choose('u'), Arg: "VALUE", Help: "Update the value of the attribute/option"})
	c.AddGroup("additional", "Additional options:", "Show additional options",
		goption.Entry{Long: "default", Short: 'd', Dest: &o.fallback, Arg: "VALUE", Help: "(Advanced) Default value to display if none is found in configuration"},
		goption.Entry{Long: "lifetime", Short: 'l', Dest: &o.section, Arg: "LIFETIME",
			Help: "Lifetime of the node attribute.\n" + indent + "Valid values: reboot, forever"},
		goption.Entry{Long: "node", Short: 'N', Dest: &o.node, Arg: "NODE",
			Help: "Set a node attribute for named node (instead of a cluster option).\n" + indent + "See also: -l"},
		goption.Entry{Long: "type", Short: 't', Dest: &o.section, Arg: "SECTION",
			Help: "Which part of the configuration to update/delete/query the option in.\n" + indent + "Valid values: crm_config, rsc_defaults, op_defaults, tickets"},
		goption.Entry{Long: "utilization", Short: 'z', Flags: goption.NoArg, Dest: o.utilization, Help: "Set an utilization attribute for the node."},
		goption.Entry{Long: "inhibit-policy-engine", Short: '!', Flags: goption.Hidden, Dest: &o.inhibit})
	c.AddGroup("deprecated", "Deprecated Options:", "Show deprecated options",
		goption.Entry{Long: "attr-id", Flags: goption.Hidden, Dest: &o.id},
		goption.Entry{Long: "attr-name", Flags: goption.Hidden, Dest: &o.name},
		goption.Entry{Long: "attr-value", Flags: goption.Hidden, Dest: o.choose('u')},
		// It takes a value, of which nothing comes: the flag that says otherwise is missing in the original.
		goption.Entry{Long: "delete-attr", Flags: goption.Hidden, Dest: o.choose('D')},
		goption.Entry{Long: "get-value", Flags: goption.Hidden | goption.NoArg, Dest: o.choose('G')},
		goption.Entry{Long: "node-uname", Short: 'U', Flags: goption.Hidden, Dest: &o.node})
	return c
}

func (o *options) choose(command byte) goption.Callback {
	return func(v goption.Value) error {
		o.command, o.value = command, nil
		if command == 'u' {
			o.value = &v.Arg
		}
		return nil
	}
}

// promotionScore names the attribute of a resource's promotion score; without a
// resource the agent that calls us is meant (attrs.c: pcmk_promotion_score_name).
func (o *options) promotionScore(v goption.Value) error {
	rsc := v.Arg
	if !v.Given {
		rsc = os.Getenv("OCF_RESOURCE_INSTANCE")
	}
	o.promotion, o.name = true, ""
	if rsc != "" {
		o.name = "master-" + rsc
	}
	return nil
}

func (o *options) utilization(goption.Value) error {
	nodes := "nodes"
	o.section, o.setType = &nodes, "utilization"
	return nil
}
