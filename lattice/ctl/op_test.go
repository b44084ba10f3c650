package ctl_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/state"
)

// opHosts serves fake hosts that keep commands in one lattice, and the question
// about these.
func opHosts(t *testing.T, url string, n int) []*fakeHost {
	t.Helper()
	var hosts []*fakeHost
	for range n {
		nc := connect(t, url)
		store, err := state.Open(t.Context(), nc, testLattice, state.Options{})
		require.NoError(t, err)
		t.Cleanup(store.Close)
		h, _ := newHost(t, nc, func(cfg *ctl.ServerConfig) { cfg.Ops = store })
		lists, err := ctl.ServeLists(nc, testLattice, h.id, ctl.Lists{Ops: store})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, lists.Close()) })
		hosts = append(hosts, h)
	}
	return hosts
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// A repeat gets the first one's answer, and the work is done once: while it goes
// on, and after it has failed.
func TestRepeatedCommand(t *testing.T) {
	t.Parallel()
	url := startNATS(t, 0)
	h, ctx := opHosts(t, url, 1)[0], bounded(t)
	h.scale = func(context.Context, *ctl.ScaleComponent) (string, error) { return "mind the gap", nil }
	id := ctl.NewCommandID()
	client := newClient(t, connect(t, url)).WithCommandID(id)
	scale := func(component string) (string, error) {
		return client.ScaleComponent(ctx, h.id, ctl.ScaleComponent{ComponentRef: "r", ComponentID: component, MaxInstances: 1})
	}
	repeat := func() {
		t.Helper()
		message, err := scale("c")
		require.NoError(t, err)
		require.Equal(t, "mind the gap", message)
		require.Len(t, h.recorded(), 1)
	}
	repeat()
	repeat()
	op, err := client.Op(ctx, id)
	require.NoError(t, err)
	require.Equal(t, lattice.OpAccepted, op.State)
	require.Equal(t, "component.scale c "+h.id+" mind the gap", strings.Join([]string{op.Verb, op.Thing, op.HostID, op.Message}, " "))
	require.Zero(t, op.Ended)

	h.finish(errors.New("no such image"))
	op, err = client.WaitOp(ctx, id)
	require.NoError(t, err)
	require.Equal(t, lattice.OpFailed, op.State)
	require.Equal(t, "no such image", op.Cause)
	require.False(t, op.Ended.Before(op.Accepted))
	repeat()

	_, err = scale("another")
	require.ErrorContains(t, err, "it is that of another request (component.scale c on host "+h.id+")")
	require.Len(t, h.recorded(), 1)
}

// What a host refuses at once is remembered as such.
func TestRefusedCommand(t *testing.T) {
	t.Parallel()
	url := startNATS(t, 0)
	h, ctx := opHosts(t, url, 1)[0], bounded(t)
	id := ctl.NewCommandID()
	client := newClient(t, connect(t, url)).WithCommandID(id)
	for range 2 {
		err := client.StopProvider(ctx, h.id, "absent")
		var refused *ctl.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "provider with that ID is not running", refused.Message)
		require.Equal(t, id, refused.CommandID)
	}
	require.Len(t, h.recorded(), 1)
	op, err := client.Op(ctx, id)
	require.NoError(t, err)
	require.Equal(t, lattice.OpFailed, op.State)
	require.True(t, op.Refused)

	// One that makes no sense is answered, and runs as little the second time.
	h.scale = func(context.Context, *ctl.ScaleComponent) (string, error) { panic("boom") }
	id = ctl.NewCommandID()
	for range 2 {
		_, err = client.WithCommandID(id).ScaleComponent(ctx, h.id, ctl.ScaleComponent{ComponentRef: "r", ComponentID: "c"})
		require.ErrorContains(t, err, "internal error of host")
	}
	require.Len(t, h.recorded(), 2)
}

// Of the same command through several hosts, at once, one does it, and all callers
// get its answer.
func TestCommandThroughManyHosts(t *testing.T) {
	t.Parallel()
	url := startNATS(t, 0)
	hosts, ctx := opHosts(t, url, 3), bounded(t)
	client := newClient(t, connect(t, url))
	for range 5 {
		named := client.WithCommandID(ctl.NewCommandID())
		var done sync.WaitGroup
		var failed atomic.Int32
		for range 8 {
			done.Go(func() {
				if named.PutLink(ctx, storeLink("a", "kv")) != nil {
					failed.Add(1)
				}
			})
		}
		done.Wait()
		require.Zero(t, failed.Load())
	}
	puts := 0
	for _, h := range hosts {
		puts += len(h.recorded())
	}
	require.Equal(t, 5, puts)
}

// Await returns when the work has ended, and no sooner.
func TestAwait(t *testing.T) {
	t.Parallel()
	url := startNATS(t, 0)
	h, ctx := opHosts(t, url, 1)[0], bounded(t)
	client := newClient(t, connect(t, url))
	scale := func(c *ctl.Client) error {
		_, err := c.ScaleComponent(ctx, h.id, ctl.ScaleComponent{ComponentRef: "r", ComponentID: "c", MaxInstances: 1})
		return err
	}
	watch, err := client.WatchOps(ctx, "")
	require.NoError(t, err)
	defer watch.Close()
	ended := make(chan *lattice.Op)
	go func() {
		op, err := client.Await(ctx, scale)
		if err != nil {
			op = &lattice.Op{Cause: err.Error()}
		}
		ended <- op
	}()
	told, err := watch.Next(ctx)
	require.NoError(t, err)
	require.Equal(t, lattice.OpAccepted, told.State)
	for !told.Answered {
		told, err = watch.Next(ctx)
		require.NoError(t, err)
	}
	select {
	case op := <-ended:
		t.Fatalf("it has not ended: %+v", op)
	default:
	}
	h.finish(nil)
	op := <-ended
	require.Equal(t, lattice.OpDone, op.State)
	require.Equal(t, told.ID, op.ID)
	told, err = watch.Next(ctx)
	require.NoError(t, err)
	require.Equal(t, *op, *told)

	// A wait that is cut short says how far it was, if there was time to ask.
	id := ctl.NewCommandID()
	require.NoError(t, scale(client.WithCommandID(id)))
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	op, err = client.WaitOp(short, id)
	require.ErrorIs(t, err, lattice.ErrTimeout)
	now, cancel := context.WithTimeout(ctx, 0)
	defer cancel()
	_, err = client.WaitOp(now, id)
	require.ErrorIs(t, err, lattice.ErrTimeout)
	if op != nil {
		require.Equal(t, lattice.OpAccepted, op.State)
	}

	// Without an error, the newest comes first.
	all, err := client.Ops(ctx, 10)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, id, all[0].ID)
	all, err = client.Ops(ctx, 1)
	require.NoError(t, err)
	require.Len(t, all, 1)
}

// What no message carries comes in several.
func TestOpsInPages(t *testing.T) {
	t.Parallel()
	url := startNATS(t, 4<<10)
	h, ctx := opHosts(t, url, 1)[0], bounded(t)
	client := newClient(t, connect(t, url))
	for range 30 {
		require.NoError(t, client.PutLabel(ctx, h.id, strings.Repeat("k", 300), "v"))
	}
	all, err := client.Ops(ctx, 1000)
	require.NoError(t, err)
	require.Len(t, all, 30)
	for i := range all[1:] {
		require.Greater(t, all[i].ID, all[i+1].ID)
	}
}

// A header that is no id is none, and a host that keeps nothing does as v1's.
func TestMalformedCommandID(t *testing.T) {
	t.Parallel()
	url := startNATS(t, 0)
	h, ctx := opHosts(t, url, 1)[0], bounded(t)
	nc := connect(t, url)
	send := func(ids ...string) {
		t.Helper()
		msg := &nats.Msg{Subject: "wasmbus.ctl.v1.default.component.scale." + h.id, Data: []byte(scaleBody),
			Header: nats.Header{lattice.HeaderCommandID: ids}}
		answer, err := nc.RequestMsgWithContext(ctx, msg)
		require.NoError(t, err)
		require.Equal(t, `{"success":true,"message":""}`, string(answer.Data))
		require.Empty(t, answer.Header)
	}
	id := ctl.NewCommandID()
	bad := [][]string{{""}, {"x"}, {id + "0"}, {"op.>"}, {strings.Repeat("A", 9000)}, {id, id}, {"8" + id[1:]}}
	for _, ids := range bad {
		send(ids...)
	}
	require.Len(t, h.recorded(), len(bad))
	client := newClient(t, nc)
	all, err := client.Ops(ctx, 10)
	require.NoError(t, err)
	require.Empty(t, all)
	_, err = client.Op(ctx, id)
	require.ErrorIs(t, err, lattice.ErrNotFound)
	_, err = client.WaitOp(ctx, "x")
	require.ErrorIs(t, err, lattice.ErrInvalid)

	// Lower case is the same id.
	send(strings.ToLower(id))
	send(id)
	require.Len(t, h.recorded(), len(bad)+1)
}

// Where no host keeps commands, a command is carried out all the same, and
// nobody waits for what never comes.
func TestCommandToHostOfV1(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	h, _ := newHost(t, nc, nil)
	_, err := newClient(t, nc).Await(bounded(t), func(c *ctl.Client) error { return c.PutLabel(t.Context(), h.id, "k", "v") })
	require.ErrorIs(t, err, lattice.ErrNotFound)
	require.Len(t, h.recorded(), 1)
}
