package notifyd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"
)

// trapPort is where managers wait for traps (RFC 3417, section 3.1).
const trapPort = "162"

// sendLimit bounds the wait for a manager's name, for a connection, and for one
// that does not read.
const sendLimit = 10 * time.Second

// trapper sends traps to a manager. Owned by the loop.
type trapper struct {
	log       *logger
	manager   string
	community string
	send      func([]byte) error // nil before the first event
	conn      interface{ Close() error }
	request   uint32
}

func newTrapper(log *logger, manager, community string) *trapper {
	return &trapper{log: log, manager: manager, community: community, request: 1<<24 + rand.Uint32N(1<<29)}
}

func (t *trapper) close() {
	if t.conn != nil {
		t.conn.Close()
		t.conn, t.send = nil, nil
	}
}

// open reads the manager's address: [udp:|udp6:|tcp:|tcp6:]HOST[:PORT], of which
// net-snmp has more kinds (snmpcmd(1), AGENT SPECIFICATION).
func (t *trapper) open() error {
	network, address := "udp4", t.manager
	if kind, rest, ok := strings.Cut(t.manager, ":"); ok {
		switch kind {
		case "udp", "tcp":
			network, address = kind+"4", rest
		case "udp6", "udpv6", "udpipv6":
			network, address = "udp6", rest
		case "tcp6", "tcpv6", "tcpipv6":
			network, address = "tcp6", rest
		}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = strings.Trim(address, "[]"), trapPort
	}
	address = net.JoinHostPort(host, port)
	if strings.HasPrefix(network, "tcp") {
		conn, err := net.DialTimeout(network, address, sendLimit)
		if err != nil {
			return err
		}
		t.conn, t.send = conn, func(b []byte) error {
			_ = conn.SetWriteDeadline(time.Now().Add(sendLimit)) // a failure shows in the write
			_, err := conn.Write(b)
			return err
		}
		return nil
	}
	to, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		return err
	}
	// Not connected: that the manager is down is not an error of the next trap.
	conn, err := net.ListenUDP(network, nil)
	if err != nil {
		return err
	}
	t.conn, t.send = conn, func(b []byte) error { _, err := conn.WriteToUDP(b, to); return err }
	return nil
}

// tell sends a trap. A connection that fails is opened again with the next one.
func (t *trapper) tell(kind uint32, objects ...object) {
	if t.send == nil {
		if err := t.open(); err != nil {
			t.log.error("Could not create snmp transport: %v", explainDial(t.manager, err))
			return
		}
	}
	t.request++
	msg := trap{community: t.community, request: t.request, uptime: uint32(time.Now().Unix()), kind: kind, objects: objects}
	if err := t.send(msg.append(nil)); err != nil {
		t.log.error("Could not send SNMP trap: %v", err)
		t.close()
	}
}

// explainDial says what to look at when a manager cannot be reached.
func explainDial(manager string, err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return fmt.Errorf("manager %q (option -m) has no address: %w", manager, err)
	}
	return fmt.Errorf("manager %q (option -m): %w", manager, err)
}

func (t *trapper) node(m member) {
	t.tell(trapNode,
		object{id: objectNodeName, tag: berString, text: m.name},
		object{id: objectNodeID, tag: berUnsigned, number: m.id},
		object{id: objectNodeAddr, tag: berString, text: m.addr},
		object{id: objectNodeStatus, tag: berString, text: m.state})
}

func (t *trapper) quorum(o origin, quorate bool) {
	t.tell(trapQuorum,
		object{id: objectNodeName, tag: berString, text: o.host},
		object{id: objectNodeID, tag: berUnsigned, number: o.id},
		object{id: objectQuorum, tag: berString, text: quorumState(quorate)})
}

// client: the original sends no trap for programs.
func (t *trapper) client(origin, client) {}

func (t *trapper) link(o origin, l link) {
	t.tell(trapLink,
		object{id: objectNodeName, tag: berString, text: o.host},
		object{id: objectLocalID, tag: berUnsigned, number: o.id},
		object{id: objectNodeID, tag: berUnsigned, number: l.node},
		object{id: objectLinkNumber, tag: berInteger, number: l.number},
		object{id: objectLinkStatus, tag: berString, text: l.state})
}
