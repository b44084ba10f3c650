package capability

import (
	"context"
	"errors"
	"time"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/bind"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

// Component is a component of this host that providers may call.
type Component interface {
	// Invoke calls an exported function with encoded parameters, within most, and
	// returns its encoded results.
	Invoke(ctx context.Context, iface, fn string, params []byte, most time.Duration) ([]byte, error)
	// Crowded reports whether a call would have to wait here while another host has
	// room.
	Crowded() bool
}

// Target calls what one link of a provider of this host leads to: directly, where
// that runs on this host, and by wRPC elsewhere. All fields are required.
type Target struct {
	// Source, Name and Target are those of the link.
	Source, Name, Target string
	// Imports are the contracts that the source calls.
	Imports []*wit.Interface
	// Local finds a component of this host, or nil.
	Local func(id string) Component
	// Caller carries calls to other hosts.
	Caller *wrpc.Caller
	// MaxTime bounds a call whose context gives it more.
	MaxTime time.Duration
}

var _ bind.Invoker = (*Target)(nil)

// Invoke implements bind.Invoker. A failure is a [*wrpc.Error], or a trap of the
// component's.
func (t *Target) Invoke(ctx context.Context, instance, function string, params []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, t.MaxTime)
	defer cancel()
	meta := wrpc.Meta{SourceID: t.Source, LinkName: t.Name, TargetID: t.Target, Path: []string{t.Source}, TraceParent: wrpc.NewTraceParent()}
	if in, ok := wrpc.MetaFromContext(ctx); ok && wrpc.TraceID(in.TraceParent) != "" {
		meta.TraceParent, meta.TraceState = in.TraceParent, in.TraceState
	}
	ctx = wrpc.ContextWithMeta(ctx, meta)
	there := wrpc.Target{Instance: instance, Func: lattice.FunctionName(function), Results: t.results(instance, function)}
	for local := t.Local(t.Target); local != nil; {
		if local.Crowded() {
			if results, ran, err := t.Caller.Elsewhere(ctx, t.Target, there, meta, params); ran {
				return results, err
			}
		}
		results, err := local.Invoke(ctx, instance, function, params, t.MaxTime)
		if !errors.Is(err, wrpc.ErrBusy) {
			return results, err
		}
		// One that was stopping did nothing: what has taken its place answers. For one
		// that has no room, another host may.
		next := t.Local(t.Target)
		if next == local {
			if results, ran, err := t.Caller.Elsewhere(ctx, t.Target, there, meta, params); ran {
				return results, err
			}
			return nil, err
		}
		local = next
	}
	results, _, err := t.Caller.Call(ctx, t.Target, there, meta, params)
	return results, err
}

// results are the types of a function's results, which tell a whole answer from
// one that a v1 callee broke off.
func (t *Target) results(instance, function string) []*wit.Type {
	for _, i := range t.Imports {
		if i.Name != instance {
			continue
		}
		if f := i.Func(function); f != nil {
			return f.ResultTypes()
		}
	}
	return nil
}
