package demo

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
)

// floating is the address that the group moves around; node ids end at 200.
const floating = "10.78.0.250"

// token is the ring's token timeout in both tellings.
const token = "1000"

//go:embed agents/ledger
var ledgerAgent string

// webConf is the web server's configuration: it answers with the node's name
// and listens on the floating address only.
const webConf = `worker_processes 1;
pid /run/web.pid;
error_log /var/log/nginx/error.log;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path /run/web-body; proxy_temp_path /run/web-proxy; fastcgi_temp_path /run/web-fastcgi;
  uwsgi_temp_path /run/web-uwsgi; scgi_temp_path /run/web-scgi;
  server {
    listen ` + floating + `:80;
    location / { default_type text/plain; return 200 "$hostname\n"; }
  }
}
`

// story is one telling: a cluster, a client and what was measured. It belongs to
// the goroutine that tells it.
type story struct {
	timeline
	lab    *lab.Lab
	power  power
	client *client
	watch  *watch
	bin    string
	dc     string // where the controller is to be: active, other or any
	fig    figures
}

func newStory(ctx context.Context, w io.Writer, o options, c cast) (*story, error) {
	base := "demo"
	if o.ref && c == reference {
		base = "demo-ref"
	}
	s := &story{timeline: timeline{w: w, start: time.Now()}, bin: o.bin, dc: o.dc, fig: figures{cast: c}}
	node := lab.NodeSpec{Corosync: c.corosync, Pacemaker: c.pacemaker}
	nodes := []lab.NodeSpec{node, node, node, {Name: "client", Host: true}}
	l, err := lab.Up(ctx, lab.Options{
		Name: freeName(base), Nodes: nodes, Networks: networks, Bin: o.bin, Replace: true,
		Files: []lab.File{
			lab.FenceAgent(),
			{Path: "/usr/lib/ocf/resource.d/pacesync/ledger", Mode: 0o755, Content: ledgerAgent},
		},
	})
	if err != nil {
		return nil, err
	}
	s.lab = l
	if s.power, err = servePower(l, c.fence); err != nil {
		l.Down()
		return nil, err
	}
	for name, text := range map[string]string{filepath.Join(l.Dir(), "owner"): fmt.Sprint(os.Getpid()), filepath.Join(l.Shared(), "nginx.conf"): webConf} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// run tells the story.
func (s *story) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{s.boot, s.load, s.placeController, s.killServer, s.cutCable, s.cutNode, s.rejoin, s.account} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// close takes everything down.
func (s *story) close() error {
	s.power.Close()
	return s.lab.Down()
}

// stayUp says how to look into the cluster. The power switch ends with this process.
func (s *story) stayUp() string {
	os.Remove(filepath.Join(s.lab.Dir(), "owner"))
	lab := filepath.Join(s.bin, "pacesync") + " lab"
	name := s.lab.Name()
	return fmt.Sprintf(`
The cluster stays up, without its power switch: fencing would fail now. Look into it:
  %[1]s status -l %[2]s
  %[1]s exec -l %[2]s n1 crm_mon -1
  %[1]s exec -l %[2]s client curl -s http://%[3]s/
  %[1]s log -l %[2]s n1                      logs, ledger and power log: %[4]s
  %[1]s down -l %[2]s                        when done
`, lab, name, floating, s.lab.Dir())
}

// lastWords shows where the cluster stood when the story failed.
func (s *story) lastWords() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Fprintln(s.w, "\nWhat the nodes say:")
	for _, n := range s.lab.Members() {
		res, err := n.Exec(ctx, "crm_mon", "-1")
		text := res.Stdout
		if err != nil {
			text += err.Error() + "\n"
		}
		fmt.Fprintf(s.w, "%s:\n%s", n.Name(), text)
		if b, err := os.ReadFile(n.Path("/var/log/corosync/corosync.log")); err == nil {
			lines := strings.Split(strings.TrimSpace(string(b)), "\n")
			fmt.Fprintf(s.w, "  %s\n", strings.Join(lines[max(0, len(lines)-8):], "\n  "))
		}
	}
}

// ringConf is what `pcs cluster setup` makes of two addresses per node: knet with
// two links, encrypted.
func ringConf() lab.Conf {
	return lab.Conf{Transport: "knet", Links: secondNet + 1, Totem: []string{"crypto_cipher: aes256", "crypto_hash: sha256", "token: " + token}}
}

// boot starts three nodes up to a designated controller.
func (s *story) boot(ctx context.Context) error {
	s.chapter("A cluster of three nodes")
	s.say("nodes n1, n2, n3 and a client have power; corosync %s, pacemaker %s", s.fig.cast.corosync, s.fig.cast.pacemaker)
	if err := s.lab.WriteConf(ringConf()); err != nil {
		return err
	}
	nodes := s.lab.Members()
	if err := s.lab.StartRing(ctx, nodes...); err != nil {
		return err
	}
	m := nodes[0].Membership(ctx)
	s.say("ring %s of the nodes %v over two encrypted links, votes %d of %d: quorum", m.Ring, m.Members, m.Votes, m.Expected)
	for _, n := range nodes {
		if err := n.Start(ctx, lab.PartPacemaker); err != nil {
			return err
		}
	}
	dc := ""
	err := s.wait(ctx, time.Minute, "Pacemaker to elect a controller (its rule: some 20 s)", func() bool {
		dc = nodes[0].DC(ctx)
		return dc != ""
	})
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := n.CheckOrigins(); err != nil {
			return err
		}
	}
	s.say("designated controller is %s; the running programs were checked: %s, on all nodes", dc, s.fig.cast)
	return nil
}

// load gives the cluster its work and waits until the client gets answers.
func (s *story) load(ctx context.Context) error {
	s.chapter("The work: an address and a web server, and a fence device for safety")
	nodes := s.lab.Members()
	if _, err := nodes[0].ExecInput(ctx, cibXML(nodes, s.fig.cast.fence), "cibadmin", "--modify", "--allow-create", "--scope", "configuration", "--xml-pipe"); err != nil {
		return err
	}
	s.say("CIB loaded: fence devices (%s), group web (account, address %s, server)", s.fig.cast.fence, floating)
	var err error
	s.watch = startWatch(s.lab, floating)
	if s.client, err = startClient(ctx, s.lab.Node("client"), filepath.Join(s.bin, "pacesync"), floating+":80"); err != nil {
		return err
	}
	began := time.Now()
	var first request
	err = s.wait(ctx, time.Minute, "the first answer of the web server", func() bool {
		var ok bool
		first, ok = s.client.answered(began, func(string) bool { return true })
		return ok
	})
	if err != nil {
		return err
	}
	s.at(first.end, "the client has its first answer, from %s", first.node)
	if err := s.settled(ctx, nodes[0]); err != nil {
		return err
	}
	s.say("all resources run: %s", s.places(ctx, nodes[0]))
	return nil
}

// settled waits until the cluster has nothing left to do.
func (s *story) settled(ctx context.Context, n *lab.Node) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err := n.Exec(ctx, "crm_resource", "--wait", "--timeout", "55s")
	return err
}

// place is where a resource runs, as a node says; empty: nowhere.
func (s *story) place(ctx context.Context, n *lab.Node, resource string) string {
	res, _ := n.Exec(ctx, "crm_resource", "--locate", "--resource", resource) // status 6: not known
	_, on, _ := strings.Cut(res.Stdout, "is running on: ")
	return strings.TrimSpace(on)
}

func (s *story) places(ctx context.Context, n *lab.Node) string {
	var out []string
	for _, r := range []string{deviceOf("n1"), deviceOf("n2"), deviceOf("n3"), "account", "address", "server"} {
		out = append(out, r+" on "+s.place(ctx, n, r))
	}
	return strings.Join(out, ", ")
}

// killServer kills the web server; the cluster restarts it in place.
func (s *story) killServer(ctx context.Context) error {
	s.chapter("The web server dies")
	where := s.place(ctx, s.lab.Node("n1"), "server")
	n := s.lab.Node(where)
	if n == nil {
		return fmt.Errorf("the web server runs on %q", where)
	}
	killed := time.Now()
	count := 0
	for _, p := range n.Ps() {
		if strings.HasSuffix(p.Exe, "/nginx") {
			syscall.Kill(p.PID, syscall.SIGKILL)
			count++
		}
	}
	if count == 0 {
		return fmt.Errorf("no web server process on %s", where)
	}
	s.say("kill -9 on all %d processes of the web server on %s", count, where)
	if err := s.wait(ctx, 20*time.Second, "the client to notice", func() bool {
		_, lost := outage(s.client.since(killed))
		return lost > 0
	}); err != nil {
		return err
	}
	noticed := time.Now()
	var back request
	err := s.wait(ctx, 40*time.Second, "the web server to be restarted", func() bool {
		var ok bool
		back, ok = s.client.answered(noticed, func(string) bool { return true })
		return ok
	})
	if err != nil {
		return err
	}
	s.fig.repair = back.end.Sub(killed)
	s.at(back.end, "answers again after %.2f s, from %s", s.fig.repair.Seconds(), back.node)
	if back.node != where {
		return fmt.Errorf("the web server was to be restarted on %s, it runs on %s", where, back.node)
	}
	return s.settled(ctx, n)
}
