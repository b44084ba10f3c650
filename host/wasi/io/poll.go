package io

import (
	"context"
	"errors"
	"fmt"

	contract "github.com/lathhost/lath/wit/wasi/io"
)

// Pollable is the resource of that name, on a [Condition].
type Pollable struct{ cond Condition }

var _ contract.Pollable = (*Pollable)(nil)

// NewPollable makes a pollable that is ready while c holds. It owns nothing:
// it may be dropped before or after what c stands for.
func NewPollable(c Condition) *Pollable { return &Pollable{c} }

// Ready implements the contract.
func (p *Pollable) Ready(context.Context) (bool, error) { return p.cond.Ready(), nil }

// Block implements the contract. The end of ctx is a trap.
func (p *Pollable) Block(ctx context.Context) error { return waitFor(ctx, p.cond) }

// Drop implements the contract.
func (p *Pollable) Drop() {}

// Poll carries out the interface wasi:io/poll.
type Poll struct{}

var _ contract.Poll = Poll{}

// Poll implements the contract: one waiter, registered with every pollable,
// one sleep.
func (Poll) Poll(ctx context.Context, in []contract.Pollable) ([]uint32, error) {
	conds, err := conditions(in)
	if err != nil {
		return nil, err
	}
	if ready := whichReady(ctx, conds); ready != nil {
		return ready, nil
	}
	w := NewWaiter()
	for i, c := range conds {
		if i%stride == 0 && ctx.Err() != nil {
			break // Wait says so
		}
		defer c.Subscribe(w)()
	}
	for {
		if ready := whichReady(ctx, conds); ready != nil {
			return ready, nil
		}
		if err := w.Wait(ctx); err != nil {
			return nil, err
		}
	}
}

// maxPoll bounds the pollables of one poll, each of which costs a subscription.
const maxPoll = 1 << 16

func conditions(in []contract.Pollable) ([]Condition, error) {
	switch {
	case len(in) == 0:
		return nil, errors.New("poll of an empty list would never end")
	case len(in) > maxPoll:
		return nil, fmt.Errorf("poll of %d pollables, more than %d", len(in), maxPoll)
	}
	conds := make([]Condition, len(in))
	for i, p := range in {
		own, ok := p.(*Pollable)
		if !ok {
			return nil, fmt.Errorf("pollable %d is a %T, which this host did not make", i, p)
		}
		conds[i] = own.cond
	}
	return conds, nil
}

// stride is after how many conditions, each of which may ask the system, the
// end of the call is looked at.
const stride = 1024

// whichReady returns the indexes of the conditions that hold, or nil; of those
// that it looked at before the end of ctx.
func whichReady(ctx context.Context, conds []Condition) (ready []uint32) {
	for i, c := range conds {
		if i%stride == 0 && ctx.Err() != nil {
			break
		}
		if c.Ready() {
			ready = append(ready, uint32(i))
		}
	}
	return ready
}
