package ctl

import (
	"context"
	"fmt"

	"github.com/lathhost/lath/lattice"
)

// lane says which of a server's queues a verb waits in, so that quick questions
// never wait behind slow work.
type lane int

const (
	asks lane = iota
	acts
	lanes
)

// answer is what a verb's entry makes of a handled request.
type answer struct {
	message  string
	response any  // nil for none
	silent   bool // nothing at all is answered
}

// request is one request as its verb's entry gets it.
type request struct {
	verb string // the kind and the verb, such as "component.scale"
	name string // what the subject names: a config, or this host
	body []byte
	id   string // of the command; empty for none
	// ends: it only stops or takes away, and doing it twice is doing it once. So it
	// is done also where there is no room to record it.
	ends bool
}

// call is one verb's entry: it decodes a request's body and calls the handler.
// What changes anything does so within Server.once or Server.begin.
type call func(ctx context.Context, s *Server, r *request) (answer, error)

type verb struct {
	lane lane
	call call
	// parts is what to type where the answer does not fit one message.
	parts string
}

// verbName is a kind and a verb as the subject has them.
type verbName struct{ kind, verb string }

// verbs are all verbs that this server knows. A kind whose first verb appears
// here also needs its subscription in Server.Start.
func verbs() map[verbName]verb {
	return map[verbName]verb{
		{lattice.KindHost, "ping"}:         {lane: asks, call: pingHost},
		{lattice.KindHost, "get"}:          {lane: asks, call: getInventory, parts: "lath get inventory HOST"},
		{lattice.KindHost, "stop"}:         {lane: asks, call: stopHost},
		{lattice.KindComponent, "auction"}: {lane: asks, call: auctionComponent},
		{lattice.KindComponent, "scale"}:   {lane: acts, call: scaleComponent},
		{lattice.KindComponent, "update"}:  {lane: acts, call: updateComponent},
		{lattice.KindProvider, "auction"}:  {lane: asks, call: auctionProvider},
		{lattice.KindProvider, "start"}:    {lane: acts, call: startProvider},
		{lattice.KindProvider, "stop"}:     {lane: acts, call: stopProvider},
		{lattice.KindLabel, "put"}:         {lane: asks, call: putLabel},
		{lattice.KindLabel, "del"}:         {lane: asks, call: deleteLabel},
		{lattice.KindLink, "get"}:          {lane: asks, call: getLinks, parts: "lath get links"},
		{lattice.KindLink, "put"}:          {lane: acts, call: putLink},
		{lattice.KindLink, "del"}:          {lane: acts, call: deleteLink},
		{lattice.KindClaims, "get"}:        {lane: asks, call: getClaims, parts: "lath get claims"},
		{lattice.KindConfig, "get"}:        {lane: asks, call: getConfig},
		{lattice.KindConfig, "put"}:        {lane: acts, call: putConfig},
		{lattice.KindConfig, "del"}:        {lane: acts, call: deleteConfig},
		{lattice.KindRegistry, "put"}:      {lane: asks, call: putRegistries},
	}
}

func pingHost(ctx context.Context, s *Server, _ *request) (answer, error) {
	host, err := s.cfg.Handler.PingHost(ctx)
	return answer{response: host}, err
}

func getInventory(ctx context.Context, s *Server, _ *request) (answer, error) {
	inventory, err := s.cfg.Handler.Inventory(ctx)
	return answer{response: inventory}, err
}

func stopHost(ctx context.Context, s *Server, r *request) (answer, error) {
	var req StopHost
	if len(r.body) > 0 {
		if err := decode("stop command", r.body, &req); err != nil {
			return answer{}, err
		}
	}
	if req.HostID != "" && req.HostID != s.cfg.HostID {
		return answer{}, fmt.Errorf("%w host_id [%.64s]", lattice.ErrInvalid, req.HostID)
	}
	r.ends = true
	return s.begin(ctx, r, s.cfg.HostID, func(ended Outcome) (answer, error) {
		return answer{message: "successfully handled stop host"}, s.cfg.Handler.StopHost(ctx, &req, ended)
	})
}

func scaleComponent(ctx context.Context, s *Server, r *request) (answer, error) {
	var req ScaleComponent
	if err := decodeChecked("component scale command", r.body, &req); err != nil {
		return answer{}, err
	}
	r.ends = req.MaxInstances == 0
	return s.begin(ctx, r, req.ComponentID, func(ended Outcome) (answer, error) {
		message, err := s.cfg.Handler.ScaleComponent(ctx, &req, ended)
		return answer{message: message}, err
	})
}

func updateComponent(ctx context.Context, s *Server, r *request) (answer, error) {
	var req UpdateComponent
	if err := decodeChecked("component update command", r.body, &req); err != nil {
		return answer{}, err
	}
	return s.begin(ctx, r, req.ComponentID, func(ended Outcome) (answer, error) {
		message, err := s.cfg.Handler.UpdateComponent(ctx, &req, ended)
		return answer{message: message}, err
	})
}

func startProvider(ctx context.Context, s *Server, r *request) (answer, error) {
	var req StartProvider
	if err := decodeChecked("provider start command", r.body, &req); err != nil {
		return answer{}, err
	}
	return s.begin(ctx, r, req.ProviderID, func(ended Outcome) (answer, error) {
		return answer{message: "successfully started provider"}, s.cfg.Handler.StartProvider(ctx, &req, ended)
	})
}

func stopProvider(ctx context.Context, s *Server, r *request) (answer, error) {
	var req StopProvider
	if err := decodeChecked("provider stop command", r.body, &req); err != nil {
		return answer{}, err
	}
	r.ends = true
	return s.begin(ctx, r, req.ProviderID, func(ended Outcome) (answer, error) {
		return answer{message: "successfully stopped provider"}, s.cfg.Handler.StopProvider(ctx, &req, ended)
	})
}

func getLinks(ctx context.Context, s *Server, _ *request) (answer, error) {
	links, err := s.cfg.Handler.Links(ctx)
	if links == nil {
		links = []lattice.Link{}
	}
	return answer{response: links}, err
}

func putLink(ctx context.Context, s *Server, r *request) (answer, error) {
	var link lattice.Link
	if err := decode("wrpc link definition", r.body, &link); err != nil {
		return answer{}, err
	}
	if err := link.Validate(); err != nil {
		return answer{}, err
	}
	return s.once(ctx, r, link.String(), func() (answer, error) {
		return answer{message: "successfully set link"}, s.cfg.Handler.PutLink(ctx, link)
	})
}

func deleteLink(ctx context.Context, s *Server, r *request) (answer, error) {
	var req DeleteLink
	if err := decodeChecked("wrpc link definition", r.body, &req); err != nil {
		return answer{}, err
	}
	r.ends = true
	return s.once(ctx, r, req.SourceID+" for "+req.WITNamespace+":"+req.WITPackage, func() (answer, error) {
		known, err := s.cfg.Handler.DeleteLink(ctx, req.Key())
		if !known {
			return answer{message: "successfully deleted link (spec doesn't exist)"}, err
		}
		return answer{message: "successfully deleted link"}, err
	})
}

// decode reads a body; what names it as v1's error text does.
func decode(what string, body []byte, into any) error {
	if err := lattice.DecodeJSON(body, MaxRequestSize, into); err != nil {
		return fmt.Errorf("failed to deserialize %s: %w", what, err)
	}
	return nil
}

func decodeChecked(what string, body []byte, into interface{ validate() error }) error {
	if err := decode(what, body, into); err != nil {
		return err
	}
	return into.validate()
}
