package ctl

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/lathhost/lath/lattice"
)

// maxConstraints bounds the labels that one auction asks for.
const maxConstraints = 256

// ComponentAuction asks all hosts which of them would run a component. A host
// bids if it has every label of the constraints and does not run the id already;
// the others are silent.
type ComponentAuction struct {
	ComponentRef string            `json:"component_ref"`
	ComponentID  string            `json:"component_id"`
	Constraints  map[string]string `json:"constraints"`
}

func (r *ComponentAuction) validate() error {
	return errors.Join(
		reference("component_ref", r.ComponentRef),
		wrongID("component_id", r.ComponentID),
		texts("constraints", r.Constraints, maxConstraints),
	)
}

// ComponentBid is one host's answer to a [ComponentAuction].
type ComponentBid struct {
	ComponentRef string            `json:"component_ref"`
	ComponentID  string            `json:"component_id"`
	HostID       string            `json:"host_id"`
	Constraints  map[string]string `json:"constraints"`
}

// ProviderAuction asks all hosts which of them would run a capability provider,
// like a [ComponentAuction].
type ProviderAuction struct {
	ProviderRef string            `json:"provider_ref"`
	ProviderID  string            `json:"provider_id"`
	Constraints map[string]string `json:"constraints"`
}

func (r *ProviderAuction) validate() error {
	return errors.Join(
		reference("provider_ref", r.ProviderRef),
		wrongID("provider_id", r.ProviderID),
		texts("constraints", r.Constraints, maxConstraints),
	)
}

// ProviderBid is one host's answer to a [ProviderAuction].
type ProviderBid struct {
	HostID      string            `json:"host_id"`
	ProviderRef string            `json:"provider_ref"`
	ProviderID  string            `json:"provider_id"`
	Constraints map[string]string `json:"constraints"`
}

func auctionComponent(ctx context.Context, s *Server, r *request) (answer, error) {
	var req ComponentAuction
	if err := decodeChecked("component auction", r.body, &req); err != nil {
		return answer{}, err
	}
	if !s.cfg.Handler.BidForComponent(ctx, &req) {
		return answer{silent: true}, nil
	}
	return answer{response: ComponentBid{ComponentRef: req.ComponentRef, ComponentID: req.ComponentID,
		HostID: s.cfg.HostID, Constraints: lattice.StringMap(req.Constraints)}}, nil
}

func auctionProvider(ctx context.Context, s *Server, r *request) (answer, error) {
	var req ProviderAuction
	if err := decodeChecked("provider auction", r.body, &req); err != nil {
		return answer{}, err
	}
	if !s.cfg.Handler.BidForProvider(ctx, &req) {
		return answer{silent: true}, nil
	}
	return answer{response: ProviderBid{HostID: s.cfg.HostID, ProviderRef: req.ProviderRef, ProviderID: req.ProviderID,
		Constraints: lattice.StringMap(req.Constraints)}}, nil
}

// AuctionComponent asks all hosts which of them would run a component, and
// returns their bids, ordered by host. None is no error: nobody would, or can, or
// is there. See [Client.PingHosts] for how long it waits.
func (c *Client) AuctionComponent(ctx context.Context, req ComponentAuction) ([]ComponentBid, error) {
	req.Constraints = lattice.StringMap(req.Constraints)
	return auction(ctx, c, lattice.KindComponent, req, func(b ComponentBid) string { return b.HostID })
}

// AuctionProvider asks all hosts which of them would run a provider, like
// [Client.AuctionComponent].
func (c *Client) AuctionProvider(ctx context.Context, req ProviderAuction) ([]ProviderBid, error) {
	req.Constraints = lattice.StringMap(req.Constraints)
	return auction(ctx, c, lattice.KindProvider, req, func(b ProviderBid) string { return b.HostID })
}

func auction[Bid any](ctx context.Context, c *Client, kind string, req any, host func(Bid) string) ([]Bid, error) {
	bids, err := gatherAs[Bid](ctx, c, kind, "auction", req)
	if errors.Is(err, lattice.ErrTimeout) {
		return nil, nil // all hosts may be silent
	}
	bids = slices.DeleteFunc(bids, func(b Bid) bool { return lattice.ValidHostID(host(b)) != nil })
	slices.SortFunc(bids, func(a, b Bid) int { return strings.Compare(host(a), host(b)) })
	return bids, err
}
