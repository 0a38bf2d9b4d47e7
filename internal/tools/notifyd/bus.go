package notifyd

import "github.com/godbus/dbus/v5"

// The names of the signals' sender (corosync-notifyd.c: DBUS_CS_*).
const (
	busPath      = "/org/corosync"
	busInterface = "org.corosync"
)

// bus sends signals on the system's D-Bus. A bus that is lost or was not there is
// tried again with the next event. Owned by the loop.
type bus struct {
	log  *logger
	conn *dbus.Conn
	lost bool // said that there is no bus
}

// newBus connects at once, so that a bus that is missing shows at the start.
func newBus(log *logger) *bus {
	b := &bus{log: log}
	b.ready()
	return b
}

func (b *bus) close() {
	if b.conn != nil {
		b.conn.Close()
		b.conn = nil
	}
}

// ready reports whether there is a bus, and says once when not.
func (b *bus) ready() bool {
	if b.conn != nil && b.conn.Connected() {
		return true
	}
	if b.conn != nil {
		b.log.error("DBus connection lost")
		b.close()
	}
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		if !b.lost {
			b.log.error("dbus_bus_get: %v", err)
		}
		b.lost = true
		return false
	}
	b.conn, b.lost = conn, false
	return true
}

func (b *bus) emit(member string, args ...any) {
	if !b.ready() {
		return
	}
	if err := b.conn.Emit(busPath, busInterface+"."+member, args...); err != nil {
		b.log.error("cannot send the D-Bus signal %s: %v", member, err)
	}
}

func (b *bus) node(m member) { b.emit("NodeStateChange", m.name, m.id, m.addr, m.state) }

func (b *bus) quorum(o origin, quorate bool) {
	b.emit("QuorumStateChange", o.host, o.id, quorumState(quorate))
}

func (b *bus) client(o origin, c client) {
	b.emit("ConnectionStateChange", o.host, o.id, c.name, c.state)
}

// link has the name of the signal for quorum, with other arguments, as in the
// original: its receivers tell them apart by the arguments.
func (b *bus) link(o origin, l link) {
	b.emit("QuorumStateChange", o.host, o.id, l.node, l.number, l.state)
}
