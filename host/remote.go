package host

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/wit"
)

// A call to another host is not checked on its way: v1's wire has no types. So
// this host asks what the targets of its components' links export, when a link
// or an end changes and with every heartbeat, and its router refuses calls that
// would take one type for another.

// questions are the ids whose contracts are to be asked for. Asking twice at
// once is asking once.
type questions struct {
	mu   sync.Mutex
	ids  map[string]struct{}
	wake chan struct{} // holds one token while ids is not empty
}

func newQuestions() *questions {
	return &questions{ids: map[string]struct{}{}, wake: make(chan struct{}, 1)}
}

// add never waits.
func (q *questions) add(ids ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range ids {
		q.ids[id] = struct{}{}
	}
	if len(q.ids) > 0 {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

func (q *questions) take() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	ids := slices.Collect(maps.Keys(q.ids))
	clear(q.ids)
	return ids
}

// watchTargets asks for contracts until ctx ends.
func (h *Host) watchTargets(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.unsure.wake:
		}
		for id, w := range h.worlds(ctx, h.unsure.take()) {
			if ctx.Err() == nil {
				h.router.SetRemote(id, w)
			}
		}
	}
}

// watchEvents hears what starts on other hosts, until ctx ends.
func (h *Host) watchEvents(ctx context.Context, events *event.Subscription) {
	for {
		e, err := events.Next(ctx)
		switch {
		case errors.Is(err, lattice.ErrInvalid):
			continue
		case errors.Is(err, event.ErrMissed):
			h.unsure.add(h.router.Targets(true)...)
			continue
		case err != nil:
			if ctx.Err() == nil {
				h.log.Warn("no longer hearing events", zap.Error(err))
			}
			return
		}
		id := ""
		switch d := e.Data.(type) {
		case event.ComponentScaled:
			id = d.ComponentID
		case event.ProviderStarted:
			id = d.ProviderID
		}
		if id != "" && slices.Contains(h.router.Targets(true), id) {
			h.unsure.add(id)
		}
	}
}

// maxQuestions bounds how many contracts are asked for at a time.
const maxQuestions = 16

// worlds asks what ids import and export.
func (h *Host) worlds(ctx context.Context, ids []string) map[string]*wit.World {
	worlds := make(map[string]*wit.World, len(ids))
	for id, e := range h.ends(ctx, ids) {
		worlds[id] = e.world
	}
	return worlds
}

// ends asks about ids, together: a host that does not answer must not take the time
// of the others.
func (h *Host) ends(ctx context.Context, ids []string) map[string]end {
	var asking sync.WaitGroup
	var mu sync.Mutex
	ends := make(map[string]end, len(ids))
	room := make(chan struct{}, maxQuestions)
	for _, id := range ids {
		room <- struct{}{}
		asking.Go(func() {
			defer func() { <-room }()
			e := h.end(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			ends[id] = e
		})
	}
	asking.Wait()
	return ends
}
