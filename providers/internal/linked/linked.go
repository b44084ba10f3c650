package linked

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
)

// Opener makes a backend, when a call first needs it; it is closed after its last one.
// An error is that call's; the next one tries again. ctx is the call's.
type Opener[B io.Closer] func(ctx context.Context) (B, error)

// Table is the backends of one provider. It is safe for concurrent use.
type Table[B io.Closer] struct {
	pkg   string
	parse func(provider.Settings) (Opener[B], error)

	mu       sync.Mutex
	own      *shared[B] // by the provider's own settings
	links    map[link]*shared[B]
	backends map[key]*shared[B]
	changed  chan struct{} // closed by the next Relink
	closed   bool
	closing  sync.WaitGroup // backends that are not needed any more
	errs     []error        // of closing them once all are closed
}

// link is what a call says of the link that it comes by.
type link struct{ source, name string }

// key is a digest of settings: secrets are not kept.
type key [sha256.Size]byte

// shared is the backend of all links with the same settings.
type shared[B io.Closer] struct {
	open Opener[B]
	err  error         // why there is none; nil: there is, or will be
	turn chan struct{} // holds a token while it is opened

	// Guarded by the table's mu.
	backend B    // once it is opened
	opened  bool // and not closed yet
	users   int  // calls that have it
	retired bool // no link needs it
}

// New makes the table of a provider without links. pkg is the contract's package, as
// it is called ("wrpc:keyvalue"). parse checks settings, whose names are in lower case,
// and returns what opens a backend by them; it does no I/O, and its errors are shown,
// so that they must have no value of a secret.
func New[B io.Closer](pkg string, parse func(provider.Settings) (Opener[B], error), own provider.Settings) (*Table[B], error) {
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
	if s.users > 0 || !s.opened {
		return
	}
	s.opened = false
	t.closing.Go(func() {
		err := s.backend.Close()
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.closed { // before, nobody needs what it was
			t.errs = append(t.errs, err)
		}
	})
}

var errClosed = fmt.Errorf("%w: the provider is stopping", lattice.ErrBusy)

// Use returns what carries out the call of ctx: by the link that it says, or by the
// provider's own settings if it says none, as calls of people do. Call done when the
// call has ended.
func (t *Table[B]) Use(ctx context.Context) (b B, done func(), err error) {
	s, err := t.find(ctx)
	if err != nil {
		return b, nil, err
	}
	done = sync.OnceFunc(func() { t.leave(s) })
	if b, err = t.opened(ctx, s); err != nil {
		done()
		return b, nil, err
	}
	return b, done, nil
}

// Call has fn make the call of ctx: see [Table.Use].
func Call[B io.Closer, T any](ctx context.Context, t *Table[B], fn func(B) (T, error)) (result T, err error) {
	b, done, err := t.Use(ctx)
	if err != nil {
		return result, err
	}
	defer done()
	return fn(b)
}

// Do is [Call] for calls without a result.
func Do[B io.Closer](ctx context.Context, t *Table[B], fn func(B) error) error {
	b, done, err := t.Use(ctx)
	if err != nil {
		return err
	}
	defer done()
	return fn(b)
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
func (t *Table[B]) opened(ctx context.Context, s *shared[B]) (b B, err error) {
	now := func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		return s.opened
	}
	if now() {
		return s.backend, nil // which stays while it is used
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return b, ctx.Err()
	}
	if now() {
		return s.backend, nil // by who was before us
	}
	if b, err = s.open(ctx); err != nil {
		return b, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.backend, s.opened = b, true
	return b, nil
}

// leave ends the use of a backend.
func (t *Table[B]) leave(s *shared[B]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.users--; s.retired {
		t.retire(s)
	}
}

// Close closes all backends, and returns when they are. A call that is left closes its
// own.
func (t *Table[B]) Close() error {
	t.mu.Lock()
	t.closed = true
	for _, s := range t.backends {
		t.retire(s)
	}
	t.mu.Unlock()
	t.closing.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(t.errs...)
}
