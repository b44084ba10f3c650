package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/state"
)

func (c *cli) providerCmd() *cobra.Command {
	cmd := asGroup(&cobra.Command{
		Use: "provider", Short: "Work on a capability provider",
		Example: "  lath provider host-data kv | ./my-provider",
	})
	cmd.AddCommand(c.hostDataCmd())
	return cmd
}

// placedProvider is a provider where it runs, in get's answer.
type placedProvider struct {
	lattice.ProviderStatus
	HostID   string `json:"host_id"`
	HostName string `json:"host_name"`
}

func (c *cli) getProvidersCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "providers", Short: "Show the providers, where they run and how they are", Aliases: []string{"provider"}, Example: "  lath get providers",
		Long: `Show the providers, where they run and how they are. A provider that is a process
starts, runs, is unhealthy (as it says itself) or silent (it does not say), restarts
after it has ended, or is in a crash loop: it ends soon after each start, and is
started ever more seldom. Of hosts that speak v1 alone the state is not known.`}
	return getter(c, cmd, 0,
		func(ctx context.Context, s *session, _ []string) ([]placedProvider, error) { return s.providers(ctx) },
		func(s *session, all []placedProvider) view {
			v := view{header: []any{"ID", "HOST", "STATE", "REFERENCE"},
				none: fmt.Sprintf("no provider runs in lattice %s: start one with: lath start provider ID REFERENCE", s.lattice)}
			for _, x := range all {
				v.add(x.ID, x.HostName, stateOf(x.ProviderStatus), x.ImageRef)
			}
			return v
		})
}

// stateOf says how a provider is, and why where it is not well.
func stateOf(s lattice.ProviderStatus) string {
	text := string(s.State)
	if s.RestartMilliseconds > 0 {
		text += fmt.Sprintf(" (next start in %s)", (time.Duration(s.RestartMilliseconds) * time.Millisecond).Round(100*time.Millisecond)) //nolint:gosec // a host tells at most 36 s
	}
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	if text == "" {
		return "?"
	}
	return text
}

// providers asks every host how its providers are.
func (s *session) providers(ctx context.Context) ([]placedProvider, error) {
	hosts, err := s.inventories(ctx)
	if err != nil {
		return nil, err
	}
	var out []placedProvider
	for _, h := range hosts {
		if len(h.Providers) == 0 {
			continue
		}
		all, err := s.ctl.Providers(ctx, h.HostID)
		if errors.Is(err, lattice.ErrNotFound) { // it speaks v1 alone
			for _, d := range h.Providers {
				all = append(all, lattice.ProviderStatus{ID: d.ID, ImageRef: d.ImageRef, Annotations: lattice.StringMap(d.Annotations)})
			}
		} else if err != nil {
			return nil, err
		}
		for _, p := range all {
			out = append(out, placedProvider{p, h.HostID, h.FriendlyName})
		}
	}
	slices.SortStableFunc(out, func(a, b placedProvider) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// hostDataFlags are those of provider host-data.
type hostDataFlags struct {
	lattice latticeFlags
	configs []string
}

func (c *cli) hostDataCmd() *cobra.Command {
	var f hostDataFlags
	cmd := &cobra.Command{
		Use: "host-data ID", Short: "Print what a provider reads when it starts, to start it by hand",
		Long: `Print the line that a capability provider reads from its standard input when it
starts: where its lattice is, its configuration and its links. With it a provider runs
anywhere, started by hand, by a debugger or by systemd, without a host: it serves under
its id as if a host had started it, and hears of new links. No host watches it, and
changes of its own configuration (--config) do not reach it.

The line has the credentials of --nats-creds in it, if any, which the provider connects
with: give it those of a user that may do what it has to, and keep the line out of logs.`,
		Example: "  lath provider host-data kv | ./my-provider\n  lath provider host-data kv --config kv-settings --nats-creds kv.creds > kv.hostdata",
		Args:    nargs(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.hostData(cmd, &f, args[0]) },
	}
	f.lattice.add(cmd)
	cmd.Flags().StringSliceVar(&f.configs, "config", nil, "name of settings that it is given, see lath config; repeatable, a later one wins")
	return cmd
}

func (c *cli) hostData(cmd *cobra.Command, f *hostDataFlags, id string) error {
	if err := lattice.ValidID(id); err != nil {
		return usagef("%w", err)
	}
	s, err := f.lattice.open(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	data := wire.HostData{Lattice: s.lattice, ProviderID: id, URL: f.lattice.url, InstanceID: uuid.NewString(),
		RPCTimeoutMillis: uint64(time.Minute.Milliseconds() / 2)}
	if data.UserJWT, data.UserSeed, err = f.lattice.auth.User(); err != nil {
		return err
	}
	if data.Config, err = s.merged(cmd.Context(), f.configs, false); err != nil {
		return err
	}
	if data.Links, err = s.linksOf(cmd.Context(), id); err != nil {
		return err
	}
	line, err := data.Encode()
	if err != nil {
		return err
	}
	if c.json() {
		return c.result(struct {
			HostData string `json:"host_data"`
		}{strings.TrimSpace(string(line))}, nil)
	}
	_, err = c.stdout.Write(line)
	return err
}

// merged reads named configs and merges them. One that is gone adds nothing to a
// link, as in a host.
func (s *session) merged(ctx context.Context, names []string, link bool) (map[string]string, error) {
	values := map[string]string{}
	for _, name := range names {
		if state.IsSecret(name) {
			return nil, fmt.Errorf("secret %s: %w: secrets are for providers that a host starts", name, lattice.ErrUnsupported)
		}
		one, err := s.ctl.Config(ctx, name)
		if err != nil && !(link && errors.Is(err, lattice.ErrNotFound)) {
			return nil, fmt.Errorf("config %s: %w", name, err)
		}
		maps.Copy(values, one)
	}
	return values, nil
}

// linksOf returns the links of a provider with their configuration.
func (s *session) linksOf(ctx context.Context, id string) ([]wire.LinkDefinition, error) {
	all, err := s.linkStatuses(ctx, "")
	if err != nil {
		return nil, err
	}
	var out []wire.LinkDefinition
	for _, l := range all {
		if l.SourceID != id && l.Target != id {
			continue
		}
		d := wire.NewLinkDefinition(l.Link)
		if d.SourceConfig, err = s.merged(ctx, l.SourceConfig, true); err == nil {
			d.TargetConfig, err = s.merged(ctx, l.TargetConfig, true)
		}
		if err != nil {
			return nil, fmt.Errorf("link %s: %w", l.Link, err)
		}
		out = append(out, d)
	}
	return out, nil
}
