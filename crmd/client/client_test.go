package client

import (
	"context"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// controller serves the socket as the controller does, with prepared answers.
func controller(t *testing.T) {
	t.Helper()
	events := make(chan crmipc.Event)
	srv, err := crmipc.Listen(crmipc.ServerOptions{Events: events}, Service)
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: %v", err) // a controller runs here
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case ev := <-events:
				if ev.Kind == crmipc.Message {
					answer(ev)
				}
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { srv.Close(); close(stop); <-ended })
}

func answer(ev crmipc.Event) {
	var data *xmltree.Node
	switch ev.XML.Attr("crm_task") {
	case "node-info":
		data = xmltree.New("node", xmltree.Attr{Name: "id", Value: "2"}, xmltree.Attr{Name: "uname", Value: "n2"}, xmltree.Attr{Name: "have-quorum", Value: "true"})
	case "list-nodes":
		data = xmltree.New("nodes")
		data.AddNew("node", xmltree.Attr{Name: "id", Value: "1"}, xmltree.Attr{Name: "uname", Value: "n1"}, xmltree.Attr{Name: "in_ccm", Value: "member"})
	case "ping":
		data = xmltree.New("ping_response", xmltree.Attr{Name: "crm_subsystem", Value: ev.XML.Attr("crm_sys_to")}, xmltree.Attr{Name: "crmd_state", Value: "S_IDLE"})
		// News of the daemon's own come in between.
		ev.Client.Event(xmltree.New("notify"))
	default:
		return
	}
	reply := crmipc.NewReply(ev.XML, data)
	reply.Set("src", "n9")
	ev.Client.Event(reply)
}

func TestQuestions(t *testing.T) {
	controller(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := Dial(ctx, "crm_node")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if info, err := c.NodeInfo(ctx, 0); err != nil || info.ID != 2 || info.Name != "n2" || !info.HaveQuorum {
		t.Errorf("%+v %v", info, err)
	}
	if nodes, err := c.Nodes(ctx); err != nil || len(nodes) != 1 || nodes[0] != (Node{1, "n1", "member"}) {
		t.Errorf("%+v %v", nodes, err)
	}
	if p, err := c.Ping(ctx, ""); err != nil || p != (Ping{Host: "n9", Subsystem: "dc", State: "S_IDLE"}) {
		t.Errorf("%+v %v", p, err)
	}
	if p, err := c.Ping(ctx, "n1"); err != nil || p.Subsystem != "crmd" {
		t.Errorf("%+v %v", p, err)
	}
}

func TestNobodyServes(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err != nil {
		t.Skip("SKIPPED, NOT TESTED: no shared memory here")
	}
	_, err := Dial(context.Background(), "crm_node")
	if err == nil {
		t.Skip("SKIPPED, NOT TESTED: a controller runs here")
	}
	if rc := Code(err); rc != pcmk.RC(unix.ECONNREFUSED) || rc.Exit() != pcmk.ExitDisconnect {
		t.Errorf("%v %v", rc, rc.Exit())
	}
}
