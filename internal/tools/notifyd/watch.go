package notifyd

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cfg/cfgclient"
	"github.com/pacesync/pacesync/internal/corosync/cmap/cmapclient"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum"
)

// What a change is of: the id of its track.
const (
	trackMembers   uint64 = iota + 1
	trackClients          // stats.ipcs.
	trackLinks            // keys of links that come and go
	trackConnected        // a link's state
)

// tries is how often a busy daemon is asked, a second apart (corosync-notifyd.c:
// CMAP_MAX_RETRIES).
const tries = 11

// change is what one of the readers got: a change of a map or of quorum, or the
// error that ended it.
type change struct {
	cmap   cmapclient.Change
	quorum *quorum.Event
	err    error
}

// watcher turns changes in the daemon into events for the sinks. Its readers only
// pass on; all else is owned by run.
type watcher struct {
	log   *logger
	noDNS bool
	sinks []sink

	icmap, stats *cmapclient.Client
	votes        *quorum.Client
	changes      chan change
	tracks       map[string]cmapclient.Track // of links, by key
	self         origin
	quorate      bool // as told last; the daemon tells of the start too
}

// connect asks for the changes of interest. Without the quorum service the rest
// is told all the same, as in the original.
func (w *watcher) connect(ctx context.Context) error {
	w.changes, w.tracks = make(chan change), map[string]cmapclient.Track{}
	var err error
	if w.icmap, err = cmapclient.Dial(ctx, cmapclient.ICMAP); err != nil {
		return fmt.Errorf("Failed to initialize the cmap API. Error %d", libipc.Code(err)) //nolint:staticcheck // the original's text
	}
	if w.stats, err = cmapclient.Dial(ctx, cmapclient.Stats); err != nil {
		w.close()
		return fmt.Errorf("Failed to initialize the cmap stats API. Error %d", libipc.Code(err)) //nolint:staticcheck // likewise
	}
	for _, t := range []struct {
		client *cmapclient.Client
		key    string
		kinds  cmapclient.Kinds
		id     uint64
		what   string
	}{
		{w.icmap, "runtime.members.", cmapclient.Added | cmapclient.Modified, trackMembers, "members"},
		{w.stats, "stats.ipcs.", cmapclient.Added | cmapclient.Deleted, trackClients, "connections"},
		{w.stats, "stats.knet.", cmapclient.Added | cmapclient.Deleted, trackLinks, "knet link status"},
	} {
		if _, err := t.client.Track(ctx, t.key, true, t.kinds, t.id); err != nil {
			w.close()
			return fmt.Errorf("Failed to track the %s key. Error %d", t.what, libipc.Code(err)) //nolint:staticcheck // likewise
		}
	}
	for item, err := range w.stats.All(ctx, "stats.knet.") {
		if err != nil {
			break // a ring over udp has none
		}
		w.trackLink(ctx, item.Key)
	}
	w.connectQuorum(ctx)
	return nil
}

func (w *watcher) connectQuorum(ctx context.Context) {
	votes, err := quorum.Dial(ctx, quorum.ModelV0)
	if err != nil {
		w.log.error("Could not connect to corosync(quorum)")
		return
	}
	if err := votes.TrackStart(ctx, quorum.TrackChanges); err != nil {
		w.log.error("Could not start tracking")
		votes.Close()
		return
	}
	w.votes = votes
}

func (w *watcher) close() {
	for _, c := range []*cmapclient.Client{w.icmap, w.stats} {
		if c != nil {
			c.Close()
		}
	}
	if w.votes != nil {
		w.votes.Close()
	}
}

// trackLink asks for changes of a link's state. Only whole keys of the stats map
// can be asked about.
func (w *watcher) trackLink(ctx context.Context, key string) {
	if _, ok := w.tracks[key]; ok || !strings.HasSuffix(key, ".connected") {
		return
	}
	t, err := w.stats.Track(ctx, key, false, cmapclient.Modified, trackConnected)
	if err != nil {
		w.log.error("Can't add tracker for new/removed knet link %s: %v", key, err)
		return
	}
	w.tracks[key] = t
}

// run tells of events until ctx ends or the daemon does.
func (w *watcher) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go w.readMap(ctx, w.icmap)
	go w.readMap(ctx, w.stats)
	if w.votes != nil {
		go w.readQuorum(ctx)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-w.changes:
			if c.err != nil {
				return c.err
			}
			if err := w.handle(ctx, c); err != nil {
				return err
			}
		}
	}
}

// passing tells errors after which a reader goes on.
func passing(err error) bool {
	switch libipc.Code(err) {
	case service.ErrTryAgain, service.ErrTimeout, service.ErrQueueFull:
		return true
	}
	return false
}

// pass hands a change to run; false: run has ended.
func (w *watcher) pass(ctx context.Context, c change) bool {
	select {
	case w.changes <- c:
		return c.err == nil
	case <-ctx.Done():
		return false
	}
}

func (w *watcher) readMap(ctx context.Context, m *cmapclient.Client) {
	for {
		c, err := m.Next(ctx)
		if passing(err) {
			continue
		}
		if err != nil {
			err = fmt.Errorf("Could not dispatch cmap events. Error %d", libipc.Code(err)) //nolint:staticcheck // the original's text
		}
		if !w.pass(ctx, change{cmap: c, err: err}) {
			return
		}
	}
}

func (w *watcher) readQuorum(ctx context.Context) {
	for {
		e, err := w.votes.Next(ctx)
		if passing(err) {
			continue
		}
		if err != nil {
			err = fmt.Errorf("Could not dispatch quorum events. Error %d", libipc.Code(err)) //nolint:staticcheck // the original's text
		}
		if !w.pass(ctx, change{quorum: &e, err: err}) {
			return
		}
	}
}

// handle turns one change into events. An error ends the program.
func (w *watcher) handle(ctx context.Context, c change) error {
	switch {
	case c.quorum != nil:
		return w.quorumChanged(ctx, c.quorum.Quorate)
	case c.cmap.ID == trackMembers:
		w.memberChanged(ctx, c.cmap)
	case c.cmap.ID == trackClients:
		return w.clientChanged(ctx, c.cmap)
	case c.cmap.ID == trackConnected:
		return w.linkChanged(ctx, c.cmap.Key)
	case c.cmap.Kind == cmapclient.Added:
		w.trackLink(ctx, c.cmap.Key)
	default:
		w.untrackLink(ctx, c.cmap.Key)
	}
	return nil
}

func (w *watcher) untrackLink(ctx context.Context, key string) {
	if t, ok := w.tracks[key]; ok {
		_ = w.stats.Untrack(ctx, t) // the key is gone, and the track with it
		delete(w.tracks, key)
	}
}

func (w *watcher) quorumChanged(ctx context.Context, quorate bool) error {
	if w.quorate == quorate {
		return nil
	}
	w.quorate = quorate
	if err := w.local(ctx); err != nil {
		return err
	}
	for _, s := range w.sinks {
		s.quorum(w.self, quorate)
	}
	return nil
}

// memberChanged tells of a node. What its keys do not say is not told.
func (w *watcher) memberChanged(ctx context.Context, c cmapclient.Change) {
	id, ok := parseMember(c.Key)
	state, isText := c.New.AsString()
	if !ok || !isText {
		return
	}
	var text string
	err := libipc.Retry(ctx, tries, time.Second, func() (err error) {
		text, err = w.icmap.GetString(ctx, fmt.Sprintf("runtime.members.%d.ip", id))
		return err
	})
	if err != nil {
		return
	}
	addr, ok := parseAddr(text)
	if !ok {
		w.log.error("ip_str: %s", text)
		return
	}
	m := member{name: addr, id: id, addr: addr, state: state}
	if !w.noDNS {
		m.name = w.nameOf(ctx, addr)
	}
	for _, s := range w.sinks {
		s.node(m)
	}
}

func (w *watcher) clientChanged(ctx context.Context, c cmapclient.Change) error {
	value, state := c.New, connected
	if c.Kind == cmapclient.Deleted {
		value, state = c.Old, disconnected
	}
	process, ok := value.AsString()
	name, isProcess := parseClient(c.Key)
	if !ok || !isProcess {
		return nil
	}
	if err := w.local(ctx); err != nil {
		return err
	}
	for _, s := range w.sinks {
		s.client(w.self, client{name: name + "." + process, state: state})
	}
	return nil
}

// linkChanged asks for the state that the link has now, as the original does.
func (w *watcher) linkChanged(ctx context.Context, key string) error {
	l, ok := parseLink(key)
	if !ok {
		return nil
	}
	up := false
	err := libipc.Retry(ctx, tries, time.Second, func() error {
		v, err := w.stats.Get(ctx, key)
		n, _ := v.AsUint()
		up = n != 0
		return err
	})
	if err != nil {
		return nil // the link is gone
	}
	l.state = disconnected
	if up {
		l.state = operational
	}
	if err := w.local(ctx); err != nil {
		return err
	}
	for _, s := range w.sinks {
		s.link(w.self, l)
	}
	return nil
}

// local finds out about this node, once.
func (w *watcher) local(ctx context.Context) error {
	if w.self.id != 0 {
		return nil
	}
	c, err := cfgclient.Dial(ctx)
	if err != nil {
		return fmt.Errorf("Failed to initialize the cfg API. Error %d", libipc.Code(err)) //nolint:staticcheck // the original's text
	}
	defer c.Close()
	w.self = origin{host: "localhost"}
	if id, err := c.LocalGet(ctx); err == nil {
		w.self.id = id
		if host, err := os.Hostname(); err == nil {
			w.self.host = host
		}
	}
	return nil
}
