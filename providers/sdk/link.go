package sdk

import (
	"context"
	"slices"

	wire "github.com/lathhost/lath/lattice/provider"
)

// Secret is the value of a secret. Printing it does not show the value.
type Secret = wire.Secret

// Link is a link that starts or ends at the provider, with its configuration and
// secrets for this end. Its Err is nil: a link whose secrets are not to be read is left
// out.
type Link = wire.Link

// open reads a definition from this end.
func (s *Session) open(d wire.LinkDefinition) (Link, error) {
	l := Link{Link: d.Link(), IsSource: d.SourceID == s.data.ProviderID}
	l.Config = d.TargetConfig
	sealed := d.TargetSecrets
	if l.IsSource {
		l.Config, sealed = d.SourceConfig, d.SourceSecrets
	}
	var err error
	l.Secrets, err = s.data.OpenSecrets(sealed)
	return l, err
}

// linkTable is the links of one provider: few enough to look through.
type linkTable struct {
	id    string // the provider's
	links []Link
}

func (t *linkTable) index(l Link) int {
	return slices.IndexFunc(t.links, func(x Link) bool { return x.Key() == l.Key() && x.Target == l.Target })
}

func (t *linkTable) get(l Link) (Link, bool) {
	if i := t.index(l); i >= 0 {
		return t.links[i], true
	}
	return Link{}, false
}

func (t *linkTable) put(l Link) {
	t.remove(l)
	t.links = append(t.links, l)
}

func (t *linkTable) remove(l Link) {
	if i := t.index(l); i >= 0 {
		t.links = slices.Delete(t.links, i, i+1)
	}
}

func (t *linkTable) all() []Link { return slices.Clone(t.links) }

// find finds the link of the call that ctx belongs to.
func (t *linkTable) find(ctx context.Context, pkg string) (Link, bool) {
	for _, l := range t.links {
		if wire.Incoming(ctx, l.Link, t.id, pkg) {
			return l, true
		}
	}
	return Link{}, false
}
