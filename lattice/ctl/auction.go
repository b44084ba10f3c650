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
		required("component_ref", r.ComponentRef),
		wrongID("component_id", r.ComponentID),
		atMost("constraints", len(r.Constraints), maxConstraints),
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
		required("provider_ref", r.ProviderRef),
		wrongID("provider_id", r.ProviderID),
		atMost("constraints", len(r.Constraints), maxConstraints),
	)
}

// ProviderBid is one host's answer to a [ProviderAuction].
type ProviderBid struct {
	HostID      string            `json:"host_id"`
	ProviderRef string            `json:"provider_ref"`
	ProviderID  string            `json:"provider_id"`
	Constraints map[string]string `json:"constraints"`
}

func auctionComponent(ctx context.Context, s *Server, _ string, body []byte) (answer, error) {
	var req ComponentAuction
	if err := decodeChecked("component auction", body, &req); err != nil {
		return answer{}, err
	}
	if !s.cfg.Handler.BidForComponent(ctx, &req) {
		return answer{silent: true}, nil
	}
	return answer{response: ComponentBid{ComponentRef: req.ComponentRef, ComponentID: req.ComponentID,
		HostID: s.cfg.HostID, Constraints: lattice.StringMap(req.Constraints)}}, nil
}

func auctionProvider(ctx context.Context, s *Server, _ string, body []byte) (answer, error) {
	var req ProviderAuction
	if err := decodeChecked("provider auction", body, &req); err != nil {
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
	bids, err := gatherAs[ComponentBid](ctx, c, lattice.KindComponent, "auction", req)
	bids = slices.DeleteFunc(bids, func(b ComponentBid) bool { return lattice.ValidHostID(b.HostID) != nil })
	slices.SortFunc(bids, func(a, b ComponentBid) int { return strings.Compare(a.HostID, b.HostID) })
	return bids, err
}

// AuctionProvider asks all hosts which of them would run a provider, like
// [Client.AuctionComponent].
func (c *Client) AuctionProvider(ctx context.Context, req ProviderAuction) ([]ProviderBid, error) {
	req.Constraints = lattice.StringMap(req.Constraints)
	bids, err := gatherAs[ProviderBid](ctx, c, lattice.KindProvider, "auction", req)
	bids = slices.DeleteFunc(bids, func(b ProviderBid) bool { return lattice.ValidHostID(b.HostID) != nil })
	slices.SortFunc(bids, func(a, b ProviderBid) int { return strings.Compare(a.HostID, b.HostID) })
	return bids, err
}

// gatherAs sends a question to all hosts and returns what answers make sense.
// Nobody's answer is no error.
func gatherAs[T any](ctx context.Context, c *Client, kind, verb string, req any) ([]T, error) {
	body, err := lattice.EncodeJSON(req)
	if err != nil {
		return nil, err
	}
	subject := c.subjects.Verb(kind, verb)
	var list []T
	err = c.gather(ctx, subject, body, func(data []byte) {
		e, err := decodeEnvelope(data)
		if err != nil || !e.Success {
			return
		}
		var one T
		if lattice.DecodeJSON(e.Response, MaxRequestSize, &one) == nil {
			list = append(list, one)
		}
	})
	if err != nil && !errors.Is(err, lattice.ErrTimeout) { // all hosts may be silent
		return nil, &CallError{Verb: kind + "." + verb, What: "lattice", ID: c.cfg.Lattice, Subject: subject, URL: c.url(), Err: err}
	}
	return list, nil
}
