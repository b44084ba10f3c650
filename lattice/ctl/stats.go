package ctl

import (
	"context"
	"fmt"
	"sort"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

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
	questions questions
	stats     func() lattice.HostStats
}

// ServeStats starts to answer with what stats returns, its components ordered by
// id. Questions are answered one at a time; more than 64 that wait are dropped.
func ServeStats(conn *nats.Conn, name, host string, stats func() lattice.HostStats) (*StatsServer, error) {
	s := &StatsServer{stats: stats, questions: questions{what: "stats", conn: conn}}
	s.questions.answer = s.page
	if err := s.questions.serve(lattice.StatsSubject(name, host), ""); err != nil {
		return nil, err
	}
	return s, nil
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
	all := p.Components
	return s.questions.fit(len(all), func(n int) any {
		p.Components, p.More = all[:n], n < len(all)
		return p
	})
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
func (s *StatsServer) Close() error { return s.questions.close() }

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
