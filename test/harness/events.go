package harness

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	v1 "github.com/lathhost/lath/test/v1"
)

// Event is an event as it was on the wire.
type Event struct {
	Subject         string
	raw             []byte
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Type            string          `json:"type"`
	Source          string          `json:"source"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
}

// Events is a record of the lattice's events, in their order.
type Events struct {
	l    *Lattice
	mu   sync.Mutex
	list []Event
	seen int // by Next
}

// Events begins a record.
func (l *Lattice) Events() *Events {
	l.T.Helper()
	e := &Events{l: l}
	sub, err := l.Conn.Subscribe(lattice.AllEvents(Name), e.add)
	require.NoError(l.T, err)
	require.NoError(l.T, lattice.Flush(context.Background(), l.Conn))
	l.T.Cleanup(func() { _ = sub.Unsubscribe() })
	return e
}

func (e *Events) add(m *nats.Msg) {
	ev := Event{Subject: m.Subject, raw: m.Data}
	if err := json.Unmarshal(m.Data, &ev); err != nil {
		ev.Type = "not JSON: " + string(m.Data)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, ev)
}

// Next returns the event after the last one that it returned, waiting for it. It
// must be one that v1 could have told.
func (e *Events) Next() Event {
	e.l.T.Helper()
	e.l.Eventually("an event", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.seen < len(e.list)
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen++
	ev := e.list[e.seen-1]
	require.NoError(e.l.T, v1.Event(Name, ev.Subject, ev.raw))
	return ev
}
