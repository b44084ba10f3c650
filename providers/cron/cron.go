package cron

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/follow"
	"github.com/lathhost/lath/providers/messaging"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// Config says what a [Provider] is. All fields but JSDomain and Now are required.
type Config struct {
	// ID is the provider's, Holder names this copy of it, such as its host's id, and
	// Lattice is the name of its lattice.
	ID, Holder, Lattice string
	// Conn is the lattice's connection, which stays the caller's, and JSDomain the
	// JetStream domain of that.
	Conn     *lattice.Conn
	JSDomain string
	// Now is the wall clock of this machine; default time.Now. It counts only where
	// the NATS server does not tell the time.
	Now func() time.Time
	Log *zap.Logger
}

// Provider fires the ticks of its links. It is safe for concurrent use; close it.
type Provider struct {
	cfg   Config
	js    jetstream.JetStream
	links *messaging.Links
}

// New makes a provider without links. It does no I/O.
func New(cfg Config) (*Provider, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Provider{cfg: cfg}
	var err error
	if cfg.JSDomain != "" {
		p.js, err = jetstream.NewWithDomain(cfg.Conn, cfg.JSDomain)
	} else {
		p.js, err = jetstream.New(cfg.Conn)
	}
	if err != nil {
		return nil, fmt.Errorf("cron: %w", err)
	}
	p.links = follow.NewLinks(messaging.LinksConfig{Open: p.follow})
	return p, nil
}

// SetLinks follows these links and no others: see [messaging.Links].
func (p *Provider) SetLinks(own provider.Settings, links []messaging.Link) []error {
	return p.links.SetLinks(own, links)
}

// Drain fires no more ticks, and waits for what runs until ctx ends.
func (p *Provider) Drain(ctx context.Context) error { return p.links.Drain(ctx) }

// Close cuts off what runs.
func (p *Provider) Close() error {
	p.links.Close()
	return nil
}

// openTime bounds one question to NATS.
const openTime = 5 * time.Second

// bucket opens the bucket of all schedules, and makes it if it is not there.
func (p *Provider) bucket(ctx context.Context) (jetstream.KeyValue, error) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	name := lattice.CronBucket(p.cfg.Lattice)
	kv, err := p.js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = lattice.CreateBucket(ctx, p.js, jetstream.KeyValueConfig{Bucket: name, Description: "schedules of a wasmCloud lattice", MaxValueSize: maxRecord})
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, lattice.Disconnected(err))
	}
	return kv, nil
}

// schedule is a link that is followed.
type schedule struct {
	config
	of      *Provider
	key     string
	handler contract.Handler
	log     *zap.Logger
	running sync.WaitGroup
	clock   clock
	next    time.Time // when there is something to look for
	seen    sighting
	own     record // the claim or the end of a tick that may be stored, though no answer says so

	// stopping ends when no more is to be fired, base when what runs is to be cut
	// off.
	stopping, base context.Context //nolint:containedctx // ended by Stop and End
	stop, cut      context.CancelFunc
}

func (p *Provider) follow(l messaging.Link, settings provider.Settings) (follow.Following, error) {
	cfg, err := readConfig(settings, l.Name, p.cfg.Lattice)
	if err != nil {
		return nil, err
	}
	kv, err := p.bucket(context.Background())
	if err != nil {
		return nil, err
	}
	return p.begin(kv, l, cfg), nil
}

// begin follows a link by the bucket of schedules.
func (p *Provider) begin(kv jetstream.KeyValue, l messaging.Link, cfg config) *schedule {
	s := &schedule{config: cfg, of: p, key: lattice.CronKey(p.cfg.ID, l.Name, l.Target), handler: l.Handler,
		log: p.cfg.Log.With(zap.String("link", l.Name), zap.String("target", l.Target))}
	s.base, s.cut = context.WithCancel(context.Background())
	s.stopping, s.stop = context.WithCancel(s.base)
	s.running.Go(func() { s.run(kv) })
	return s
}

// Stop implements follow.Following.
func (s *schedule) Stop() { s.stop() }

// End implements follow.Following.
func (s *schedule) End(ctx context.Context) error {
	defer s.cut()
	defer context.AfterFunc(ctx, s.cut)()
	s.running.Wait()
	return nil
}

// retryPause is how long to wait where NATS does not answer, and lookEvery how often
// the clock is looked at, since it may be set, and since a machine that was suspended
// has waited for too long.
const (
	retryPause = time.Second
	lookEvery  = punctual / 2
)

// run fires ticks until it is stopped.
func (s *schedule) run(bucket jetstream.KeyValue) {
	for s.stopping.Err() == nil {
		err := s.turn(bucket)
		if errors.Is(err, jetstream.ErrStreamNotFound) { // NATS came back without it
			var again jetstream.KeyValue
			if again, err = s.of.bucket(s.stopping); err == nil {
				bucket, s.next, s.seen, s.own = again, time.Time{}, sighting{}, record{}
			}
		}
		wait := min(s.next.Sub(s.clock.now()), lookEvery)
		if err != nil && s.stopping.Err() == nil {
			s.log.Warn("the schedule cannot be followed now", zap.Error(err))
			wait = retryPause
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.stopping.Done():
			timer.Stop()
		}
	}
}

// turn looks once, and fires what is due. It sets next.
func (s *schedule) turn(kv jetstream.KeyValue) error {
	var err error
	if s.clock, err = s.read(kv); err != nil {
		return err
	}
	now := s.clock.now()
	if !s.due(now) {
		return nil
	}
	r, rev, err := s.load(kv)
	if err != nil {
		return err
	}
	if r.runs(s.own.Last.Claim) && (s.own.Last.State != stateRunning || now.Sub(r.Last.Tick) <= punctual) {
		return s.resume(kv, rev)
	}
	var tick time.Time
	if tick, s.next = decide(s.schedule, &r, now, s.seen.left(r.lease()), s.once); tick.IsZero() {
		return nil
	}
	return s.take(kv, r.claim(tick, s.of.cfg.Holder, s.lease, int(s.history)), rev)
}

// take claims a tick, and fires it. Where no answer comes, the claim may be stored: it
// is this copy's to fire when it is found.
func (s *schedule) take(kv jetstream.KeyValue, r record, rev uint64) error {
	s.own = r
	asked := time.Now()
	rev, err := s.save(s.stopping, kv, &r, rev)
	if err != nil {
		if errors.Is(err, errTaken) {
			err = nil // by another: look at what it did
		}
		return err
	}
	if time.Since(asked) > s.lease/2 {
		return nil // too little is left of the lease: claim it again, as one's own
	}
	return s.fire(kv, r, rev, asked)
}

// resume goes on with a tick of this copy's: no answer said that its claim was stored,
// or its end was not.
func (s *schedule) resume(kv jetstream.KeyValue, rev uint64) error {
	if s.own.Last.State == stateRunning {
		return s.take(kv, s.own, rev)
	}
	_, err := s.save(s.stopping, kv, &s.own, rev)
	return err
}

// due says whether there is something to look for: the time has come, or the clock
// was set back and other ticks come first.
func (s *schedule) due(now time.Time) bool {
	next := s.schedule.Next(now)
	return !now.Before(s.next) || !next.IsZero() && next.Before(s.next)
}

var errTaken = errors.New("another copy of the provider was faster")

// load reads the record, and makes it where the schedule is new.
func (s *schedule) load(kv jetstream.KeyValue) (record, uint64, error) {
	ctx, cancel := context.WithTimeout(s.stopping, openTime)
	defer cancel()
	e, err := kv.Get(ctx, s.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		r := record{Since: s.clock.now()}
		rev, err := s.save(ctx, kv, &r, 0)
		if errors.Is(err, errTaken) {
			e, err = kv.Get(ctx, s.key)
		}
		if e == nil {
			return r, rev, err
		}
	}
	if err != nil {
		return record{}, 0, lattice.Disconnected(err)
	}
	s.seen.see(e.Revision())
	r, err := parseRecord(e.Value())
	if err != nil { // somebody else wrote it: begin anew on it
		s.log.Warn("what is stored of the schedule makes no sense: it begins anew", zap.Error(err))
		r = record{Since: s.clock.now()}
		rev, err := s.save(ctx, kv, &r, e.Revision())
		return r, rev, err
	}
	return r, e.Revision(), nil
}

// save changes the record, if it is still what was read; revision 0: if there is
// none.
func (s *schedule) save(ctx context.Context, kv jetstream.KeyValue, r *record, rev uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	data, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	if rev == 0 {
		rev, err = kv.Create(ctx, s.key, data)
	} else {
		rev, err = kv.Update(ctx, s.key, data, rev)
	}
	var api *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrKeyExists), errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence:
		return 0, errTaken
	case err != nil:
		return 0, lattice.Disconnected(err)
	}
	return rev, nil
}

// fire calls the handler for a tick that was claimed, holds the lease meanwhile,
// and tells how it ended. Who loses the lease stops. asked is when the lease was asked for.
func (s *schedule) fire(kv jetstream.KeyValue, r record, rev uint64, asked time.Time) error {
	ctx, cancel := context.WithTimeout(s.base, s.timeout)
	defer cancel()
	var handled error
	done := make(chan struct{})
	go func() { // ends before this function does
		defer close(done)
		handled = s.call(ctx, r.Last.Tick)
	}()
	renew := time.NewTicker(s.lease / 3)
	defer renew.Stop()
	over := time.AfterFunc(s.lease-time.Since(asked), cancel) // it may be another's then
	defer over.Stop()
	for {
		select {
		case <-renew.C:
			asked = time.Now()
			now, err := s.renew(ctx, kv, &r, rev)
			if err == nil {
				rev = now
				over.Reset(s.lease - time.Since(asked))
			} else if errors.Is(err, errTaken) {
				cancel()
			}
			continue
		case <-done:
		}
		break
	}
	if handled != nil {
		s.log.Warn("a tick was not dealt with", zap.Time("tick", r.Last.Tick), zap.Error(handled))
	}
	s.own = r.end(s.clock.now(), handled)
	_, err := s.renew(context.WithoutCancel(s.base), kv, &s.own, rev)
	return err
}

// renew changes the record of a tick that is this copy's. What is stored may be newer
// than what it knows, where an answer was lost, and yet its own.
func (s *schedule) renew(ctx context.Context, kv jetstream.KeyValue, r *record, rev uint64) (uint64, error) {
	now, err := s.save(ctx, kv, r, rev)
	if !errors.Is(err, errTaken) {
		return now, err
	}
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	e, err := kv.Get(ctx, s.key)
	if err != nil {
		return 0, lattice.Disconnected(err)
	}
	if e.Revision() <= rev {
		return 0, errors.New("the record was read behind")
	}
	if stored, err := parseRecord(e.Value()); err != nil || !stored.runs(r.Last.Claim) {
		return 0, errTaken
	}
	return s.save(ctx, kv, r, e.Revision())
}

// call calls the handler, again while it is not reached.
func (s *schedule) call(ctx context.Context, tick time.Time) error {
	w := messaging.NewWorker(messaging.Handling{Timeout: s.timeout, MaxInFlight: 1}, s.handler)
	defer context.AfterFunc(ctx, w.Cut)()
	var handled error
	w.Put(messaging.Delivery{Message: contract.BrokerMessage{Subject: s.subject, Body: []byte(tick.UTC().Format(time.RFC3339))}, Done: func(err error) { handled = err }})
	return errors.Join(w.End(context.WithoutCancel(ctx)), handled)
}
