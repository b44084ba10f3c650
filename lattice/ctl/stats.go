package ctl

import (
	"context"
	"fmt"
	"sort"

	"github.com/lathhost/lath/lattice"
)

// statsPage is an answer, of which one message carries a part.
type statsPage struct {
	lattice.HostStats
	// More: ask again, after the last id.
	More bool `json:"more,omitempty"`
}

func (l *Lists) statsPage(_ context.Context, q listQuery, room int) ([]byte, error) {
	p := statsPage{HostStats: l.Stats()}
	all := q.stats(p.Components)
	return fit(room, len(all), func(n int) any {
		p.Components, p.More = all[:n], n < len(all)
		return p
	})
}

// stats returns those of all components, ordered by id, that are asked for.
func (q *listQuery) stats(all []lattice.ComponentStats) []lattice.ComponentStats {
	if q.After != "" {
		all = all[sort.Search(len(all), func(i int) bool { return all[i].ID > q.After }):]
	}
	if q.ID != "" {
		i := sort.Search(len(all), func(i int) bool { return all[i].ID >= q.ID })
		if i == len(all) || all[i].ID != q.ID {
			return []lattice.ComponentStats{}
		}
		return all[i : i+1]
	}
	return append([]lattice.ComponentStats{}, all...) // never null
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
	q := listQuery{ID: component}
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
