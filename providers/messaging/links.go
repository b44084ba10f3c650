package messaging

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/lathhost/lath/lattice/provider"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// Link is one link to follow: it starts at the provider, and its target handles
// messages.
type Link struct {
	// Name and Target name the link.
	Name, Target string
	// Settings are the link's.
	provider.Settings
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
	// open follows a link; settings are its own joined with the provider's.
	open func(l Link, settings provider.Settings) (Following, error)

	turn    sync.Mutex // held while links change
	now     map[string]*followed
	closed  bool
	base    context.Context //nolint:containedctx // ended by Close
	stop    context.CancelFunc
	leaving sync.WaitGroup
}

type followed struct {
	settings provider.Settings
	Following
}

// leaveTime is how long messages of a link that was given up may still take.
const leaveTime = 30 * time.Second

// NewLinks follows nothing yet.
func NewLinks(open func(l Link, settings provider.Settings) (Following, error)) *Links {
	s := &Links{open: open, now: map[string]*followed{}}
	s.base, s.stop = context.WithCancel(context.Background())
	return s
}

var errClosed = errors.New("the provider is stopping")

// SetLinks follows these links and no others. Those that are as they were go on
// undisturbed. The result says of each why it is not followed; nil: it is.
func (s *Links) SetLinks(own provider.Settings, links []Link) []error {
	s.turn.Lock()
	defer s.turn.Unlock()
	errs := make([]error, len(links))
	settings := make(map[string]provider.Settings, len(links))
	for _, l := range links {
		settings[l.ID()] = l.Over(own)
	}
	for id, f := range s.now {
		if wanted, ok := settings[id]; !ok || !wanted.Equal(f.settings) {
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
			f, err := s.open(l, settings[id])
			if err != nil {
				errs[i] = err
				continue
			}
			s.now[id] = &followed{settings: settings[id], Following: f}
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
