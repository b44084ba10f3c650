package follow

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lathhost/lath/lattice/provider"
)

// Link is one link to follow: it starts at the provider, which calls its target.
type Link[H any] struct {
	// Name and Target name the link.
	Name, Target string
	// Settings are the link's.
	provider.Settings
	// Handler calls the target.
	Handler H
}

// ID names the link for queue groups and logs.
func (l Link[H]) ID() string { return l.Name + "." + l.Target }

// Following is a link that is followed.
type Following interface {
	// Stop takes in nothing more, from now on.
	Stop()
	// End returns when what was taken in has been dealt with; when ctx ends, what is
	// left is cut off. Stop was called before it.
	End(ctx context.Context) error
}

// Goer is a Following that wants to know that its link is gone, or has other settings:
// where a provider drains, the link is still there.
type Goer interface {
	// Gone comes before Stop, and must not wait.
	Gone()
}

// Config says how a provider follows links.
type Config[H any] struct {
	// Open follows a link; settings are its own joined with the provider's. It is
	// called for several links at a time.
	Open func(l Link[H], settings provider.Settings) (Following, error)
	// Overlap says that two who follow one link share what comes. One that has other
	// settings is followed anew then before it is given up, so that nothing is missed
	// meanwhile.
	Overlap bool
}

// Links keeps what is followed in step with the links that there are. It is safe
// for concurrent use.
type Links[H any] struct {
	cfg Config[H]

	turn    sync.Mutex // held while links change
	now     map[string]*followed
	closed  atomic.Bool     // set without a turn: what is being opened is the last
	base    context.Context //nolint:containedctx // ended by Close
	stop    context.CancelFunc
	leaving sync.WaitGroup
}

type followed struct {
	settings provider.Settings
	Following
}

// leaveTime is how long the work of a link that was given up may still take.
const leaveTime = 30 * time.Second

// maxOpening bounds how many links are opened at a time: each may wait for a server
// that is away.
const maxOpening = 16

// NewLinks follows nothing yet.
func NewLinks[H any](cfg Config[H]) *Links[H] {
	s := &Links[H]{cfg: cfg, now: map[string]*followed{}}
	s.base, s.stop = context.WithCancel(context.Background())
	return s
}

var errClosed = errors.New("the provider is stopping")

// SetLinks follows these links and no others. Those that are as they were go on
// undisturbed. The result says of each why it is not followed; nil: it is.
func (s *Links[H]) SetLinks(own provider.Settings, links []Link[H]) []error {
	s.turn.Lock()
	defer s.turn.Unlock()
	wanted := make(map[string]provider.Settings, len(links))
	for _, l := range links {
		wanted[l.ID()] = l.Over(own)
	}
	for id, f := range s.now {
		if settings, ok := wanted[id]; !ok || !settings.Equal(f.settings) && !s.cfg.Overlap {
			s.leave(id, f)
		}
	}
	errs := make([]error, len(links))
	opened := make([]Following, len(links))
	opening := make(map[string]int, len(links)) // who opens a link that is there twice
	var g errgroup.Group
	g.SetLimit(maxOpening)
	for i, l := range links {
		id := l.ID()
		settings := wanted[id]
		if f := s.now[id]; f != nil && settings.Equal(f.settings) {
			continue
		}
		if _, ok := opening[id]; ok {
			continue
		}
		opening[id] = i
		g.Go(func() error {
			if s.closed.Load() {
				errs[i] = errClosed
				return nil
			}
			opened[i], errs[i] = s.cfg.Open(l, settings)
			return nil
		})
	}
	_ = g.Wait() // each has an error of its own
	for id, i := range opening {
		if f := s.now[id]; f != nil && (opened[i] != nil || errs[i] != nil && !errors.Is(errs[i], errClosed)) {
			s.leave(id, f)
		}
		if opened[i] != nil {
			s.now[id] = &followed{settings: wanted[id], Following: opened[i]}
		}
	}
	for i, l := range links {
		if first, ok := opening[l.ID()]; ok {
			errs[i] = errs[first]
		}
	}
	return errs
}

// leave gives up a link; what it has taken in ends meanwhile.
func (s *Links[H]) leave(id string, f *followed) {
	delete(s.now, id)
	if g, ok := f.Following.(Goer); ok {
		g.Gone()
	}
	f.Stop()
	s.leaving.Go(func() {
		ctx, cancel := context.WithTimeout(s.base, leaveTime)
		defer cancel()
		_ = f.End(ctx) // what takes longer is cut off
	})
}

// Drain takes in nothing more, and waits until what was taken in is dealt with; when
// ctx ends, it is cut off. Later links are not followed.
func (s *Links[H]) Drain(ctx context.Context) error {
	s.closed.Store(true)
	s.turn.Lock()
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
func (s *Links[H]) Close() {
	s.stop()
	_ = s.Drain(s.base) // that it was cut short is no news
	s.leaving.Wait()
}
