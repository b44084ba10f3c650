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
	lanes   []chan Delivery
	working sync.WaitGroup
	ending  chan struct{} // closed when the worker is to end

	// base ends when what still runs is to be cut off.
	base context.Context //nolint:containedctx // ended by End
	cut  context.CancelFunc
}

// Delivery is one message on its way to a handler.
type Delivery struct {
	Message contract.BrokerMessage
	// TraceParent is the trace that the message is of; empty: one of its own.
	TraceParent string
	// Done is told, once, what became of the message: nil, the handler's own error,
	// or what kept it from being asked.
	Done func(error)
	// Waiting, if set, has the message wait for a target that is not reached for as
	// long as it takes; it is called now and then meanwhile.
	Waiting func()
}

// laneRoom is how many messages wait for a goroutine that works in order.
const laneRoom = 8

// NewWorker starts a worker.
func NewWorker(cfg Handling, handler contract.Handler) *Worker {
	w := &Worker{cfg: cfg, handler: handler, seed: maphash.MakeSeed(), ending: make(chan struct{})}
	w.base, w.cut = context.WithCancel(context.Background())
	n := int(cfg.MaxInFlight)
	w.lanes = []chan Delivery{make(chan Delivery)}
	if cfg.Ordered {
		w.lanes = make([]chan Delivery, n)
		for i := range w.lanes {
			w.lanes[i] = make(chan Delivery, laneRoom)
		}
	}
	for i := range n {
		w.working.Go(func() { w.work(w.lanes[i%len(w.lanes)]) })
	}
	return w
}

func (w *Worker) work(lane <-chan Delivery) {
	for d := range lane {
		d.Done(w.handle(d))
	}
}

// ErrCutOff is why a message was not handled whose worker had to end.
var ErrCutOff = errors.New("the provider stopped before the message was dealt with")

// Put gives the worker a message, and waits until it has room. It must not be
// called after End.
func (w *Worker) Put(d Delivery) {
	lane := w.lanes[0]
	if len(w.lanes) > 1 {
		lane = w.lanes[maphash.String(w.seed, d.Message.Subject)%uint64(len(w.lanes))]
	}
	select {
	case lane <- d:
	case <-w.base.Done():
		d.Done(ErrCutOff)
	}
}

// Pauses between two tries to reach a target.
const (
	firstPause = 20 * time.Millisecond
	maxPause   = time.Second
)

// handle asks the handler, and again while it was not reached, within the time that
// a message has, or for as long as it waits.
func (w *Worker) handle(d Delivery) error {
	var late <-chan time.Time
	var ending <-chan struct{} // a durable message is another one's concern then
	if d.Waiting == nil {
		over := time.NewTimer(w.cfg.Timeout)
		defer over.Stop()
		late = over.C
	} else {
		ending = w.ending
	}
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := w.ask(d)
		switch {
		case w.base.Err() != nil && err != nil:
			return fmt.Errorf("%w: %w", ErrCutOff, err)
		case !Untouched(err):
			return err
		}
		if d.Waiting != nil {
			d.Waiting()
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
			continue
		case <-late:
		case <-ending:
			err = fmt.Errorf("%w: %w", ErrCutOff, err)
		case <-w.base.Done():
			err = fmt.Errorf("%w: %w", ErrCutOff, err)
		}
		again.Stop()
		return err
	}
}

// ask calls the handler once.
func (w *Worker) ask(d Delivery) error {
	ctx, cancel := context.WithTimeout(w.base, w.cfg.Timeout)
	defer cancel()
	if d.TraceParent != "" {
		ctx = wrpc.ContextWithMeta(ctx, wrpc.Meta{TraceParent: d.TraceParent})
	}
	return w.handler.HandleMessage(ctx, d.Message)
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
	close(w.ending)
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
