// Package bmccmd is `pacesync bmc`: a simulated BMC in the foreground, for
// trying fence devices by hand. It is the command line of ipmi/bmctest and
// replaces ipmi_sim of OpenIPMI for that purpose.
package bmccmd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/ipmi/bmctest"
	"github.com/pacesync/pacesync/ipmi/wire"
)

// Run is the program.
func Run(e *applet.Env) int {
	f := flag.NewFlagSet("pacesync bmc", flag.ContinueOnError)
	f.SetOutput(e.Stderr)
	listen := f.String("listen", "127.0.0.1:623", "address and port (UDP)")
	user := f.String("user", "admin", "user name")
	password := f.String("password", "", "password (required)")
	off := f.Bool("off", false, "the machine starts without power")
	onCommand := f.String("on-command", "", "program that is run when the power goes on")
	offCommand := f.String("off-command", "", "program that is run when the power goes off")
	delay := f.Duration("delay", 0, "time from a command to its effect")
	f.Usage = func() {
		fmt.Fprintln(e.Stderr, "pacesync bmc -password WORD [options]: a simulated BMC, IPMI 1.5 and 2.0 (suites 3 and 17)")
		f.PrintDefaults()
	}
	if err := f.Parse(e.Args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 1
	}
	if *password == "" || f.NArg() > 0 {
		fmt.Fprintln(e.Stderr, "pacesync bmc: -password is required, arguments are not taken; see pacesync bmc -h")
		return 1
	}
	say := func(s string) { fmt.Fprintln(e.Stdout, time.Now().Format("15:04:05.000"), s) }
	m := &bmctest.Machine{OffDelay: *delay, OnDelay: *delay, OffTime: time.Second}
	if !*off {
		m.SetOn(true)
	}
	m.Changed = func(_ bool, c wire.Control) { hook(e, c, *onCommand, *offCommand) }
	b, err := bmctest.Listen(*listen, bmctest.Config{
		Users: []bmctest.Account{{Name: *user, Password: *password}}, Switch: m, Log: say,
	})
	if err != nil {
		fmt.Fprintf(e.Stderr, "pacesync bmc: %v\n", err)
		return 1
	}
	say(fmt.Sprintf("listening on %v", b.Addr()))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	b.Close()
	return 0
}

// hook runs the programs that belong to a control, before it is answered: what
// the BMC says has happened. Their failure is shown, not hidden in the answer.
func hook(e *applet.Env, c wire.Control, on, off string) {
	var run []string
	switch c {
	case wire.ControlOff, wire.ControlSoft:
		run = []string{off}
	case wire.ControlOn:
		run = []string{on}
	case wire.ControlCycle, wire.ControlReset:
		run = []string{off, on}
	}
	for _, program := range run {
		if program == "" {
			continue
		}
		cmd := exec.Command("/bin/sh", "-c", program)
		cmd.Stdout, cmd.Stderr = e.Stdout, e.Stderr
		if err := cmd.Run(); err != nil {
			fmt.Fprintf(e.Stderr, "pacesync bmc: %s: %v\n", program, err)
		}
	}
}
