package external

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/lathhost/lath/host/process"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/event"
	wire "github.com/lathhost/lath/lattice/provider"
)

// attendance is one process of a provider, from its start to its end.
type attendance struct {
	process *process.Process
	words   *lastWords

	// What the process has been told.
	links  []wire.LinkDefinition
	values map[string]string
	// doubts are links of which someone told the process that they are gone, while
	// it may have been told otherwise: nobody knows which it heard last.
	doubts []wire.LinkDefinition

	// ready: it has answered enough times to hear what it is told.
	ready bool
	heard int
	asked bool // a question is under way
	// health is what the last scheduled question found.
	health healthState

	answers chan answer
	asking  sync.WaitGroup
}

// answer is what became of a question.
type answer struct {
	health wire.Health
	err    error
	probe  bool // it asked whether the provider is there yet
}

// launch starts a process.
func (p *Provider) launch(ctx context.Context) (*attendance, error) {
	p.set(func(s *lattice.ProviderStatus) {
		s.State, s.Since, p.next = lattice.ProviderStarting, p.cfg.Now(), time.Time{}
	})
	data, err := p.cfg.Data(ctx)
	if err != nil {
		return nil, err
	}
	a := &attendance{words: &lastWords{tell: p.cfg.Line}, answers: make(chan answer, 1), links: p.cfg.Links(ctx, p.keys), values: data.Config}
	data.Links, data.InstanceID = a.links, uuid.NewString()
	p.keys.Fill(data)
	line, err := data.Encode()
	if err == nil {
		err = context.Cause(ctx) // by which links may be missing
	}
	if err != nil {
		return nil, err
	}
	a.process, err = process.Start(process.Config{Path: p.cfg.Path, Dir: p.cfg.Dir, Env: process.Environment(), Input: line,
		Line: a.words.line, Limits: p.cfg.Limits})
	if err != nil {
		return nil, err
	}
	p.set(func(s *lattice.ProviderStatus) { s.PID = a.process.PID() })
	p.cfg.Log.Info("provider process started", zap.Int("pid", a.process.PID()))
	return a, nil
}

// attend sees to a process until it ends, which is the error, or until the
// provider is told to stop and the process has ended: nil then.
func (p *Provider) attend(a *attendance) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer a.asking.Wait()
	defer cancel()
	probe, patience, schedule, settled := time.NewTicker(readyEvery), time.NewTimer(p.cfg.Times.Start), time.NewTimer(p.cfg.Times.HealthFirst), time.NewTimer(0)
	defer probe.Stop()
	defer patience.Stop()
	defer schedule.Stop()
	defer settled.Stop()
	for {
		select {
		case <-a.process.Done():
			return a.end()
		case stop := <-p.stop:
			p.end(stop, a)
			return nil
		case <-p.changed:
			if p.tell(a, false) {
				settled.Reset(settleWait)
			}
		case l := <-p.deleted:
			a.forget(l)
			settled.Reset(settleWait)
		case <-settled.C:
			p.tell(a, true)
		case <-probe.C:
			p.ask(ctx, a, true)
		case <-patience.C:
			probe.Stop()
			p.listens(a) // it may be one that never answers
		case <-schedule.C:
			p.ask(ctx, a, false)
			schedule.Reset(p.cfg.Times.HealthEvery)
		case got := <-a.answers:
			a.asked = false
			if got.err == nil {
				a.heard++
			}
			if !a.ready && a.heard == readyAfter {
				probe.Stop()
				patience.Stop()
				p.listens(a)
			}
			p.note(a, got)
		}
	}
}

// listens notes that the process hears what it is told, and tells what has
// changed since it was started.
func (p *Provider) listens(a *attendance) {
	a.ready = true
	p.settle(nil)
	p.tell(a, true)
}

// end says how the process ended, in its own words if it had any.
func (a *attendance) end() error {
	text := a.process.Ended()
	if last := a.words.last(); last != "" {
		text += "; its last words: " + last
	}
	return errors.New(text)
}

// end ends a process that is to.
func (p *Provider) end(ctx context.Context, a *attendance) {
	err := a.process.Stop(ctx, func(ctx context.Context) error { return p.remote.Shutdown(ctx, p.cfg.HostID) })
	if err != nil {
		p.cfg.Log.Warn("provider did not end when it was asked to", zap.Error(err))
	}
	p.cfg.Log.Info("provider process ended", zap.String("how", a.process.Ended()))
}

// tell brings what the process knows of links and configuration up to date, and
// says whether something is left to tell. Links that are gone or changed are told
// only with all: whoever deleted one may be telling it just now. A process that
// does not listen yet is told later.
func (p *Provider) tell(a *attendance, all bool) (left bool) {
	if !a.ready {
		return false
	}
	now := p.cfg.Links(p.life, p.keys)
	if p.life.Err() != nil {
		return false // it is to stop, and links may be missing
	}
	gone, came, both := changes(a.links, now)
	var errs []error
	if all {
		gone = append(gone, a.doubts...) // and those that there are come again
		for _, d := range append(gone, both...) {
			errs = append(errs, p.remote.DeleteLink(d.Link()))
		}
		came = append(came, both...)
	}
	for _, d := range came {
		errs = append(errs, p.remote.PutLink(d))
	}
	values := p.cfg.Values()
	if !maps.Equal(values, a.values) {
		errs = append(errs, p.remote.UpdateConfig(values))
	}
	if err := errors.Join(errs...); err != nil {
		// It stays as it was told, and is compared again at the next question.
		p.cfg.Log.Warn("provider not told of a change", zap.Error(err))
		return false
	}
	a.values = values
	if all {
		a.links, a.doubts = now, nil
		return false
	}
	a.links = append(a.links, came...)
	return len(gone)+len(both) > 0
}

// forget notes that someone has told the process that a link is gone. When all is
// quiet it is told so once more, and then whether there is one.
func (a *attendance) forget(l lattice.Link) {
	a.links = slices.DeleteFunc(a.links, func(d wire.LinkDefinition) bool {
		known := d.Link()
		is := known.Key() == l.Key() && known.Target == l.Target
		if is {
			a.doubts = append(a.doubts, d)
		}
		return is
	})
}

// changes is what a process that knows some links must be told to know others:
// links that are gone, that came, and that changed, of which a provider must hear
// both, since it ignores a link that it has.
func changes(known, now []wire.LinkDefinition) (gone, came, both []wire.LinkDefinition) {
	type end struct {
		lattice.LinkKey
		target string
	}
	at := func(d wire.LinkDefinition) end { return end{d.Link().Key(), d.Target} }
	had := make(map[end]wire.LinkDefinition, len(known))
	for _, d := range known {
		had[at(d)] = d
	}
	for _, d := range now {
		before, is := had[at(d)]
		delete(had, at(d))
		switch {
		case !is:
			came = append(came, d)
		case !before.Equal(d):
			both = append(both, d)
		}
	}
	for _, d := range known {
		if _, left := had[at(d)]; left {
			gone = append(gone, d)
		}
	}
	return gone, came, both
}

// ask asks how the provider is, unless it is being asked.
func (p *Provider) ask(ctx context.Context, a *attendance, probe bool) {
	if a.asked {
		return
	}
	a.asked = true
	a.asking.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, p.cfg.Times.Health)
		defer cancel()
		h, err := p.remote.Health(ctx)
		a.answers <- answer{h, err, probe} // there is room: one question at a time
	})
}

// healthState is what is known of a provider's health.
type healthState int

const (
	unknown healthState = iota
	well
	unwell
)

// note takes in an answer: the state changes with each, events are told of
// those that v1 asks for.
func (p *Provider) note(a *attendance, got answer) {
	now, state, reason := well, lattice.ProviderRunning, ""
	switch {
	case got.err != nil && got.probe:
		return // not yet
	case errors.Is(got.err, lattice.ErrInvalid):
		now, state, reason = unwell, lattice.ProviderUnhealthy, fmt.Sprintf("its answer makes no sense: %s", got.err)
	case got.err != nil:
		state, reason = lattice.ProviderSilent, got.err.Error()
		now = a.health // v1 tells nothing of a question without an answer
	case !got.health.Healthy:
		now, state, reason = unwell, lattice.ProviderUnhealthy, got.health.Message
	}
	p.set(func(s *lattice.ProviderStatus) { s.State, s.Reason = state, reason })
	if got.probe {
		return
	}
	p.tell(a, true) // what could not be told before
	if got.err != nil && now == a.health {
		p.cfg.Log.Warn("provider does not say how it is", zap.Error(got.err))
		return
	}
	p.cfg.Publish(a.health.event(now, p.cfg.HostID, p.cfg.ID))
	a.health = now
}

// event is what v1 tells of a health that was so and is now.
func (was healthState) event(now healthState, host, id string) event.Data {
	switch {
	case now == well && was != well:
		return event.HealthPassed{HostID: host, ProviderID: id}
	case now == unwell && was == well:
		return event.HealthFailed{HostID: host, ProviderID: id}
	}
	return event.HealthStatus{HostID: host, ProviderID: id}
}

// lastWords passes lines on and keeps the last one, which mostly says why a
// process ended.
type lastWords struct {
	tell func(stream, line string)

	mu   sync.Mutex
	text string
}

// maxWords bounds what is kept of a line.
const maxWords = 512

func (w *lastWords) line(stream, line string) {
	if line != "" {
		w.mu.Lock()
		w.text = line[:min(len(line), maxWords)]
		w.mu.Unlock()
	}
	if w.tell != nil {
		w.tell(stream, line)
	}
}

func (w *lastWords) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text
}
