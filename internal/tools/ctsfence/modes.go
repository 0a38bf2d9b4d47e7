package ctsfence

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/fencing/client"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
)

func asRC(err error, rc *pcmk.RC) bool { return errors.As(err, rc) }

// hosts is a map of two targets.
const hosts = "false_1_node1=1,2 false_1_node2=3,4"

// sanity makes synchronous calls (sanity_tests).
func (t *tester) sanity() {
	ctx, c := context.Background(), t.c
	fence := func(target, action string, timeout time.Duration) pcmk.RC {
		return code(c.Fence(ctx, client.Fence{Target: target, Action: action, Timeout: timeout}))
	}
	execute := func(action, target string) pcmk.RC {
		return code(c.Execute(ctx, "test-id", action, target, time.Second))
	}
	const noDevice, noData = pcmk.RC(syscall.ENODEV), pcmk.RC(syscall.ENODATA)
	t.check("Register", failure(c.RegisterDevice(ctx, dummy("test-id", "pcmk_host_map", hosts, "mode", "pass", "mock_dynamic_hosts", "false_1_node1 false_1_node2"))), 1, pcmk.OK)
	t.check("list", execute("list", ""), 1, pcmk.OK)
	t.check("Monitor", execute("monitor", ""), 1, pcmk.OK)
	t.check("Status false_1_node2", execute("status", "false_1_node2"), 1, pcmk.OK)
	t.check("Status false_1_node1", execute("status", "false_1_node1"), 1, pcmk.OK)
	t.check("Fence unknown-host (expected failure)", fence("unknown-host", "off", time.Second), 0, noDevice)
	t.check("Fence false_1_node1", fence("false_1_node1", "off", time.Second), 1, pcmk.OK)
	t.check("Unfence false_1_node1", fence("false_1_node1", "on", time.Second), 1, noDevice)
	t.check("Attempt to register an invalid level index",
		failure(c.RegisterLevel(ctx, wire.Level{Kind: wire.ByName, Target: "node1", Index: 999})), 0, pcmk.RC(syscall.EINVAL))
	t.check("Remove test-id", failure(c.RemoveDevice(ctx, "test-id")), 1, pcmk.OK)

	t.check("Register device1", failure(c.RegisterDevice(ctx, dummy("test-id1", "pcmk_host_map", hosts, "mode", "fail"))), 1, pcmk.OK)
	t.check("Fence failure results off", fence("false_1_node2", "off", 3*time.Second), 1, noData)
	t.check("Fence failure results reboot", fence("false_1_node2", "reboot", 3*time.Second), 1, noData)
	t.check("Register device2", failure(c.RegisterDevice(ctx, dummy("test-id2", "pcmk_host_map", hosts, "mode", "pass"))), 1, pcmk.OK)
	t.check("Fence rollover results off", fence("false_1_node2", "off", 3*time.Second), 1, pcmk.OK)
	t.check("Fence rollover results on", fence("false_1_node2", "on", 3*time.Second), 1, noDevice)
	for _, id := range [...]string{"test-id1", "test-id2"} {
		t.check("Remove "+id, failure(c.RemoveDevice(ctx, id)), 1, pcmk.OK)
	}
}

// Times of the asynchronous calls.
const (
	normal = 2 * time.Second  // MAINLOOP_DEFAULT_TIMEOUT
	longer = 10 * time.Second // what a device may take beyond it
)

// async makes calls whose results come as events (mainloop_tests).
func (t *tester) async() {
	ctx, c := context.Background(), t.c
	for _, r := range [...]wire.Registration{
		dummy("false_1", "pcmk_host_map", "false_1_node1=1,2", "mode", "fail"),
		dummy("true_1", "pcmk_host_map", "true_1_node1=1,2", "mode", "pass"),
		dummy("false_custom_timeout", "pcmk_host_map", "custom_timeout_node1=1,2", "mode", "fail", "delay", "1000",
			"pcmk_off_timeout", fmt.Sprint(int((normal + longer).Seconds()))),
	} {
		if err := c.RegisterDevice(ctx, r); err != nil {
			t.fail("register "+r.ID, err)
			return
		}
	}
	fence := func(target string) (int, error) {
		return c.FenceAsync(client.Fence{Target: target, Action: "off", Timeout: normal})
	}
	t.await("monitor", func() (int, error) { return c.ExecuteAsync("false_1", "monitor", "", normal) }, func(r wire.Result) bool { return r.Exit == 0 })
	t.await("fence", func() (int, error) { return fence("true_1_node1") }, func(r wire.Result) bool { return r.Exit == 0 })
	t.await("fence without device", func() (int, error) { return fence("false_1_node2") },
		func(r wire.Result) bool { return r.Status == pcmk.ExecNoFenceDevice })
	begin := time.Now()
	t.await("fence with a time limit of its own", func() (int, error) { return fence("custom_timeout_node1") },
		func(r wire.Result) bool {
			return r.Status == pcmk.ExecTimeout && time.Since(begin) >= normal+longer-time.Second
		})
}

func (t *tester) fail(what string, why any) {
	t.failed = true
	fmt.Fprintf(t.out, "FAILURE - %s: %v\n", what, why)
}

// await makes a call and judges its result.
func (t *tester) await(what string, call func() (int, error), good func(wire.Result) bool) {
	if t.failed {
		return
	}
	id, err := call()
	if err != nil {
		t.fail(what, err)
		return
	}
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for {
		select {
		case <-patience.C:
			t.fail(what, "no answer")
			return
		case ev := <-t.events:
			switch ev := ev.(type) {
			case client.Lost:
				t.fail(what, ev.Err)
				return
			case client.TimeoutUpdate:
				patience.Reset(ev.Timeout + time.Minute)
			case client.Reply:
				if ev.Call != id {
					continue
				}
				if !good(ev.Result) {
					t.fail(what, fmt.Sprintf("%+v", ev.Result))
					return
				}
				fmt.Fprintf(t.out, "SUCCESS - %s\n", what)
				return
			}
		}
	}
}
