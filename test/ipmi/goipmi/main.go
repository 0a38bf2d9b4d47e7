// Command goipmi is a BMC on the server of github.com/bougou/go-ipmi, a judge of
// our client that knows cipher suite 17: goipmi PORT USER PASSWORD, on 127.0.0.1;
// a second user oper, password operpw, has the level user.
//
// It is a module of its own, so that nothing of it can get into the daemons.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/bougou/go-ipmi/pkg/bmc"
	"github.com/bougou/go-ipmi/pkg/clock"
	"github.com/bougou/go-ipmi/pkg/hal/mock"
	"github.com/bougou/go-ipmi/pkg/server"
	"github.com/bougou/go-ipmi/pkg/transport/udp"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "goipmi:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: goipmi PORT USER PASSWORD")
	}
	ctx, machine := context.Background(), mock.New()
	if err := machine.Chassis().SetPower(ctx, true); err != nil {
		return err
	}
	b := bmc.New(bmc.DeviceInfo{DeviceID: 32, DeviceRevision: 1, FirmwareMajor: 1, IPMIVersion: 0x20}, [16]byte{'g', 'o'}, machine, bmc.WithClock(clock.Real))
	for id, user := range map[uint8]struct {
		name, password string
		level          bmc.PrivilegeLevel
	}{
		2: {args[1], args[2], bmc.PrivilegeLevelAdministrator},
		3: {"oper", "operpw", bmc.PrivilegeLevelUser},
	} {
		u, err := b.Users.Add(id, user.name)
		if err != nil {
			return err
		}
		u.SetPassword([]byte(user.password))
		u.Enabled = true
		u.ChannelAccess[1] = bmc.UserChannelAccess{MaxPrivilege: user.level, Enabled: true}
	}
	conn, err := udp.Listen("127.0.0.1:" + args[0])
	if err != nil {
		return err
	}
	return server.NewServer(b, conn).Serve(ctx)
}
