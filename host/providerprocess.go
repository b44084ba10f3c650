package host

import (
	"context"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/provider/external"
	"github.com/lathhost/lath/lattice"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/state"
)

// startProcess starts a provider that is a program of its own.
func (h *Host) startProcess(ctx context.Context, p *runningProvider) error {
	program, err := h.program(ctx, p.ref)
	if err != nil {
		return err
	}
	p.claims = program.Claims
	log := h.log.With(zap.String("provider", p.id))
	p.output = newOutput(log, h.cfg.LogRate)
	p.process, err = external.Start(ctx, external.Config{
		ID: p.id, Ref: p.ref, Path: program.Path, Line: p.output.line, Log: log, Times: h.cfg.ProviderTimes, Limits: h.cfg.ProviderLimits,
		Lattice: h.cfg.Lattice, HostID: h.cfg.Identity.ID, Conn: h.cfg.RPCConn, Now: h.cfg.Now, Publish: h.publish,
		Data: func(ctx context.Context) (*wire.HostData, error) { return h.hostData(ctx, p) },
		Links: func(ctx context.Context, keys *wire.Keys) []wire.LinkDefinition {
			return h.processDefinitions(ctx, p, keys)
		},
		Values: p.settings.values,
	})
	if err != nil {
		p.output.close()
	}
	return err
}

// hostData is what a provider is told when it starts, but for its links.
func (h *Host) hostData(ctx context.Context, p *runningProvider) (*wire.HostData, error) {
	jwt, seed, err := h.cfg.Providers.User()
	if err != nil {
		return nil, fmt.Errorf("of providers: %w", err)
	}
	found, err := p.settings.fetch(ctx, p.entity())
	if err != nil {
		return nil, err
	}
	return &wire.HostData{HostID: h.cfg.Identity.ID, Lattice: h.cfg.Lattice, ProviderID: p.id,
		URL: h.cfg.RPCConn.ConnectedUrl(), UserJWT: jwt, UserSeed: seed, Config: p.settings.values(), Secrets: found,
		RPCTimeoutMillis: uint64(h.cfg.LinkTime.Milliseconds()), //nolint:gosec // it is positive
	}, nil
}

// linksOf are the links from and to an id.
func (h *Host) linksOf(id string) []lattice.Link {
	links := h.store.LinksFrom(id)
	for _, l := range h.store.LinksTo(id) {
		if l.SourceID != id {
			links = append(links, l)
		}
	}
	return links
}

// definition is a link with the values of its configs.
func (h *Host) definition(l lattice.Link) wire.LinkDefinition {
	d := wire.NewLinkDefinition(l)
	d.SourceConfig, d.TargetConfig = h.store.MergedConfig(l.SourceConfig), h.store.MergedConfig(l.TargetConfig)
	return d
}

func hasSecrets(l lattice.Link) bool {
	return slices.ContainsFunc(l.SourceConfig, state.IsSecret) || slices.ContainsFunc(l.TargetConfig, state.IsSecret)
}
