package pcmk

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// TestNodeTools compares our crm_node and crmadmin with the original's, on one
// cluster of the original's daemons.
func TestNodeTools(t *testing.T) {
	ctx := labtest.Context(t, 3*time.Minute)
	l := labtest.Cluster(t, 2)
	ours := filepath.Join(labtest.Bin(t), "pacesync")
	n := l.Members()[0]
	testwait.For(t, 60*time.Second, "the cluster to settle", func() bool {
		res, err := n.Exec(ctx, "crmadmin", "-t", "3s", "-S", n.Name())
		dc, dcErr := n.Exec(ctx, "crmadmin", "-t", "3s", "-D")
		return err == nil && dcErr == nil && strings.Contains(dc.Stdout, "n") && !strings.Contains(res.Stdout, "S_PENDING") && !strings.Contains(res.Stdout, "S_TRANS")
	})
	for _, args := range []string{
		"crm_node -l", "crm_node -p", "crm_node -n", "crm_node -i", "crm_node -q", "crm_node -N 2", "crm_node -N 77", "crm_node -Nx",
		"crm_node --list", "crm_node -Q -n", "crmadmin -D", "crmadmin -D -q", "crmadmin -D --output-as=xml", "crmadmin -S n1",
		"crmadmin -S n2 -q", "crmadmin -S n2 --output-as=xml", "crmadmin -t 1s -S nowhere", "crmadmin -N", "crmadmin -N --output-as=xml",
		"crmadmin -N -B", "crmadmin -q -N", "crmadmin --nodes=remote", "crmadmin --nodes=cluster,guest", "crmadmin -P -q",
		"crmadmin -t 5s -D", "crm_node -R n7", "crm_node -f -R n7", "crm_node -l",
	} {
		original := strings.Fields(args)
		want, _ := n.Exec(ctx, original...) // a status is a result here
		got, _ := n.Exec(ctx, append([]string{ours}, original...)...)
		// The request line of XML repeats the command as it was given.
		got.Stdout = strings.ReplaceAll(got.Stdout, ours+" ", "")
		if got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", args, got, want)
		}
	}
	// Times differ, the rest does not.
	for _, args := range [][]string{{"crmadmin", "-P"}, {"crmadmin", "-P", "--output-as=xml"}} {
		want, _ := n.Exec(ctx, args...)
		got, _ := n.Exec(ctx, append([]string{ours}, args...)...)
		if cut := func(s string) string { return strings.Split(s, "last")[0] }; cut(got.Stdout) != cut(want.Stdout) || got.Code != want.Code {
			t.Errorf("%v:\n got %+v\nwant %+v", args, got, want)
		}
	}
}
