package serve

import (
	"context"
	"errors"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi"
)

// Runner lets the calls of a [Handler] in, and gives each an instance. Its
// methods are called by many goroutines at a time.
type Runner interface {
	// Admit takes a place for a call, and may wait for it. Its error says why
	// there is none: the request is answered with 503, and nothing was done.
	Admit(ctx context.Context) (leave func(), err error)
	// Run makes a call of e on an instance that nobody else uses, within most.
	// It tells done how the call ended, also where there was no instance, and
	// gives the instance up when done has returned, by which a response may be on its
	// way: what else there is to do can wait until then. An error of giving it up is
	// returned.
	Run(ctx context.Context, most time.Duration, e *component.Export, call Call, done func(error)) error
}

// Call is one call of an instance.
type Call func(ctx context.Context, i *component.Instance) error

// ErrFull means that a handler answers as many requests as it may, or none any
// more.
var ErrFull = errors.New("no place for another request")

// slots is the runner of a handler that has a template to itself.
type slots struct {
	tmpl  *component.Template
	taken chan struct{}
}

// Admit implements Runner.
func (s *slots) Admit(context.Context) (leave func(), err error) {
	select {
	case s.taken <- struct{}{}:
		return func() { <-s.taken }, nil
	default:
		return nil, ErrFull
	}
}

// Run implements Runner.
func (s *slots) Run(ctx context.Context, most time.Duration, _ *component.Export, call Call, done func(error)) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	ctx, end := wasi.WithRun(ctx)
	defer end()
	i, err := s.tmpl.Take(ctx)
	if err != nil {
		done(err)
		return nil
	}
	done(call(ctx, i))
	defer s.tmpl.Clean()
	return i.ReleaseLate()
}
