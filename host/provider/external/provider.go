package external

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/process"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/event"
	wire "github.com/lathhost/lath/lattice/provider"
)

// Times are those of a provider; zero fields mean the defaults. What v1 has fixed
// is v1's.
type Times struct {
	// Start is how long a start waits for the provider's first answers before it
	// goes on without. Default [DefaultStart].
	Start time.Duration
	// HealthFirst and HealthEvery are when a process is asked how it is, after its
	// start and then. Defaults 5 s and 30 s, as v1.
	HealthFirst, HealthEvery time.Duration
	// Health bounds its answer. Default 5 s.
	Health time.Duration
}

// DefaultStart is the default of [Times] Start.
const DefaultStart = 10 * time.Second

func (t *Times) setDefaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&t.Start, DefaultStart}, {&t.HealthFirst, 5 * time.Second}, {&t.HealthEvery, 30 * time.Second}, {&t.Health, 5 * time.Second}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
}

const (
	// readyEvery is how often a process that was just started is asked, and
	// readyAfter how many answers show that it listens: wasmCloud's Go SDK answers
	// before it has subscribed to its links.
	readyEvery = 50 * time.Millisecond
	readyAfter = 2
	// settleWait is how long the deletion of a link takes to be known to all that
	// have to do with it.
	settleWait = 300 * time.Millisecond
)

// Config says what to run and for whom. All fields are required but Dir, Limits,
// Line and Times.
type Config struct {
	ID, Ref string
	// Path is the program, absolute.
	Path string
	// Dir is the working directory; empty: one of its own, removed at its end.
	Dir    string
	Limits process.Limits
	Line   func(stream, line string)
	Times  Times

	Lattice, HostID string
	// Conn is where the provider's subjects are.
	Conn *lattice.Conn
	// Data is asked before each start for what the provider is told: all but the
	// keys, the instance and the links. ctx ends when the provider is to stop.
	Data func(ctx context.Context) (*wire.HostData, error)
	// Links returns the provider's links now, with their configuration. Secrets
	// are sealed with keys; when ctx ends, links are left out whose secrets are not
	// there yet.
	Links func(ctx context.Context, keys *wire.Keys) []wire.LinkDefinition
	// Values returns the provider's configuration now.
	Values func() map[string]string
	// Now is the wall clock by which a state is told to have begun.
	Now func() time.Time
	// Publish tells an event.
	Publish func(event.Data)
	Log     *zap.Logger
}

// Provider is a provider that runs, or will again. It is safe for concurrent use.
type Provider struct {
	cfg    Config
	keys   *wire.Keys
	remote *wire.Remote
	ownDir bool

	first   chan error           // learns what became of the first process, once
	settled bool                 // it has; touched by run alone
	deleted chan lattice.Link    // links that the provider was told are gone
	changed chan struct{}        // holds one token while links or configuration may have changed
	stop    chan context.Context // at most one, whose end is that of patience
	life    context.Context      //nolint:containedctx // of what is asked for processes; ended by Stop
	quit    context.CancelFunc
	once    sync.Once
	ended   chan struct{}
	endErr  error // of the end of the last process; read after ended

	mu     sync.Mutex
	status lattice.ProviderStatus
	next   time.Time // of the next start, where no process runs
}

// Start starts a provider and waits until it has answered that it is there, or
// Times.Start is over: a provider that answers no questions is v1's too. A process
// that ends before is the error, with its last words. Stop the provider when it
// is to end.
func Start(ctx context.Context, cfg Config) (*Provider, error) {
	cfg.Times.setDefaults()
	keys, err := wire.NewKeys()
	if err != nil {
		return nil, err
	}
	p := &Provider{cfg: cfg, keys: keys, first: make(chan error, 1), deleted: make(chan lattice.Link, 64),
		changed: make(chan struct{}, 1), stop: make(chan context.Context, 1), ended: make(chan struct{}),
		remote: wire.NewRemote(cfg.Conn, cfg.Lattice, cfg.ID, keys.ProviderPublic()),
		status: lattice.ProviderStatus{ID: cfg.ID, ImageRef: cfg.Ref, State: lattice.ProviderStarting, Since: cfg.Now()}}
	p.life, p.quit = context.WithCancel(context.Background())
	if cfg.Dir == "" {
		if p.cfg.Dir, err = os.MkdirTemp("", "lath-provider-"); err != nil {
			return nil, fmt.Errorf("working directory: %w", err)
		}
		p.ownDir = true
	}
	hearing, err := p.remote.Deletions(func(l lattice.Link) {
		select {
		case p.deleted <- l:
		case <-p.ended:
		}
	})
	if err != nil {
		return nil, errors.Join(err, p.clear())
	}
	go func() {
		defer close(p.ended)
		defer p.quit()
		p.run(ctx)
		p.endErr = errors.Join(p.endErr, hearing(), p.clear())
	}()
	select {
	case err = <-p.first:
		if err == nil {
			return p, nil
		}
		<-p.ended
		return nil, err
	case <-ctx.Done():
		now, cancel := context.WithCancel(context.WithoutCancel(ctx))
		cancel()
		return nil, errors.Join(context.Cause(ctx), p.Stop(now))
	}
}

// clear removes the working directory, if it is the provider's own.
func (p *Provider) clear() error {
	if !p.ownDir {
		return nil
	}
	return os.RemoveAll(p.cfg.Dir)
}

// Status returns how the provider is.
func (p *Provider) Status() lattice.ProviderStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.status
	if !p.next.IsZero() {
		s.RestartMilliseconds = uint64(max(time.Until(p.next).Milliseconds(), 1)) //nolint:gosec // it is positive
	}
	return s
}

// set changes the status.
func (p *Provider) set(change func(s *lattice.ProviderStatus)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.status)
}

// Changed says that links or configuration may have changed. It never waits.
func (p *Provider) Changed() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Stop ends the provider and waits for its end: it is asked to over NATS, then by
// SIGTERM, and killed when ctx ends. It may be called again.
func (p *Provider) Stop(ctx context.Context) error {
	p.once.Do(func() {
		p.stop <- ctx
		p.quit()
	})
	<-p.ended
	return p.endErr
}

// settle lets a waiting Start go on, once.
func (p *Provider) settle(err error) {
	if !p.settled {
		p.settled = true
		p.first <- err
	}
}

// run keeps a process running until it is told to stop. ctx bounds what comes
// before the first one runs.
func (p *Provider) run(ctx context.Context) {
	var (
		backoff process.Backoff
		loop    time.Time // when the first of the ends in a row was
	)
	for {
		began := time.Now()
		a, err := p.launch(ctx)
		if err == nil {
			err = p.attend(a)
		}
		if err == nil {
			return // told to stop
		}
		if !p.settled {
			p.settle(err)
			return
		}
		if a == nil && p.life.Err() != nil {
			return // told to stop before another one ran
		}
		ctx = p.life
		pause := backoff.Ended(time.Since(began))
		if backoff.Ends() == 1 {
			loop = time.Now()
		}
		if a != nil && a.health == well {
			p.cfg.Publish(event.HealthFailed{HostID: p.cfg.HostID, ProviderID: p.cfg.ID})
		}
		p.crashed(err, &backoff, pause, time.Since(loop))
		if p.pause(pause) {
			return
		}
		p.set(func(s *lattice.ProviderStatus) { s.Restarts++ })
	}
}

// crashed tells that the process has ended unasked.
func (p *Provider) crashed(cause error, b *process.Backoff, pause, window time.Duration) {
	p.set(func(s *lattice.ProviderStatus) {
		s.State, s.Reason, s.Since, s.PID, p.next = lattice.ProviderRestarting, cause.Error(), p.cfg.Now(), 0, time.Now().Add(pause)
		if b.Looping() {
			s.State = lattice.ProviderCrashLoop
		}
	})
	crashes, ms := uint64(b.Ends()), uint64(pause.Milliseconds()) //nolint:gosec // neither is negative
	p.cfg.Log.Warn("provider ended and is started again", zap.Error(cause), zap.Duration("pause", pause), zap.Int("ends in a row", b.Ends()))
	p.cfg.Publish(event.ProviderCrashed{HostID: p.cfg.HostID, ProviderID: p.cfg.ID, ImageRef: p.cfg.Ref, Cause: cause.Error(),
		Crashes: crashes, RestartMilliseconds: ms})
	if b.Looping() {
		p.cfg.Publish(event.ProviderCrashLoop{HostID: p.cfg.HostID, ProviderID: p.cfg.ID, ImageRef: p.cfg.Ref, Cause: cause.Error(),
			Crashes: crashes, WindowSeconds: window.Seconds(), RestartMilliseconds: ms})
	}
}

// pause waits; true: it is told to stop.
func (p *Provider) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return false
	case <-p.stop:
		return true
	}
}
