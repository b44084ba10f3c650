package linked

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
)

// Opener makes a backend, when a call first needs it. An error is that call's; the
// next one tries again. ctx is the call's.
type Opener[B any] func(ctx context.Context) (Backend[B], error)

// Backend is what carries out calls.
type Backend[B any] struct {
	Impl B
	// Close releases it, after its last call; nil: there is nothing to release.
	Close func() error
}

// Table is the backends of one provider. It is safe for concurrent use.
type Table[B any] struct {
	pkg   string
	parse func(provider.Settings) (Opener[B], error)

	mu       sync.Mutex
	own      *shared[B] // by the provider's own settings
	links    map[link]*shared[B]
	backends map[key]*shared[B]
	changed  chan struct{} // closed by the next Relink
	closed   bool
	closing  sync.WaitGroup // backends that are not needed any more
}

// link is what a call says of the link that it comes by.
type link struct{ source, name string }

// key is a digest of settings: secrets are not kept.
type key [sha256.Size]byte

// shared is the backend of all links with the same settings.
type shared[B any] struct {
	open Opener[B]
	err  error         // why there is none; nil: there is, or will be
	turn chan struct{} // holds a token while it is opened

	// Guarded by the table's mu.
	backend *Backend[B] // nil: not opened
	users   int         // calls that have it
	retired bool        // no link needs it
}

// New makes the table of a provider without links. pkg is the contract's package, as
// it is called ("wrpc:keyvalue"). parse checks settings, whose names are in lower case,
// and returns what opens a backend by them; it does no I/O, and its errors are shown,
// so that they must have no value of a secret.
func New[B any](pkg string, parse func(provider.Settings) (Opener[B], error), own provider.Settings) (*Table[B], error) {
	t := &Table[B]{pkg: pkg, parse: parse, changed: make(chan struct{})}
	t.Relink(own, nil)
	return t, t.own.err
}

// Relink has these be the provider's settings and all its links from now on; the
// result says, link by link, why it does not work. It does no I/O. What is under way
// ends on the backend on which it began.
func (t *Table[B]) Relink(own provider.Settings, links []provider.Link) []error {
	t.mu.Lock()
	defer t.mu.Unlock()
	errs := make([]error, len(links))
	if t.closed {
		return errs
	}
	before := t.backends
	t.backends, t.links = make(map[key]*shared[B], len(before)), make(map[link]*shared[B], len(links))
	t.own = t.sharedBy(own.Over(provider.Settings{}), before)
	for i, l := range links {
		if l.IsSource || !provider.Carries(l.Package(), t.pkg) {
			continue
		}
		s := &shared[B]{err: l.Err}
		if l.Err == nil {
			s = t.sharedBy(l.Over(own), before)
		}
		t.links[link{l.SourceID, l.Name}], errs[i] = s, s.err
	}
	for at, s := range before {
		if t.backends[at] != s {
			t.retire(s)
		}
	}
	close(t.changed)
	t.changed = make(chan struct{})
	return errs
}

// sharedBy returns the backend of settings, which may be one of those before.
func (t *Table[B]) sharedBy(settings provider.Settings, before map[key]*shared[B]) *shared[B] {
	at := digest(settings)
	s := t.backends[at]
	if s == nil {
		s = before[at]
	}
	if s == nil {
		s = &shared[B]{turn: make(chan struct{}, 1)}
		s.open, s.err = t.parse(settings)
	}
	t.backends[at] = s
	return s
}

// digest tells settings apart.
func digest(s provider.Settings) (d key) {
	h := sha256.New()
	add := func(kind byte, name string, value []byte) {
		text := binary.AppendUvarint([]byte{kind}, uint64(len(name)))
		text = binary.AppendUvarint(append(text, name...), uint64(len(value)))
		h.Write(text)
		h.Write(value)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Config)) {
		add('c', name, []byte(s.Config[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Secrets)) {
		add('s', name, s.Secrets[name].Bytes())
	}
	h.Sum(d[:0])
	return d
}

// retire has a backend be closed once no call has it; mu is held.
func (t *Table[B]) retire(s *shared[B]) {
	s.retired = true
	if s.users > 0 || s.backend == nil {
		return
	}
	end := s.backend.Close
	s.backend = nil
	if end != nil {
		t.closing.Go(func() { _ = end() }) // of what nobody needs
	}
}

var errClosed = fmt.Errorf("%w: the provider is stopping", lattice.ErrBusy)

// Use returns what carries out the call of ctx: by the link that it says, or by the
// provider's own settings if it says none, as calls of people do. Call done when the
// call has ended.
func (t *Table[B]) Use(ctx context.Context) (impl B, done func(), err error) {
	var none B
	s, err := t.find(ctx)
	if err != nil {
		return none, nil, err
	}
	done = sync.OnceFunc(func() { t.leave(s) })
	b, err := t.opened(ctx, s)
	if err != nil {
		done()
		return none, nil, err
	}
	return b.Impl, done, nil
}

// patience is how long a call waits for the link that it says it comes by: a host may
// hear of it a moment later than the caller's, and fetch its secrets for a moment.
const patience = 2 * time.Second

// find returns the backend of a call, with the call as its user.
func (t *Table[B]) find(ctx context.Context) (*shared[B], error) {
	m, _ := wrpc.MetaFromContext(ctx)
	var patient <-chan time.Time
	for {
		t.mu.Lock()
		s, changed := t.links[link{m.SourceID, cmp.Or(m.LinkName, lattice.DefaultLinkName)}], t.changed
		if s == nil && (m.SourceID == "" || m.LinkName == "") {
			s = t.own // it says no link
		}
		switch {
		case t.closed:
			t.mu.Unlock()
			return nil, errClosed
		case s != nil && s.err != nil && !errors.Is(s.err, lattice.ErrBusy):
			t.mu.Unlock()
			return nil, s.err
		case s != nil && s.err == nil:
			s.users++
			t.mu.Unlock()
			return s, nil
		}
		t.mu.Unlock()
		if patient == nil {
			timer := time.NewTimer(patience)
			defer timer.Stop()
			patient = timer.C
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patient:
			if s != nil {
				return nil, s.err
			}
			return nil, fmt.Errorf("no link %.100q from %.100q to this provider", m.LinkName, m.SourceID)
		}
	}
}

// opened returns the backend, which the caller uses, and opens it if need be.
func (t *Table[B]) opened(ctx context.Context, s *shared[B]) (*Backend[B], error) {
	now := func() *Backend[B] {
		t.mu.Lock()
		defer t.mu.Unlock()
		return s.backend
	}
	if b := now(); b != nil {
		return b, nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if b := now(); b != nil {
		return b, nil // by who was before us
	}
	b, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.backend = &b
	return &b, nil
}

// leave ends the use of a backend.
func (t *Table[B]) leave(s *shared[B]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.users--; s.retired {
		t.retire(s)
	}
}

// Close closes all backends, and returns when they are. No call is under way.
func (t *Table[B]) Close() error {
	t.mu.Lock()
	t.closed = true
	var errs []error
	for _, s := range t.backends {
		if s.backend != nil && s.backend.Close != nil && s.users == 0 {
			errs = append(errs, s.backend.Close())
			s.backend = nil
		}
		t.retire(s) // a call that is left closes it
	}
	t.mu.Unlock()
	t.closing.Wait()
	return errors.Join(errs...)
}
