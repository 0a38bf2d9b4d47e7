// Package systemd manages units as resources, over D-Bus. Starting and stopping
// return when systemd has begun the job; lrmd/opqueue follows it by monitors.
//
// It replaces lib/services/systemd.c and dbus.c.
package systemd

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/agent"
)

const (
	busName = "org.freedesktop.systemd1"
	busPath = "/org/freedesktop/systemd1"
	manager = busName + ".Manager"
)

// RuntimeDir is where drop-ins go that end with the machine's uptime.
const RuntimeDir = "/run/systemd/system"

// defaultTimeout bounds calls that no operation's timeout bounds (libdbus's own).
const defaultTimeout = 25 * time.Second

// Manager is the connection to systemd, made when it is first needed and made
// again when it is lost. Safe for concurrent use.
type Manager struct {
	// Warn gets what an operator should know; nil: none.
	Warn func(text string)
	// Dir is where drop-ins are written; empty: RuntimeDir.
	Dir string
	// Dial connects to the bus; nil: the system's.
	Dial func() (*dbus.Conn, error)

	mu   sync.Mutex
	raw  *dbus.Conn
	conn *sd.Conn
}

func (m *Manager) warn(text string) {
	if m.Warn != nil {
		m.Warn(text)
	}
}

func (m *Manager) dial() (*dbus.Conn, error) {
	if m.Dial != nil {
		return m.Dial()
	}
	return dbus.ConnectSystemBus()
}

// connect returns the connection to the bus, plain and as systemd's client.
func (m *Manager) connect() (*dbus.Conn, *sd.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil && m.raw.Connected() && m.conn.Connected() {
		return m.raw, m.conn, nil
	}
	if m.conn != nil {
		m.warn("Connection to System DBus is closed. Reconnecting...")
		m.conn.Close()
		_ = m.raw.Close()
		m.conn, m.raw = nil, nil
	}
	raw, err := m.dial()
	if err != nil {
		return nil, nil, err
	}
	conn, err := sd.NewConnection(m.dial)
	if err != nil {
		_ = raw.Close()
		return nil, nil, err
	}
	m.raw, m.conn = raw, conn
	return raw, conn, nil
}

// Close ends the connection.
func (m *Manager) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil {
		m.conn.Close()
		_ = m.raw.Close()
		m.conn, m.raw = nil, nil
	}
}

// Unit is the full name of a unit: a service without extension gets one, and a
// template with extension, or any template if instance is set, gets an instance
// (systemd_service_name).
func Unit(name string, instance bool) string {
	if ext := extension(name); ext != "" {
		if base, ok := strings.CutSuffix(strings.TrimSuffix(name, ext), "@"); ok && base != "" {
			return base + "@pacemaker" + ext
		}
		return name
	}
	if instance && strings.HasSuffix(name, "@") {
		return name + "pacemaker.service"
	}
	return name + ".service"
}

// extension is the end of a unit's name if it is of a kind that can be a resource.
func extension(name string) string {
	for _, e := range [...]string{".service", ".socket", ".mount", ".timer", ".path"} {
		if strings.HasSuffix(name, e) {
			return e
		}
	}
	return ""
}

// load makes a unit known to systemd and returns its object.
func (m *Manager) load(ctx context.Context, unit string) (dbus.BusObject, error) {
	raw, _, err := m.connect()
	if err != nil {
		return nil, errNoBus
	}
	var path dbus.ObjectPath
	if err := raw.Object(busName, busPath).CallWithContext(ctx, manager+".LoadUnit", 0, unit).Store(&path); err != nil {
		return nil, err
	}
	return raw.Object(busName, path), nil
}

var errNoBus = errors.New("no connection to D-Bus")

func (m *Manager) property(ctx context.Context, unit, name string) (string, error) {
	obj, err := m.load(ctx, unit)
	if err != nil {
		return "", err
	}
	var v dbus.Variant
	if err := obj.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, busName+".Unit", name).Store(&v); err != nil {
		return "", err
	}
	s, ok := v.Value().(string)
	if !ok {
		return "", errors.New("systemd: property " + name + " is no text")
	}
	return s, nil
}

// Exists says whether there is such a unit (systemd_unit_exists).
func (m *Manager) Exists(name string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), defaultTimeout)
	defer cancel()
	state, err := m.property(ctx, Unit(name, true), "LoadState")
	return err == nil && (state == "loaded" || state == "masked")
}

// Agents lists the units that can be resources, services without their
// extension (systemd_unit_listall).
func (m *Manager) Agents() []string {
	_, conn, err := m.connect()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), defaultTimeout)
	defer cancel()
	files, err := conn.ListUnitFilesContext(ctx)
	if err != nil {
		m.warn("Could not list systemd unit files: " + err.Error())
		return nil
	}
	var out []string
	for _, f := range files {
		if extension(f.Path) == "" {
			continue
		}
		base := f.Path[strings.LastIndexByte(f.Path, '/')+1:]
		out = append(out, strings.TrimSuffix(base, ".service"))
	}
	slices.SortStableFunc(out, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return out
}

// Run is one action on a unit.
type Run struct {
	m      *Manager
	a      agent.Action
	ctx    context.Context
	cancel context.CancelFunc
}

// Start prepares an action.
func (m *Manager) Start(a agent.Action) *Run {
	ctx, cancel := context.WithCancel(context.Background())
	return &Run{m, a, ctx, cancel}
}

// Kill ends the wait for systemd; the job it has begun goes on.
func (r *Run) Kill() { r.cancel() }

// Do carries the action out (services__execute_systemd).
func (r *Run) Do() agent.Result {
	res := r.do()
	if r.ctx.Err() != nil {
		res = agent.Result{RC: pcmk.OCFUnknown, Status: pcmk.ExecCancelled}
	}
	r.cancel()
	res.Class = "systemd"
	return res
}

func (r *Run) do() agent.Result {
	if _, _, err := r.m.connect(); err != nil {
		return failure("No DBus connection")
	}
	switch r.a.Name {
	case "monitor", "status":
		return r.monitor()
	case "start":
		return r.job(func(ctx context.Context, c *sd.Conn, unit string) error {
			r.m.override(ctx, c, r.a.Type)
			_, err := c.StartUnitContext(ctx, unit, "replace", nil)
			return err
		})
	case "stop":
		return r.job(func(ctx context.Context, c *sd.Conn, unit string) error {
			r.m.release(ctx, c, r.a.Type)
			_, err := c.StopUnitContext(ctx, unit, "replace", nil)
			return err
		})
	case "restart":
		return r.job(func(ctx context.Context, c *sd.Conn, unit string) error {
			_, err := c.RestartUnitContext(ctx, unit, "replace", nil)
			return err
		})
	case "meta-data":
		return agent.Result{Status: pcmk.ExecDone, Stdout: r.m.Metadata(r.a.Type)}
	}
	return agent.Result{RC: pcmk.OCFUnimplemented, Status: pcmk.ExecError,
		Reason: "Action " + r.a.Name + " not implemented for systemd resources"}
}

func failure(reason string) agent.Result {
	return agent.Result{RC: pcmk.OCFError, Status: pcmk.ExecError, Reason: reason}
}

// limit is the time that one call may take.
func (r *Run) limit() (context.Context, context.CancelFunc) {
	d := defaultTimeout
	if r.a.Timeout > 0 {
		d = time.Duration(r.a.Timeout) * time.Millisecond
	}
	return context.WithTimeout(r.ctx, d)
}

// monitor translates a unit's state. A state that cannot be had is an error,
// and never a unit that does not run.
func (r *Run) monitor() agent.Result {
	ctx, cancel := r.limit()
	defer cancel()
	state, err := r.m.property(ctx, Unit(r.a.Type, false), "ActiveState")
	if err != nil {
		return r.refused(err, "Could not get state for unit "+r.a.Type+" from DBus")
	}
	return stateResult(state)
}

func stateResult(state string) agent.Result {
	switch state {
	case "active", "reloading":
		return agent.Result{Status: pcmk.ExecDone}
	case "activating", "deactivating":
		return agent.Result{RC: pcmk.OCFUnknown, Status: pcmk.ExecPending}
	}
	return agent.Result{RC: pcmk.OCFNotRunning, Status: pcmk.ExecDone, Reason: state}
}

// job loads the unit and asks for a job.
func (r *Run) job(ask func(context.Context, *sd.Conn, string) error) agent.Result {
	ctx, cancel := r.limit()
	defer cancel()
	_, conn, err := r.m.connect()
	if err == nil {
		_, err = r.m.load(ctx, Unit(r.a.Type, false))
	}
	if err == nil {
		err = ask(ctx, conn, Unit(r.a.Type, false))
	}
	if err != nil {
		return r.refused(err, "Unable to invoke systemd DBus method")
	}
	return agent.Result{Status: pcmk.ExecDone}
}

// refused is the result of a call that failed (set_result_from_method_error): a
// unit that is not there counts as stopped for a stop.
func (r *Run) refused(err error, reason string) agent.Result {
	var e dbus.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return agent.Result{RC: pcmk.OCFError, Status: pcmk.ExecTimeout,
			Reason: r.a.Name + " action for systemd unit " + r.a.Type + " did not complete in time"}
	case !errors.As(err, &e):
		return failure(reason)
	}
	switch strings.TrimPrefix(e.Name, busName+".") {
	case "InvalidName", "LoadFailed", "NoSuchUnit":
		if r.a.Name == "stop" {
			return agent.Result{Status: pcmk.ExecDone}
		}
		return agent.Result{RC: pcmk.OCFNotInstalled, Status: pcmk.ExecNotInstalled, Reason: "systemd unit " + r.a.Type + " not found"}
	}
	r.m.warn("DBus request for " + r.a.Name + " of systemd unit " + r.a.Type + " for resource " + r.a.Rsc + " failed: " + e.Error())
	return failure(reason)
}

// Drop-in of a unit while the cluster manages it. Before= makes systemd stop
// Pacemaker first when the machine goes down, not the resource.
func dropIn(name string) string {
	return "[Unit]\nDescription=Cluster Controlled " + name + "\nBefore=pacemaker.service pacemaker_remote.service\n\n" +
		"[Service]\nRestart=no\n\n"
}

// dropInDir is as upstream for a name without extension. With one, upstream
// writes to NAME.EXT.service.d, which systemd never reads.
func (m *Manager) dropInDir(name string) string {
	dir := m.Dir
	if dir == "" {
		dir = RuntimeDir
	}
	if extension(name) == "" {
		name += ".service"
	}
	return dir + "/" + name + ".d"
}

const dropInFile = "50-pacemaker.conf"

// override writes the drop-in and has systemd read it (systemd_create_override).
func (m *Manager) override(ctx context.Context, c *sd.Conn, name string) {
	dir := m.dropInDir(name)
	text := dropIn(name)
	if e := extension(name); e != "" && e != ".service" {
		text = strings.Replace(text, "\n[Service]\nRestart=no\n", "", 1)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		m.warn("Could not create systemd override directory " + dir + ": " + err.Error())
	}
	file := dir + "/" + dropInFile
	err := os.WriteFile(file, []byte(text), 0o644)
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.Chmod(file, 0o644)) // the umask counts for nothing here
	}
	if err != nil {
		m.warn("Cannot open systemd override file " + file + " for writing: " + err.Error())
		return
	}
	m.reload(ctx, c)
}

// release removes the drop-in (systemd_remove_override).
func (m *Manager) release(ctx context.Context, c *sd.Conn, name string) {
	err := os.Remove(m.dropInDir(name) + "/" + dropInFile)
	if errors.Is(err, syscall.ENOENT) {
		return
	}
	if err != nil {
		m.warn("Cannot remove systemd override file: " + err.Error())
		return
	}
	m.reload(ctx, c)
}

func (m *Manager) reload(ctx context.Context, c *sd.Conn) {
	if err := c.ReloadContext(ctx); err != nil {
		m.warn("Could not issue systemd reload: " + err.Error())
	}
}

// Metadata describes a unit as an OCF agent would itself (systemd_unit_metadata).
func (m *Manager) Metadata(name string) string {
	ctx, cancel := context.WithTimeout(context.Background(), defaultTimeout)
	defer cancel()
	desc, err := m.property(ctx, Unit(name, true), "Description")
	if err != nil {
		desc = "Systemd unit file for " + name
	}
	desc = strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;", `"`, "&quot;", "'", "&apos;", "\t", "    ", "\n", `\n`, "\r", `\r`).Replace(desc)
	return "<?xml version=\"1.0\"?>\n<!DOCTYPE resource-agent SYSTEM \"ra-api-1.dtd\">\n" +
		"<resource-agent name=\"" + name + "\" version=\"0.1\">\n  <version>1.1</version>\n" +
		"  <longdesc lang=\"en\">\n    " + desc + "\n  </longdesc>\n" +
		"  <shortdesc lang=\"en\">systemd unit file for " + name + "</shortdesc>\n  <parameters/>\n  <actions>\n" +
		"    <action name=\"start\"     timeout=\"100\" />\n    <action name=\"stop\"      timeout=\"100\" />\n" +
		"    <action name=\"status\"    timeout=\"100\" />\n    <action name=\"monitor\"   timeout=\"100\" interval=\"60\"/>\n" +
		"    <action name=\"meta-data\" timeout=\"5\"   />\n  </actions>\n  <special tag=\"systemd\"/>\n</resource-agent>\n"
}
