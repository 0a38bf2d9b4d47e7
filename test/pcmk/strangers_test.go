package pcmk

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// dialEnv makes TestDialHelper a client: it dials every socket.
const dialEnv = "PCMK_TEST_DIAL"

// TestDialHelper is no test but the client that strangers runs as another user.
func TestDialHelper(t *testing.T) {
	if os.Getenv(dialEnv) == "" {
		return
	}
	for _, d := range append(pcmk.Daemons(), pcmk.Daemon{Servers: []string{pcmk.MCP}}) {
		for _, name := range d.Servers {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			c, err := crmipc.Dial(ctx, name, crmipc.DialOptions{})
			cancel()
			if err == nil {
				c.Close()
			}
			fmt.Printf("%s: %v\n", name, err)
		}
	}
}

// strangerCalls is what users try who have no business here; the first ones in
// make test too; stonith_admin tries for 18 s, as the original. "!" marks what a member of haclient may do.
const strangerCalls = `cibadmin --erase --force
!cibadmin --query
!crm_attribute -n x -v 1
!attrd_updater -n x -U 1
!crm_resource -C -r good
crmadmin -t 3s -S n1
pacemakerd -S
cat /var/lib/pacemaker/cib/cib.xml
rm -f /var/lib/pacemaker/cib/cib.xml
sh -c 'echo x >>/var/log/pacemaker/pacemaker.log'
stonith_admin -F n1
!cibadmin --create --scope resources --xml-text '<primitive id="x" class="ocf" provider="pacemaker" type="Dummy"/>'
!cibadmin --delete --xml-text '<primitive id="x"/>'
cibadmin --bump
crm_attribute -N n1 -l reboot -n x -v 1
crm_attribute -n x -G
!crm_mon -1
crm_resource -L
crm_resource -B -r good
crm_resource -R
crm_resource -r good -p fake -v 1
crm_standby -v on
crm_failcount -D -r good
crm_node -l
crm_node -f -R n9
crmadmin -t 3s -D
crmadmin -t 3s -P
!stonith_admin -L
!stonith_admin -H n1
stonith_admin -C n1
stonith_admin -R x -a fence_ipmilan
stonith_admin -r n1 -i 1 -v x
crm_verify -L
crm_simulate -L
crm_ticket -t T -g --force
corosync-cfgtool -s
corosync-cfgtool -R
corosync-quorumtool -e 1
corosync-cmapctl
`

// strangers: user nobody and a user outside the cluster's group get nothing and
// change nothing, by tools, by sockets and by files; a member of haclient can.
func (w *wrong) strangers(t *testing.T, long bool) {
	calls := strings.Split(strings.TrimSpace(strangerCalls), "\n")
	if !long {
		calls = calls[:10]
	}
	before := on(t, w.n, "cibadmin", "--query", "--scope", "configuration").Stdout
	as := func(user, group, line string) lab.Result {
		return on(t, w.n, "sh", "-c", "setpriv --reuid="+user+" --regid="+group+" --clear-groups -- "+line)
	}
	for _, who := range [][2]string{{"nobody", "nogroup"}, {"daemon", "daemon"}} {
		for _, line := range calls {
			line = strings.TrimPrefix(line, "!")
			res := as(who[0], who[1], line)
			if res.Code == 0 || strings.TrimSpace(res.Stdout+res.Stderr) == "" || strings.Contains(res.Stdout, "<primitive") {
				t.Errorf("%s: %s: %+v", who[0], line, res)
			}
		}
	}
	if after := on(t, w.n, "cibadmin", "--query", "--scope", "configuration").Stdout; after != before {
		t.Errorf("somebody changed the configuration:\n%s", after)
	}
	for _, line := range calls {
		if line, may := strings.CutPrefix(line, "!"); may {
			if res := as("65533", "haclient", line); res.Code != 0 {
				t.Errorf("a member of haclient: %s: %+v", line, res)
			}
		}
	}
	w.dial(t)
}

// dial tries every socket as somebody who may and as others who may not.
func (w *wrong) dial(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	helper, err := os.OpenFile(filepath.Join(w.shared, "dial"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(helper, in); err != nil {
		t.Fatal(err)
	}
	helper.Close()
	for _, who := range []struct {
		user, group string
		may         bool
	}{{"nobody", "nogroup", false}, {"daemon", "daemon", false}, {"65533", "haclient", true}} {
		res := on(t, w.n, "env", dialEnv+"=1", "setpriv", "--reuid="+who.user, "--regid="+who.group, "--clear-groups", "--",
			"/run/lab/dial", "-test.run=^TestDialHelper$")
		answers := 0
		for line := range strings.Lines(res.Stdout) {
			service, said, ok := strings.Cut(strings.TrimSpace(line), ": ")
			if !ok || strings.Contains(service, " ") {
				continue
			}
			answers++
			if in := said == "<nil>"; in != who.may {
				t.Errorf("%s at the socket %s: %s", who.user, service, said)
			}
		}
		if answers < 9 {
			t.Errorf("%s tried %d sockets: %+v", who.user, answers, res)
		}
	}
}
