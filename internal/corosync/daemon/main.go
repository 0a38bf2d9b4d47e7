package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/config/osenv"
	"github.com/pacesync/pacesync/internal/corosync/logsys"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/detach"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/libc"
)

// options is the command line.
type options struct {
	file       string
	foreground bool
	testOnly   bool
}

// exitError ends the daemon with a status; err is what the operator is told.
// A nil err means that it has been told. keys are those of the configuration that
// it is about.
type exitError struct {
	status int
	err    error
	keys   []string
}

func (e *exitError) Error() string { return fmt.Sprintf("exit status %d: %v", e.status, e.err) }

// Run is the program corosync (corosync(8)).
func Run(e *applet.Env) int {
	opts := options{file: config.DefaultFile}
	p := getopt.New(e.Argv0, e.Args, "c:ftv", nil, e.Stderr)
	for {
		switch p.Next() {
		case 'c':
			if opts.file = p.Arg; len(opts.file) > unix.PathMax {
				fmt.Fprintln(e.Stderr, "Config file path too long.")
				return exitUsage
			}
		case 'f':
			opts.foreground = true
		case 't':
			opts.testOnly = true
		case 'v':
			printVersion(e.Stdout)
			return exitOK
		case getopt.End:
			return run(e, opts)
		default:
			printUsage(e.Stderr)
			return exitUsage
		}
	}
}

// run reads the configuration and goes as far as opts say.
func run(e *applet.Env, opts options) int {
	d := &Daemon{opts: opts, detached: detach.Detached(e.Name), logs: logsys.New(logsys.Options{Stderr: e.Stderr, Flight: flightMemory()})}
	d.log = newLoggers(d.logs)
	defer d.logs.Close()
	err := d.configure()
	if err == nil && !opts.testOnly {
		_, err = niceValue(d.cfg.System.Priority)
		if err != nil {
			err = &exitError{exitMainConfig, err, []string{"system.priority"}}
		}
	}
	if err == nil && !opts.testOnly {
		if !opts.foreground && !d.detached {
			err = d.detach(e)
			if err == nil {
				return exitOK
			}
		} else {
			err = d.serve()
		}
	}
	return d.farewell(e.Stderr, err)
}

// farewell tells the last line and returns the exit status.
func (d *Daemon) farewell(stderr io.Writer, err error) int {
	var refused *config.Error
	var ended *exitError
	switch {
	case err == nil:
		d.log.main.Notice("Corosync Cluster Engine exiting normally")
		return exitOK
	case errors.As(err, &refused) && refused.Where == "":
		for _, line := range append([]string{refused.Text}, config.Remarks(osenv.Env{}, d.opts.file, refused)...) {
			fmt.Fprintln(stderr, line) // no log target is known yet
		}
		return refused.Status
	case errors.As(err, &refused):
		lines := append([]string{refused.Text}, config.Remarks(osenv.Env{}, d.opts.file, refused)...)
		d.tell(refused.Notes, refused.Warnings)
		for _, line := range lines {
			if refused.Status == exitLogConfig {
				fmt.Fprintln(stderr, line)
			}
			d.log.main.Error("%s", line)
		}
		d.log.main.Error("Corosync Cluster Engine exiting with status %d at %s.", refused.Status, refused.Where)
		return refused.Status
	case errors.As(err, &ended):
		if ended.err != nil {
			d.log.main.Error("%v", ended.err)
		}
		if ended.keys != nil {
			for _, line := range config.Remarks(osenv.Env{}, d.opts.file, &config.Error{Keys: ended.keys}) {
				d.log.main.Error("%s", line)
			}
		}
		d.log.main.Error("Corosync Cluster Engine exiting with status %d at main.go.", ended.status)
		return ended.status & 0xff
	default:
		d.log.main.Error("%v", err)
		return exitFatal
	}
}

// configure reads and checks corosync.conf and sets up logging.
func (d *Daemon) configure() error {
	env := osenv.Env{}
	m, err := config.Parse(env, d.opts.file)
	if err != nil {
		return err
	}
	config.Protect(m)
	d.cmap = m
	logging, err := config.ReadLogging(m)
	if err != nil {
		return err
	}
	if err := d.logs.Apply(logging); err != nil {
		var refused *config.Error
		if errors.As(err, &refused) {
			refused.Keys = config.LogFileKeys(m)
		}
		return err
	}
	if !d.opts.testOnly {
		d.announce(service.LevelNotice, fmt.Sprintf("Corosync Cluster Engine %s starting up", baseline))
		d.announce(service.LevelInfo, fmt.Sprintf("Corosync built-in features: %s", features))
	}
	dir, ok := m.Str("system.state_dir")
	if !ok {
		dir = config.DefaultStateDir
	}
	if abs, err := filepath.Abs(d.opts.file); err == nil {
		d.opts.file = abs // it is read again: for where a mistake is, and at reloads
	}
	if err := os.Chdir(dir); err != nil {
		text := fmt.Sprintf("Cannot chdir to state directory %s. %s", dir, libc.Strerror(err))
		return &config.Error{Text: text, Status: exitNoStateDir, Where: "main.c:1411", Keys: []string{"system.state_dir"}}
	}
	d.cfg, err = config.Derive(m, env)
	if err != nil {
		return err
	}
	d.tell(d.cfg.Notes, append(d.cfg.Warnings, config.Meaningless(env, d.opts.file)...))
	d.self = d.cfg.NodeID
	return nil
}

// tell logs what reading the configuration brought up.
func (d *Daemon) tell(notes, warnings []string) {
	for _, s := range notes {
		d.log.totem.Debug("%s", s)
	}
	for _, s := range warnings {
		d.announce(service.LevelWarning, s)
	}
}

// announce tells what comes of reading the configuration: once, although the
// process in the background reads it again. Its flight recorder has it all the same.
func (d *Daemon) announce(level service.Level, text string) {
	if d.detached {
		d.log.main.Record(level, text)
		return
	}
	d.log.main.Log(level, text)
}

// detach leaves the daemon in the background.
func (d *Daemon) detach(e *applet.Env) error {
	file, err := filepath.Abs(d.opts.file)
	if err == nil {
		err = detach.Start(e, []string{"-c", file})
	}
	var at *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &at) && at.Path == os.DevNull:
		return &exitError{status: exitDevNull, err: err}
	}
	return &exitError{status: exitFork, err: err}
}
