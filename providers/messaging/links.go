package messaging

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// Link is one link to follow: it starts at the provider, and its target handles
// messages.
type Link struct {
	// Name and Target name the link.
	Name, Target string
	// Values are the link's settings.
	Values map[string]string
	// Handler calls the target.
	Handler contract.Handler
}

// ID names the link for queue groups and logs.
func (l Link) ID() string { return l.Name + "." + l.Target }

// Following is a link that is followed.
type Following interface {
	// Stop takes in no more messages, from now on.
	Stop()
	// End returns when the messages that were taken in have been handled; when ctx
	// ends, what is left is cut off. Stop was called before it.
	End(ctx context.Context) error
}

// Links keeps what is followed in step with the links that there are. It is safe
// for concurrent use.
type Links struct {
	// open follows a link; values are its settings joined with the provider's.
	open func(l Link, values map[string]string) (Following, error)

	turn    sync.Mutex // held while links change
	now     map[string]*followed
	closed  bool
	base    context.Context //nolint:containedctx // ended by Close
	stop    context.CancelFunc
	leaving sync.WaitGroup
}

type followed struct {
	values map[string]string
	Following
}

// leaveTime is how long messages of a link that was given up may still take.
const leaveTime = 30 * time.Second

// NewLinks follows nothing yet.
func NewLinks(open func(l Link, values map[string]string) (Following, error)) *Links {
	s := &Links{open: open, now: map[string]*followed{}}
	s.base, s.stop = context.WithCancel(context.Background())
	return s
}

var errClosed = errors.New("the provider is stopping")

// SetLinks follows these links and no others. Those that are as they were go on
// undisturbed. The result says of each why it is not followed; nil: it is.
func (s *Links) SetLinks(provider map[string]string, links []Link) []error {
	s.turn.Lock()
	defer s.turn.Unlock()
	errs := make([]error, len(links))
	values := make(map[string]map[string]string, len(links))
	for _, l := range links {
		values[l.ID()] = Join(provider, l.Values)
	}
	for id, f := range s.now {
		if wanted, ok := values[id]; !ok || !maps.Equal(wanted, f.values) {
			s.leave(id, f)
		}
	}
	for i, l := range links {
		id := l.ID()
		switch {
		case s.closed:
			errs[i] = errClosed
		case s.now[id] != nil:
		default:
			f, err := s.open(l, values[id])
			if err != nil {
				errs[i] = err
				continue
			}
			s.now[id] = &followed{values: values[id], Following: f}
		}
	}
	return errs
}

// leave gives up a link; what it has taken in ends meanwhile.
func (s *Links) leave(id string, f *followed) {
	delete(s.now, id)
	f.Stop()
	s.leaving.Go(func() {
		ctx, cancel := context.WithTimeout(s.base, leaveTime)
		defer cancel()
		_ = f.End(ctx) // what takes longer is cut off
	})
}

// Drain takes in no more messages, and waits until those that were taken in are
// handled; when ctx ends, they are cut off. Later links are not followed.
func (s *Links) Drain(ctx context.Context) error {
	s.turn.Lock()
	s.closed = true
	list := s.now
	s.now = map[string]*followed{}
	s.turn.Unlock()
	var mu sync.Mutex
	var errs []error
	var ending sync.WaitGroup
	for _, f := range list {
		f.Stop()
		ending.Go(func() {
			err := f.End(ctx)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	ending.Wait()
	return errors.Join(errs...)
}

// Close cuts off all that is left.
func (s *Links) Close() {
	s.stop()
	_ = s.Drain(s.base) // that it was cut short is no news
	s.leaving.Wait()
}
