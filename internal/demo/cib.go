package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labbmc"
)

// fence is what cuts the power of a node.
type fence uint8

const (
	script fence = iota // stonith:fence_lab, a script agent that asks the lab's power switch
	bmc                 // stonith:fence_ipmilan, a BMC for each node on the management network
)

func (f fence) String() string {
	if f == bmc {
		return "fence_ipmilan, a BMC for each node"
	}
	return "script agent, the lab's power switch"
}

// The networks: the ring has two, the first of them serves the client too; the
// BMCs have their own.
const (
	serviceNet = iota
	secondNet
	managementNet
	networks
)

// power is what the story asks of the power supply, whichever it is.
type power interface {
	Events() []lab.PowerEvent
	Off(node string, since time.Time) (lab.PowerEvent, bool)
	Close() error
}

func servePower(l *lab.Lab, f fence) (power, error) {
	if f == bmc {
		return labbmc.Serve(l, managementNet)
	}
	return l.ServePower()
}

// deviceOf is the fence device for a node.
func deviceOf(node string) string { return "power-" + node }

// cibXML is what is loaded into the cluster: fencing, and the group. Stickiness
// keeps the group where it is when a node returns.
func cibXML(nodes []*lab.Node, f fence) string {
	var devices, places strings.Builder
	for _, n := range nodes {
		id := deviceOf(n.Name())
		agent := "fence_lab"
		params := [][2]string{{"pcmk_host_list", n.Name()}}
		if f == bmc {
			agent = "fence_ipmilan"
			params = append(params, [][2]string{{"ip", lab.Addr(managementNet, 100+n.ID())}, {"username", labbmc.User},
				{"password", labbmc.Password}, {"lanplus", "1"},
				{"power_wait", "0"}}...) // these BMCs have acted when they answer; off is read back all the same
		}
		fmt.Fprintf(&devices, "<primitive id=%q class=\"stonith\" type=%q><instance_attributes id=\"%s-params\">", id, agent, id)
		for _, p := range params {
			fmt.Fprintf(&devices, "<nvpair id=\"%s-%s\" name=%q value=%q/>", id, p[0], p[0], p[1])
		}
		fmt.Fprintf(&devices, "</instance_attributes><operations><op id=\"%s-monitor\" name=\"monitor\" interval=\"30s\" timeout=\"20s\"/></operations></primitive>\n", id)
		fmt.Fprintf(&places, "<rsc_location id=\"%s-elsewhere\" rsc=%q node=%q score=\"-INFINITY\"/>\n", id, id, n.Name())
	}
	return fmt.Sprintf(configuration, devices.String(), floating, places.String())
}

const configuration = `<configuration>
 <crm_config><cluster_property_set id="cib-bootstrap-options">
  <nvpair id="opt-stonith" name="stonith-enabled" value="true"/>
  <nvpair id="opt-action" name="stonith-action" value="off"/>
 </cluster_property_set></crm_config>
 <rsc_defaults><meta_attributes id="rsc-options"><nvpair id="rsc-stickiness" name="resource-stickiness" value="100"/></meta_attributes></rsc_defaults>
 <resources>
  %s<group id="web">
   <primitive id="account" class="ocf" provider="pacesync" type="ledger">
    <operations><op id="account-monitor" name="monitor" interval="10s" timeout="10s"/></operations>
   </primitive>
   <primitive id="address" class="ocf" provider="heartbeat" type="IPaddr2">
    <instance_attributes id="address-params"><nvpair id="address-ip" name="ip" value="%s"/><nvpair id="address-mask" name="cidr_netmask" value="24"/></instance_attributes>
    <operations><op id="address-monitor" name="monitor" interval="5s" timeout="20s"/></operations>
   </primitive>
   <primitive id="server" class="ocf" provider="heartbeat" type="nginx">
    <instance_attributes id="server-params"><nvpair id="server-conf" name="configfile" value="/run/lab/nginx.conf"/></instance_attributes>
    <operations><op id="server-start" name="start" interval="0" timeout="40s"/><op id="server-stop" name="stop" interval="0" timeout="60s"/><op id="server-monitor" name="monitor" interval="1s" timeout="20s"/></operations>
   </primitive>
  </group>
 </resources>
 <constraints>
  %s</constraints>
</configuration>
`

// placeController moves the group so that the controller is on its node, or not.
func (s *story) placeController(ctx context.Context) error {
	n1 := s.lab.Node("n1")
	dc, where := n1.DC(ctx), s.place(ctx, n1, "server")
	if s.dc == "any" || (dc == where) == (s.dc == "active") {
		s.say("the controller is %s, the group is on %s", dc, where)
		return nil
	}
	to := dc
	if s.dc == "other" {
		for _, n := range s.lab.Members() {
			if n.Name() != dc {
				to = n.Name()
			}
		}
	}
	for _, args := range [][]string{{"--move", "--node", to}, {"--clear"}} {
		if _, err := n1.Exec(ctx, append([]string{"crm_resource", "--resource", "web"}, args...)...); err != nil {
			return err
		}
		if err := s.settled(ctx, n1); err != nil {
			return err
		}
	}
	if where = s.place(ctx, n1, "server"); where != to {
		return fmt.Errorf("the group was moved to %s and is on %s", to, where)
	}
	s.say("the group was moved to %s; the controller is %s", to, dc)
	return nil
}
