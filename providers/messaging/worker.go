package messaging

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/lathhost/lath/lattice/wrpc"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// Worker hands messages to one handler: so many at a time, in order of subject if
// that is asked for. It has goroutines of its own; end it.
type Worker struct {
	cfg     Handling
	handler contract.Handler
	seed    maphash.Seed
	lanes   []chan job
	working sync.WaitGroup

	// base ends when what still runs is to be cut off.
	base context.Context //nolint:containedctx // ended by End
	cut  context.CancelFunc
}

// job is one message on its way.
type job struct {
	msg  contract.BrokerMessage
	done func(error)
}

// laneRoom is how many messages wait for a goroutine that works in order.
const laneRoom = 8

// NewWorker starts a worker.
func NewWorker(cfg Handling, handler contract.Handler) *Worker {
	w := &Worker{cfg: cfg, handler: handler, seed: maphash.MakeSeed()}
	w.base, w.cut = context.WithCancel(context.Background())
	n := int(cfg.MaxInFlight)
	w.lanes = []chan job{make(chan job)}
	if cfg.Ordered {
		w.lanes = make([]chan job, n)
		for i := range w.lanes {
			w.lanes[i] = make(chan job, laneRoom)
		}
	}
	for i := range n {
		w.working.Go(func() { w.work(w.lanes[i%len(w.lanes)]) })
	}
	return w
}

func (w *Worker) work(lane <-chan job) {
	for j := range lane {
		j.done(w.handle(j.msg))
	}
}

// ErrCutOff is why a message was not handled whose worker had to end.
var ErrCutOff = errors.New("the provider stopped before the message was dealt with")

// Put gives the worker a message, and waits until it has room. done is told, once,
// what became of it: nil, the handler's own error, or what kept it from being
// asked. It must not be called after End.
func (w *Worker) Put(msg contract.BrokerMessage, done func(error)) {
	lane := w.lanes[0]
	if len(w.lanes) > 1 {
		lane = w.lanes[maphash.String(w.seed, msg.Subject)%uint64(len(w.lanes))]
	}
	select {
	case lane <- job{msg, done}:
	case <-w.base.Done():
		done(ErrCutOff)
	}
}

// Pauses between two tries to reach a target.
const (
	firstPause = 20 * time.Millisecond
	maxPause   = time.Second
)

// handle asks the handler, and again while it was not reached, within the time that
// a message has.
func (w *Worker) handle(msg contract.BrokerMessage) error {
	if w.base.Err() != nil {
		return ErrCutOff
	}
	ctx, cancel := context.WithTimeout(w.base, w.cfg.Timeout)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := w.handler.HandleMessage(ctx, msg)
		switch {
		case err != nil && w.base.Err() != nil:
			return fmt.Errorf("%w: %w", ErrCutOff, err)
		case !Untouched(err):
			return err
		}
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return err
		case <-wait.C:
		}
	}
}

// Untouched says whether a message was not handled because its target was not
// reached, or had no room: it did not run, and may later.
func Untouched(err error) bool {
	call, ok := errors.AsType[*wrpc.Error](err)
	if !ok || call.MayHaveRun {
		return false
	}
	return call.Code == wrpc.Busy || call.Code == wrpc.NotConnected || call.Code == wrpc.Disconnected
}

// End waits until all messages are handled, or ctx ends: then they are cut off.
func (w *Worker) End(ctx context.Context) error {
	for _, lane := range w.lanes {
		close(lane)
	}
	ended := make(chan struct{})
	go func() { // ends with the work, which End waits for
		w.working.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		w.cut()
		return nil
	case <-ctx.Done():
	}
	w.cut()
	<-ended
	return fmt.Errorf("messages were cut off: %w", ctx.Err())
}

// Cut ends what runs, and what waits in Put.
func (w *Worker) Cut() { w.cut() }
