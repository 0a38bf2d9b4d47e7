package daemon

import (
	"io"

	"github.com/pacesync/pacesync/internal/optmeta"
)

func option(name, typ, value, short, long string) optmeta.Option {
	return optmeta.Option{Name: name, Type: typ, Default: value, Short: short, Long: long, Blank: value == ""}
}

// parameters are the fencer's own parameters of devices (fencer_options).
func parameters() []optmeta.Option {
	l := []optmeta.Option{
		option("pcmk_host_argument", "string", "port", "Advanced use only: An alternate parameter to supply instead of 'port'",
			"some devices do not support the standard 'port' parameter or may provide additional ones. Use this to specify an alternate, "+
				"device-specific, parameter that should indicate the machine to be fenced. A value of none can be used to tell the cluster not to supply any additional parameters."),
		option("pcmk_host_map", "string", "", "A mapping of host names to ports numbers for devices that do not support host names.",
			"Eg. node1:1;node2:2,3 would tell the cluster to use port 1 for node1 and ports 2 and 3 for node2"),
		option("pcmk_host_list", "string", "", "Eg. node1,node2,node3", "A list of machines controlled by this device (Optional unless pcmk_host_list=static-list)"),
		option("pcmk_host_check", "string", "dynamic-list", "How to determine which machines are controlled by the device.",
			"Allowed values: dynamic-list (query the device via the 'list' command), static-list (check the pcmk_host_list attribute), "+
				"status (query the device via the 'status' command), none (assume every device can fence every machine)"),
		option("pcmk_delay_max", "time", "0s", "Enable a base delay for fencing actions and specify base delay value.",
			"Enable a delay of no more than the time specified before executing fencing actions. Pacemaker derives the overall delay by taking "+
				"the value of pcmk_delay_base and adding a random delay value such that the sum is kept below this maximum."),
		option("pcmk_delay_base", "string", "0s", "Enable a base delay for fencing actions and specify base delay value.",
			"This enables a static delay for fencing actions, which can help avoid \"death matches\" where two nodes try to fence each other at the same time. "+
				"If pcmk_delay_max  is also used, a random delay will be added such that the total delay is kept below that value.This can be set to a single time "+
				"value to apply to any node targeted by this device (useful if a separate device is configured for each target), or to a node map (for example, "+
				"\"node1:1s;node2:5\") to set a different value per target."),
		option("pcmk_action_limit", "integer", "1", "The maximum number of actions can be performed in parallel on this device",
			"Cluster property concurrent-fencing=true needs to be configured first.Then use this to specify the maximum number of actions can be performed in parallel on this device. -1 is unlimited."),
	}
	for _, a := range [...]string{"reboot", "off", "on", "list", "monitor", "status"} {
		l = append(l, actionParameters(a)...)
	}
	return l
}

func actionParameters(a string) []optmeta.Option {
	// Line breaks are where the original has them.
	breakAction, breakTimeout := "", ""
	switch a {
	case "reboot":
		breakAction = `\n`
	case "monitor":
		breakTimeout = `\n`
	}
	return []optmeta.Option{
		option("pcmk_"+a+"_action", "string", a, "Advanced use only: An alternate command to run instead of '"+a+"'",
			"Some devices do not support the standard commands or may provide additional ones."+breakAction+
				"Use this to specify an alternate, device-specific, command that implements the '"+a+"' action."),
		option("pcmk_"+a+"_timeout", "time", "60s", "Advanced use only: Specify an alternate timeout to use for "+a+" actions instead of stonith-timeout",
			"Some devices need much more/less time to complete than normal."+breakTimeout+
				"Use this to specify an alternate, device-specific, timeout for '"+a+"' actions."),
		option("pcmk_"+a+"_retries", "integer", "2", "Advanced use only: The maximum number of times to retry the '"+a+"' command within the timeout period",
			"Some devices do not support multiple connections. Operations may 'fail' if the device is busy with another task so Pacemaker will automatically "+
				"retry the operation,      if there is time remaining. Use this option to alter the number of times Pacemaker retries '"+a+"' actions before giving up."),
	}
}

// writeMetadata describes the parameters.
func writeMetadata(w io.Writer) {
	const about = `Instance attributes available for all "stonith"-class resources`
	_, _ = io.WriteString(w, optmeta.Format(programName, about, about+" and used by Pacemaker's fence daemon, formerly known as stonithd", parameters()))
}
