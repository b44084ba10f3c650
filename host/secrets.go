package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/secrets"
	"github.com/lathhost/lath/lattice"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/secret"
	"github.com/lathhost/lath/lattice/state"
)

// annotationApplication is where v1's wadm says which application something is of.
const annotationApplication = "wasmcloud.dev/appspec"

// secretsTime bounds the fetching of the secrets of all links of one provider, which
// nothing else is done for meanwhile.
const secretsTime = 5 * time.Second

// openSecrets makes what finds secrets.
func (h *Host) openSecrets() (err error) {
	h.secrets, err = secrets.New(secrets.Config{Places: h.cfg.Secrets, Conn: h.cfg.Conn, Lattice: h.cfg.Lattice, Domain: h.cfg.JSDomain,
		Host: h.cfg.Identity, LookupEnv: os.LookupEnv, Granted: func(id string) []string { return h.cfg.Grants.For(id).Secrets }})
	return err
}

// fetchOne fetches the secret whose reference is the config of that name.
func (s *settings) fetchOne(ctx context.Context, config string, entity secret.Entity) (heldSecret, error) {
	values, ok := s.store.Config(config)
	if !ok {
		return heldSecret{}, fmt.Errorf("secret reference %s: %w", config, lattice.ErrNotFound)
	}
	r, err := secret.ParseReference(config, values)
	if err != nil {
		return heldSecret{}, err
	}
	value, err := s.finder.Get(ctx, secret.Request{Reference: r, Entity: entity})
	if err != nil {
		return heldSecret{}, err
	}
	return heldSecret{values, value}, nil
}

// fetch fetches all secrets, by the names that their entity knows.
func (s *settings) fetch(ctx context.Context, entity secret.Entity) (map[string]wire.Secret, error) {
	return s.fetchNames(ctx, *s.names.Load(), entity)
}

func (s *settings) fetchNames(ctx context.Context, configs []string, entity secret.Entity) (map[string]wire.Secret, error) {
	found := map[string]wire.Secret{}
	for _, config := range configs {
		if !state.IsSecret(config) {
			continue
		}
		held, err := s.fetchOne(ctx, config, entity)
		if err != nil {
			return nil, err
		}
		r, err := secret.ParseReference(config, held.reference)
		if err != nil {
			return nil, err
		}
		found[r.Name] = held.value
	}
	return found, nil
}

// secret returns the secret that the entity knows by a name: as it was fetched, or
// fetched again if its reference is another one by now.
func (s *settings) secret(ctx context.Context, name string) (wire.Secret, error) {
	config, reference := s.reference(name)
	if config == "" {
		return wire.Secret{}, fmt.Errorf("secret %.60q: %w", name, lattice.ErrNotFound)
	}
	if held, ok := (*s.held.Load())[config]; ok && maps.Equal(held.reference, reference) {
		return held.value, nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return wire.Secret{}, fmt.Errorf("secret %.60q: %w: it is being fetched", name, lattice.ErrTimeout)
	}
	before := s.held.Load()
	if held, ok := (*before)[config]; ok && maps.Equal(held.reference, reference) {
		return held.value, nil // by who was before us
	}
	fresh, err := s.fetchOne(ctx, config, s.entity)
	if err != nil {
		return wire.Secret{}, err
	}
	after := maps.Clone(*before)
	after[config] = fresh
	s.held.CompareAndSwap(before, &after) // else other names are used by now
	return fresh.value, nil
}

// reference returns the config that refers to the secret of a name; of several, the
// last one.
func (s *settings) reference(name string) (config string, values map[string]string) {
	for _, config := range slices.Backward(*s.names.Load()) {
		if !state.IsSecret(config) {
			continue
		}
		values, ok := s.store.Config(config)
		if !ok {
			continue
		}
		if r, err := secret.ParseReference(config, values); err == nil && r.Name == name {
			return config, values
		}
	}
	return "", nil
}

// entity is a provider as it asks for secrets.
func (p *runningProvider) entity() secret.Entity {
	e := secret.Entity{ID: p.id, Application: p.annotations[annotationApplication]}
	if p.claims != nil {
		e.Token = p.claims.Text
	}
	return e
}

// sealedSecrets are those of one end of a link, and the references that they came by.
// They are sealed once, so that definitions of the same are equal.
type sealedSecrets struct {
	references []map[string]string
	sealed     wire.Sealed
}

// linkEnd names one end of a link; the zero value is the provider itself.
type linkEnd struct {
	linkID
	source bool
}

// sealSecrets fetches the secrets of a provider's end of a link and seals them for it.
func (h *Host) sealSecrets(ctx context.Context, p *runningProvider, keys *wire.Keys, at linkEnd, configs []string) (wire.Sealed, error) {
	references := h.references(configs)
	if known, ok := p.sealed[at]; ok && slices.EqualFunc(known.references, references, maps.Equal) {
		return known.sealed, nil
	}
	found, err := p.settings.fetchNames(ctx, configs, p.entity())
	if err != nil {
		return nil, err
	}
	sealed, err := keys.Seal(found)
	if err != nil {
		return nil, err
	}
	if p.sealed == nil {
		p.sealed = map[linkEnd]sealedSecrets{}
	}
	p.sealed[at] = sealedSecrets{references, sealed}
	return sealed, nil
}

// withSecrets adds to a link's definition the secrets of those of its ends that are
// the provider. Only the goroutine that tells the provider calls it.
func (h *Host) withSecrets(ctx context.Context, p *runningProvider, keys *wire.Keys, l lattice.Link, d *wire.LinkDefinition) error {
	var err, err2 error
	if l.SourceID == p.id && slices.ContainsFunc(l.SourceConfig, state.IsSecret) {
		d.SourceSecrets, err = h.sealSecrets(ctx, p, keys, linkEnd{idOf(l), true}, l.SourceConfig)
	}
	if l.Target == p.id && slices.ContainsFunc(l.TargetConfig, state.IsSecret) {
		d.TargetSecrets, err2 = h.sealSecrets(ctx, p, keys, linkEnd{idOf(l), false}, l.TargetConfig)
	}
	return errors.Join(err, err2)
}

// processDefinitions are the links of a provider process with their configuration
// and its secrets. One whose secrets are not to be had is left out: it would be
// another link without them. It is tried again when the provider is next asked how
// it is.
func (h *Host) processDefinitions(ctx context.Context, p *runningProvider, keys *wire.Keys) []wire.LinkDefinition {
	ctx, cancel := context.WithTimeout(ctx, secretsTime)
	defer cancel()
	var list []wire.LinkDefinition
	for _, l := range h.linksOf(p.id) {
		d := h.definition(l)
		if err := h.withSecrets(ctx, p, keys, l, &d); err != nil {
			h.log.Warn("link not told: its secrets are not to be had", zap.String("provider", p.id), zap.Stringer("link", l), zap.Error(err))
			continue
		}
		list = append(list, d)
	}
	for at := range p.sealed {
		if !slices.ContainsFunc(list, func(d wire.LinkDefinition) bool { return idOf(d.Link()) == at.linkID }) {
			delete(p.sealed, at)
		}
	}
	return list
}

// secretEnd is an end of a link at a provider, or the provider itself, with the configs
// that it names.
type secretEnd struct {
	at      linkEnd
	link    lattice.Link
	configs []string
}

// linkEnds are the ends of links at an id; those of links that start there come first.
func (h *Host) linkEnds(id string) []secretEnd {
	var list []secretEnd
	for _, l := range h.store.LinksFrom(id) {
		list = append(list, secretEnd{linkEnd{idOf(l), true}, l, l.SourceConfig})
	}
	for _, l := range h.store.LinksTo(id) {
		list = append(list, secretEnd{linkEnd{idOf(l), false}, l, l.TargetConfig})
	}
	return list
}

// openSecrets are the plain secrets of a built-in provider and of its links, as they were
// fetched last.
type openSecrets struct {
	mu   sync.Mutex
	ends map[linkEnd]fetchedSecrets
}

// fetchedSecrets are those of one end, and the references that they came by.
type fetchedSecrets struct {
	configs    []string
	references []map[string]string
	found      map[string]wire.Secret
	err        error // of the last attempt
}

func (o *openSecrets) at(e linkEnd) (fetchedSecrets, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f, ok := o.ends[e]
	return f, ok
}

// fetchOpen fetches the secrets of these ends, and forgets those of others. What was
// fetched by the same references is not fetched again.
func (h *Host) fetchOpen(ctx context.Context, p *runningProvider, ends []secretEnd) {
	ctx, cancel := context.WithTimeout(ctx, secretsTime)
	defer cancel()
	now := map[linkEnd]fetchedSecrets{}
	for _, e := range ends {
		references := h.references(e.configs)
		known, _ := p.secrets.at(e.at)
		if !slices.Equal(known.configs, e.configs) {
			known = fetchedSecrets{configs: e.configs}
		}
		if known.found == nil || known.err != nil || !slices.EqualFunc(known.references, references, maps.Equal) {
			known.references = references
			found, err := p.settings.fetchNames(ctx, e.configs, p.entity())
			if known.err = err; err == nil {
				known.found = found
			}
		}
		now[e.at] = known
	}
	p.secrets.mu.Lock()
	defer p.secrets.mu.Unlock()
	p.secrets.ends = now
}

// references are those to secrets among configs, as they are stored now.
func (h *Host) references(configs []string) []map[string]string {
	var list []map[string]string
	for _, config := range configs {
		if state.IsSecret(config) {
			values, _ := h.store.Config(config)
			list = append(list, values)
		}
	}
	return list
}

var errFetching = fmt.Errorf("%w: its secrets are being fetched", lattice.ErrBusy)

// endSettings are the settings of an end, with the secrets that were fetched last. The
// error says why they are not to be had, or not yet.
func (h *Host) endSettings(p *runningProvider, at linkEnd, configs []string) (wire.Settings, error) {
	s := wire.Settings{Config: h.store.MergedConfig(configs)}
	if !slices.ContainsFunc(configs, state.IsSecret) {
		return s, nil
	}
	known, ok := p.secrets.at(at)
	if !ok || !slices.Equal(known.configs, configs) {
		return s, errFetching
	}
	s.Secrets = known.found
	return s, known.err
}
