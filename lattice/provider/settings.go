package provider

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lathhost/lath/lattice"
)

// Settings are what configures a provider, or its end of a link. A secret is a setting
// whose value is not to be seen: it counts before one of the same name in Config.
type Settings struct {
	// Config is merged from named configs.
	Config map[string]string
	// Secrets are by the names that their references give them.
	Secrets map[string]Secret
}

// Over returns these settings joined with others, for what they do not say; names are
// in lower case, since v1's providers compare them without regard to case. No name is
// left in both maps, and neither map is nil.
func (s Settings) Over(base Settings) Settings {
	out := Settings{map[string]string{}, map[string]Secret{}}
	for _, layer := range []Settings{base, s} {
		for _, name := range slices.Sorted(maps.Keys(layer.Config)) {
			lower := strings.ToLower(name)
			out.Config[lower] = layer.Config[name]
			delete(out.Secrets, lower)
		}
		for _, name := range slices.Sorted(maps.Keys(layer.Secrets)) {
			lower := strings.ToLower(name)
			out.Secrets[lower] = layer.Secrets[name]
			delete(out.Config, lower)
		}
	}
	return out
}

// Equal says whether both have the same values, secrets included.
func (s Settings) Equal(o Settings) bool {
	return maps.Equal(s.Config, o.Config) && maps.EqualFunc(s.Secrets, o.Secrets, Secret.Equal)
}

// Clone returns a copy that shares no map with s.
func (s Settings) Clone() Settings {
	return Settings{maps.Clone(s.Config), maps.Clone(s.Secrets)}
}

// Link is a link that starts or ends at a provider, with the settings of this end. Its
// SourceConfig and TargetConfig, which name configs, are empty.
type Link struct {
	lattice.Link
	// IsSource: the link starts here, so that the provider calls its target.
	IsSource bool
	Settings
	// Err says why the secrets of this end are not to be had: the link does not work
	// then, since it would be another one without them. Nil: they are all there.
	Err error
}

// Equal says whether both say the same.
func (l Link) Equal(o Link) bool {
	return l.Link.Equal(o.Link) && l.IsSource == o.IsSource && l.Settings.Equal(o.Settings) && sameError(l.Err, o.Err)
}

func sameError(a, b error) bool {
	return (a == nil) == (b == nil) && (a == nil || errors.Is(a, b) || a.Error() == b.Error())
}

// String names the link, and shows no setting.
func (l Link) String() string { return l.Link.String() }

// GoString is String: what %#v prints of an error may say more than is meant for a log.
func (l Link) GoString() string { return fmt.Sprintf("provider.Link{%s}", l) }
