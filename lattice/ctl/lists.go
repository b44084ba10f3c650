package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// listTimeout bounds one answer of a [ListServer].
const listTimeout = 4 * time.Second

// listPart is the most items that a host looks at for one answer where each of
// them costs something.
const listPart = 256

// maxListed bounds the items of one list that a client takes in.
const maxListed = 1_000_000

// Lists are what a host tells in parts, because one message of v1 may not carry
// it, or because v1 has no word for it. One that is nil is not told. Those of the
// lattice are shared by its hosts, of which one answers. They are called one at a
// time each.
type Lists struct {
	// Links are all links, in any order, and LinkStates what is known of the ends of
	// some.
	Links      func() []lattice.Link
	LinkStates func(ctx context.Context, links []lattice.Link) ([]lattice.LinkStatus, error)
	// Configs are the named configs.
	Configs func() []ConfigInfo
	// Claims are all claims in v1's flat form, of which "sub" is the key.
	Claims func(ctx context.Context) ([]map[string]string, error)
	// Ops are the commands that have an id.
	Ops OpStore
	// Peers are the hosts that this one has heard.
	Peers func() []Peer
	// Inventory is what this host runs, and Stats what it has counted.
	Inventory func() Inventory
	Stats     func() lattice.HostStats
	// Providers is how the providers of this host are.
	Providers func() []lattice.ProviderStatus
}

// ConfigInfo is a named config without its settings.
type ConfigInfo struct {
	Name string `json:"name"`
	// Settings is how many it has.
	Settings int `json:"settings"`
	// Version is another number after each change.
	Version uint64 `json:"version"`
}

// Peer is a host as another one hears it.
type Peer struct {
	ID string `json:"id"`
	// FriendlyName is empty where it has not told.
	FriendlyName string `json:"friendly_name"`
	// State is "ready", "draining" or "unreachable".
	State string `json:"state"`
	// SilentMS is for how long it was not heard, by the clock of who tells.
	SilentMS int64 `json:"silent_ms"`
}

// ListServer answers for the lists of one host.
type ListServer struct {
	open []*questions
	stop context.CancelFunc // ends the answers under way
}

// ServeLists starts to answer. More than 64 questions of a kind that wait are
// dropped.
func ServeLists(conn *nats.Conn, name, host string, lists Lists) (*ListServer, error) {
	ctx, stop := context.WithCancel(context.Background())
	s := &ListServer{stop: stop}
	for _, q := range lists.questions(name, host) {
		q.conn, q.ctx = conn, ctx
		if err := q.serve(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.open = append(s.open, q)
	}
	return s, nil
}

// questions are those that have an answer.
func (l *Lists) questions(name, host string) []*questions {
	var all []*questions
	shared := func(what, subject string, answer answerer) {
		all = append(all, &questions{what: what, subject: subject, queue: subject, answer: answer})
	}
	if l.Links != nil {
		shared("links", lattice.LinkListSubject(name), l.linkPage)
	}
	if l.Configs != nil {
		shared("configs", lattice.ConfigListSubject(name), l.configPage)
	}
	if l.Claims != nil {
		shared("claims", lattice.ClaimsListSubject(name), l.claimsPage)
	}
	if l.Ops != nil {
		shared("commands", lattice.OpListSubject(name), l.opPage)
	}
	if l.Peers != nil {
		shared("hosts", lattice.PeerListSubject(name), l.peerPage)
	}
	if l.Inventory != nil {
		all = append(all, &questions{what: "inventory", subject: lattice.InventorySubject(name, host), answer: l.inventoryPage})
	}
	if l.Providers != nil {
		all = append(all, &questions{what: "providers", subject: lattice.ProviderListSubject(name, host), answer: l.providerPage})
	}
	if l.Stats != nil {
		all = append(all, &questions{what: "stats", subject: lattice.StatsSubject(name, host), answer: l.statsPage})
	}
	return all
}

// Close stops answering and waits for the answers under way, which it cuts short.
// It may be called again.
func (s *ListServer) Close() error {
	s.stop()
	var errs []error
	for _, q := range s.open {
		errs = append(errs, q.close())
	}
	return errors.Join(errs...)
}

// listQuery asks for a part of a list.
type listQuery struct {
	// After is the key of the last item of the part before; empty: the first part.
	After string `json:"after,omitempty"`
	// ID names one item, or, of links, their source.
	ID string `json:"id,omitempty"`
	// States asks for the states of links.
	States bool `json:"states,omitempty"`
}

// listPage is a part of a list.
type listPage[T any] struct {
	Items []T `json:"items"`
	// Next tells that there are more: ask again, after it.
	Next string `json:"next,omitempty"`
}

// encodePage encodes those of items that one message carries; more tells that
// others come after them.
func encodePage[T any](room int, items []T, more bool, key func(T) string) ([]byte, error) {
	items = append([]T{}, items...) // never null
	return fit(room, len(items), func(n int) any {
		p := listPage[T]{Items: items[:n]}
		if n > 0 && (more || n < len(items)) {
			p.Next = key(items[n-1])
		}
		return p
	})
}

// after orders items by key and leaves out those up to one.
func after[T any](items []T, last string, key func(T) string) []T {
	slices.SortStableFunc(items, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	if last == "" {
		return items
	}
	return items[sort.Search(len(items), func(i int) bool { return key(items[i]) > last }):]
}

func linkKey(l lattice.Link) string {
	return l.SourceID + "/" + l.Name + "/" + l.WITNamespace + "/" + l.WITPackage + "/" + l.Target
}

func statusKey(s lattice.LinkStatus) string { return linkKey(s.Link) }

func (l *Lists) linkPage(ctx context.Context, q listQuery, room int) ([]byte, error) {
	links := l.Links()
	if q.ID != "" {
		links = slices.DeleteFunc(links, func(link lattice.Link) bool { return link.SourceID != q.ID })
	}
	links = after(links, q.After, linkKey)
	if !q.States || l.LinkStates == nil {
		return encodePage(room, links, false, linkKey)
	}
	part := links[:min(len(links), listPart)]
	states, err := l.LinkStates(ctx, part)
	if err != nil {
		return nil, err
	}
	return encodePage(room, states, len(part) < len(links), statusKey)
}

func (l *Lists) configPage(_ context.Context, q listQuery, room int) ([]byte, error) {
	key := func(c ConfigInfo) string { return c.Name }
	return encodePage(room, after(l.Configs(), q.After, key), false, key)
}

func (l *Lists) peerPage(_ context.Context, q listQuery, room int) ([]byte, error) {
	key := func(p Peer) string { return p.ID }
	return encodePage(room, after(l.Peers(), q.After, key), false, key)
}

func (l *Lists) claimsPage(ctx context.Context, q listQuery, room int) ([]byte, error) {
	all, err := l.Claims(ctx)
	if err != nil {
		return nil, err
	}
	return encodePage(room, after(all, q.After, claimsKey), false, claimsKey)
}

func claimsKey(c map[string]string) string { return c["sub"] }

func (l *Lists) opPage(ctx context.Context, q listQuery, room int) ([]byte, error) {
	key := func(op lattice.Op) string { return op.ID }
	if q.ID == "" {
		list, more, err := l.Ops.Ops(ctx, q.After, listPart)
		if err != nil {
			return nil, err
		}
		return encodePage(room, list, more, key)
	}
	op, err := l.Ops.Op(ctx, q.ID)
	switch {
	case errors.Is(err, lattice.ErrNotFound):
		return encodePage(room, []lattice.Op{}, false, key)
	case err != nil:
		return nil, err
	}
	return encodePage(room, []lattice.Op{op}, false, key)
}

func (l *Lists) providerPage(_ context.Context, q listQuery, room int) ([]byte, error) {
	key := func(p lattice.ProviderStatus) string { return p.ID }
	return encodePage(room, after(l.Providers(), q.After, key), false, key)
}

// listOf asks for a list, part by part, until it has all or most of it.
func listOf[T any](ctx context.Context, c *Client, at CallError, q listQuery, most int, check func(T) error) ([]T, error) {
	var all []T
	for {
		var p listPage[T]
		now := at // which an error changes
		if _, err := c.call(ctx, &now, q, &p); err != nil {
			return nil, err
		}
		for _, item := range p.Items {
			if err := check(item); err != nil {
				return nil, fmt.Errorf("%s: answer of %s %s: %w", at.Verb, at.What, at.ID, err)
			}
			if all = append(all, item); len(all) == most {
				return all, nil
			}
		}
		if p.Next == "" {
			return all, nil
		}
		if p.Next == q.After || len(p.Items) == 0 || len(all) > maxListed {
			return nil, fmt.Errorf("%s: answer of %s %s: %w: it has no end", at.Verb, at.What, at.ID, lattice.ErrInvalid)
		}
		q.After = p.Next
	}
}

// aboutList is a list that one host of the lattice tells.
func (c *Client) aboutList(verb, subject string) CallError {
	return CallError{Verb: verb, ID: c.cfg.Lattice, What: "host in lattice", Subject: subject}
}

// LinkStatuses returns all links of the lattice with their state, as one of its
// hosts finds it, ordered by source. The error matches lattice.ErrNotFound where no
// host speaks Lath.
func (c *Client) LinkStatuses(ctx context.Context) ([]lattice.LinkStatus, error) {
	return c.LinkStatusesFrom(ctx, "")
}

// LinkStatusesFrom is [Client.LinkStatuses] of the links of one source, or with an
// empty one of all.
func (c *Client) LinkStatusesFrom(ctx context.Context, source string) ([]lattice.LinkStatus, error) {
	return c.listLinks(ctx, listQuery{ID: source, States: true})
}

// LinksFrom returns the links of a source, or with an empty one all links, as one
// host of the lattice knows them, like [Client.Links], but however many there are.
// Errors are those of [Client.LinkStatuses].
func (c *Client) LinksFrom(ctx context.Context, source string) ([]lattice.Link, error) {
	all, err := c.listLinks(ctx, listQuery{ID: source})
	links := make([]lattice.Link, len(all))
	for i := range all {
		links[i] = all[i].Link
	}
	return links, err
}

func (c *Client) listLinks(ctx context.Context, q listQuery) ([]lattice.LinkStatus, error) {
	at := c.aboutList("link.list", lattice.LinkListSubject(c.cfg.Lattice))
	return listOf(ctx, c, at, q, maxListed, func(lattice.LinkStatus) error { return nil })
}

// Configs returns the names of all configs, in order, without their settings. The
// error matches lattice.ErrNotFound where no host speaks Lath.
func (c *Client) Configs(ctx context.Context) ([]ConfigInfo, error) {
	at := c.aboutList("config.list", lattice.ConfigListSubject(c.cfg.Lattice))
	return listOf(ctx, c, at, listQuery{}, maxListed, func(s ConfigInfo) error { return lattice.ValidConfigName(s.Name) })
}

// AllClaims returns the claims that the lattice knows, like [Client.Claims], but
// however many there are. The error matches lattice.ErrNotFound where no host
// speaks Lath.
func (c *Client) AllClaims(ctx context.Context) ([]map[string]string, error) {
	at := c.aboutList("claims.list", lattice.ClaimsListSubject(c.cfg.Lattice))
	return listOf(ctx, c, at, listQuery{}, maxListed, func(map[string]string) error { return nil })
}

// Peers returns the hosts that any one host of the lattice has heard, itself
// included, also those that it no longer hears. The error matches
// lattice.ErrNotFound where no host speaks Lath.
func (c *Client) Peers(ctx context.Context) ([]Peer, error) {
	at := c.aboutList("host.list", lattice.PeerListSubject(c.cfg.Lattice))
	return listOf(ctx, c, at, listQuery{}, maxListed, func(p Peer) error { return lattice.ValidHostID(p.ID) })
}

// Providers asks a host how its providers are, ordered by id. The error matches
// lattice.ErrNotFound where the host speaks no Lath.
func (c *Client) Providers(ctx context.Context, host string) ([]lattice.ProviderStatus, error) {
	if err := lattice.ValidHostID(host); err != nil {
		return nil, fmt.Errorf("providers: %w", err)
	}
	at := CallError{Verb: "providers", ID: host, What: "host", Subject: lattice.ProviderListSubject(c.cfg.Lattice, host)}
	return listOf(ctx, c, at, listQuery{}, maxListed, func(p lattice.ProviderStatus) error { return lattice.ValidID(p.ID) })
}
