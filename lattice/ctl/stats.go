package ctl

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// maxStatsQuestions bounds the questions that wait for one host.
const maxStatsQuestions = 64

// StatsQuery says what of its counts a host is to tell.
type StatsQuery struct {
	// ComponentID names one component; empty: all.
	ComponentID string `json:"component_id,omitempty"`
	// After leaves out the components up to that id, which were told already.
	After string `json:"after,omitempty"`
}

// statsPage is an answer, of which one message carries a part.
type statsPage struct {
	lattice.HostStats
	// More: ask again, after the last id.
	More bool `json:"more,omitempty"`
}

// StatsServer tells what one host has counted. v1 has no such question.
type StatsServer struct {
	conn  *nats.Conn
	stats func() lattice.HostStats
	sub   *nats.Subscription

	mu     sync.Mutex // held while answering
	closed bool
}

// ServeStats starts to answer with what stats returns, its components ordered by
// id. Questions are answered one at a time; more than 64 that wait are dropped.
func ServeStats(conn *nats.Conn, name, host string, stats func() lattice.HostStats) (*StatsServer, error) {
	s := &StatsServer{conn: conn, stats: stats}
	var err error
	if s.sub, err = conn.Subscribe(lattice.StatsSubject(name, host), s.answer); err != nil {
		return nil, fmt.Errorf("serve stats: %w", lattice.Disconnected(err))
	}
	if err := s.sub.SetPendingLimits(maxStatsQuestions, MaxRequestSize); err != nil {
		return nil, errors.Join(fmt.Errorf("serve stats: %w", err), s.Close())
	}
	return s, nil
}

func (s *StatsServer) answer(msg *nats.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || msg.Reply == "" {
		return
	}
	e := Envelope{Success: true}
	var err error
	if e.Response, err = s.page(msg.Data); err != nil {
		e = Envelope{Message: shorten(err.Error())}
	}
	data, _ := lattice.EncodeJSON(e) // an Envelope has nothing that could fail
	// It fails while disconnected; then the client is not there either.
	_ = s.conn.Publish(msg.Reply, data)
}

// page encodes as much of an answer as one message carries.
func (s *StatsServer) page(request []byte) ([]byte, error) {
	var q StatsQuery
	if len(request) > 0 {
		if err := lattice.DecodeJSON(request, MaxRequestSize, &q); err != nil {
			return nil, fmt.Errorf("stats: %w", err)
		}
	}
	p := statsPage{HostStats: s.stats()}
	p.Components = q.of(p.Components)
	limit := int(s.conn.MaxPayload()) - 1024
	data, err := lattice.EncodeJSON(p)
	for err == nil && len(data) > limit && len(p.Components) > 1 {
		p.Components, p.More = p.Components[:len(p.Components)/2], true
		data, err = lattice.EncodeJSON(p)
	}
	if err == nil && len(data) > limit {
		err = fmt.Errorf("stats: one component takes more than the %d bytes that NATS carries (max_payload)", limit)
	}
	return data, err
}

// of returns those of all components that are asked for.
func (q *StatsQuery) of(all []lattice.ComponentStats) []lattice.ComponentStats {
	if q.After != "" {
		all = all[sort.Search(len(all), func(i int) bool { return all[i].ID > q.After }):]
	}
	if q.ComponentID != "" {
		i := sort.Search(len(all), func(i int) bool { return all[i].ID >= q.ComponentID })
		if i == len(all) || all[i].ID != q.ComponentID {
			return []lattice.ComponentStats{}
		}
		return all[i : i+1]
	}
	return append([]lattice.ComponentStats{}, all...) // never null
}

// Close stops answering and waits for the answer under way. It may be called
// again.
func (s *StatsServer) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.sub.Unsubscribe(); err != nil && !lattice.IsDisconnected(err) {
		return fmt.Errorf("stop serving stats: %w", err)
	}
	return nil
}

// maxStats bounds the components of one host that a client takes in.
const maxStats = 100_000

// Stats asks a host what it has counted, of one component or, with an empty id,
// of all of them. The error matches lattice.ErrNotFound where the host speaks no
// Lath.
func (c *Client) Stats(ctx context.Context, host, component string) (*lattice.HostStats, error) {
	if err := lattice.ValidHostID(host); err != nil {
		return nil, fmt.Errorf("stats: %w", err)
	}
	q := StatsQuery{ComponentID: component}
	var all *lattice.HostStats
	for {
		var p statsPage
		at := &CallError{Verb: "stats", ID: host, What: "host", Subject: lattice.StatsSubject(c.cfg.Lattice, host)}
		if _, err := c.call(ctx, at, q, &p); err != nil {
			return nil, err
		}
		if all == nil {
			all = &p.HostStats
		} else {
			all.Components = append(all.Components, p.Components...)
		}
		n := len(p.Components)
		if !p.More || n == 0 {
			return all, nil
		}
		if p.Components[n-1].ID <= q.After || len(all.Components) > maxStats {
			return nil, fmt.Errorf("stats: answer of host %s: %w: its components are not in order, or too many", host, lattice.ErrInvalid)
		}
		q.After = p.Components[n-1].ID
	}
}
