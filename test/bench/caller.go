package main

import (
	"context"
	"encoding/binary"
	"fmt"

	typesbind "github.com/lathhost/lath/host/bind/example/types"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/wit/example/types/typestest"
)

// caller is an instance of caller.wasm, which makes the same call again and
// again: so one step is measured by itself, and not beside another one.
type caller struct {
	inst *component.Instance
	tmpl *component.Template
}

// caller32 makes a caller whose example:types/values the host implements, by
// generated bindings, and whose bench:guest/data is a callee that stays.
func (b *bed) caller32(ctx context.Context) (caller, error) {
	t, err := b.guest(ctx, "callee", component.LinkConfig{})
	if err != nil {
		return caller{}, err
	}
	i, err := b.take(ctx, t)
	if err != nil {
		return caller{}, err
	}
	return b.callerOf(ctx, component.LinkConfig{Host: []component.HostInterface{typesbind.Values(typestest.Echo{})}, Import: keptInstance{i, t}.callee})
}

func (b *bed) callerOf(ctx context.Context, cfg component.LinkConfig) (caller, error) {
	t, err := b.guest(ctx, "caller", cfg)
	if err != nil {
		return caller{}, err
	}
	i, err := b.take(ctx, t)
	return caller{i, t}, err
}

// callsAtOnce bounds the calls that the guest makes in one call of its own,
// which has a limit of CPU time.
const callsAtOnce = 1 << 20

// times has the guest make calls, whose answers add up to sum(how many).
func (c caller) times(fn string, sum func(n uint64) uint64, args ...uint64) func(context.Context, int) error {
	e := c.tmpl.Export("", fn)
	var params, out []byte
	return func(ctx context.Context, n int) (err error) {
		for n > 0 {
			now := min(n, callsAtOnce)
			n -= now
			params = binary.AppendUvarint(params[:0], uint64(now))
			for _, a := range args {
				params = binary.AppendUvarint(params, a)
			}
			if out, err = c.inst.Call(ctx, e, params, out[:0]); err != nil {
				return err
			}
			if got, _ := binary.Uvarint(out); got != sum(uint64(now))&0xffff_ffff {
				return fmt.Errorf("%w: %s added up to %d", errWrong, fn, got)
			}
		}
		return nil
	}
}

// echoSum is the sum of what was sent: the numbers from n to 1.
func echoSum(n uint64) uint64 { return n * (n + 1) / 2 }

// each is the sum of n equal answers.
func each(answer uint64) func(n uint64) uint64 {
	return func(n uint64) uint64 { return n * answer }
}
