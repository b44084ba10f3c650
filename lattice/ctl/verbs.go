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
}

// call is one verb's entry: it decodes a request's body and calls the handler.
// What changes anything does so within Server.once or Server.begin.
type call func(ctx context.Context, s *Server, r *request) (answer, error)

type verb struct {
	lane lane
	call call
}

// verbName is a kind and a verb as the subject has them.
type verbName struct{ kind, verb string }

// verbs are all verbs that this server knows. A kind whose first verb appears
// here also needs its subscription in Server.Start.
func verbs() map[verbName]verb {
	return map[verbName]verb{
		{lattice.KindHost, "ping"}:         {asks, pingHost},
		{lattice.KindHost, "get"}:          {asks, getInventory},
		{lattice.KindHost, "stop"}:         {asks, stopHost},
		{lattice.KindComponent, "auction"}: {asks, auctionComponent},
		{lattice.KindComponent, "scale"}:   {acts, scaleComponent},
		{lattice.KindComponent, "update"}:  {acts, updateComponent},
		{lattice.KindProvider, "auction"}:  {asks, auctionProvider},
		{lattice.KindProvider, "start"}:    {acts, startProvider},
		{lattice.KindProvider, "stop"}:     {acts, stopProvider},
		{lattice.KindLabel, "put"}:         {asks, putLabel},
		{lattice.KindLabel, "del"}:         {asks, deleteLabel},
		{lattice.KindLink, "get"}:          {asks, getLinks},
		{lattice.KindLink, "put"}:          {acts, putLink},
		{lattice.KindLink, "del"}:          {acts, deleteLink},
		{lattice.KindClaims, "get"}:        {asks, getClaims},
		{lattice.KindConfig, "get"}:        {asks, getConfig},
		{lattice.KindConfig, "put"}:        {acts, putConfig},
		{lattice.KindConfig, "del"}:        {acts, deleteConfig},
		{lattice.KindRegistry, "put"}:      {asks, putRegistries},
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
	return s.begin(ctx, r, s.cfg.HostID, func(ended Outcome) (answer, error) {
		return answer{message: "successfully handled stop host"}, s.cfg.Handler.StopHost(ctx, &req, ended)
	})
}

func scaleComponent(ctx context.Context, s *Server, r *request) (answer, error) {
	var req ScaleComponent
	if err := decodeChecked("component scale command", r.body, &req); err != nil {
		return answer{}, err
	}
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
	return s.once(ctx, r, req.ProviderID, func() (answer, error) {
		return answer{message: "successfully stopped provider"}, s.cfg.Handler.StopProvider(ctx, &req)
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
