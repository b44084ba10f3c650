package lattice

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// DefaultLinkName is the name of a link that was given none.
const DefaultLinkName = "default"

// Limits of one link, far above what people write and far below what would
// make a spec unreadable.
const (
	MaxLinkInterfaces = 256
	MaxLinkConfigs    = 256
)

// Link is an operator's decision that one component's or provider's import of
// some interfaces of a WIT package is served by another. Its JSON is that of
// wasmCloud v1, in stored specs and on the control interface alike.
type Link struct {
	// SourceID is the importer, Target the exporter: ids, not references.
	SourceID string `json:"source_id"`
	Target   string `json:"target"`
	// Name tells apart the links of one source for the same interface.
	Name         string `json:"name"`
	WITNamespace string `json:"wit_namespace"`
	WITPackage   string `json:"wit_package"`
	// Interfaces are bare names, such as "store", without version.
	Interfaces []string `json:"interfaces"`
	// SourceConfig and TargetConfig name configs and, where they start with
	// SECRET_, references to secrets.
	SourceConfig []string `json:"source_config"`
	TargetConfig []string `json:"target_config"`
}

// LinkKey is what a v1 delete request names. It is the identity of a link but
// for one thing: a source may link disjoint interfaces of one package to
// different targets under the same name, and these share a key.
type LinkKey struct {
	SourceID, Name, WITNamespace, WITPackage string
}

// Key returns the link's key.
func (l Link) Key() LinkKey {
	return LinkKey{SourceID: l.SourceID, Name: l.Name, WITNamespace: l.WITNamespace, WITPackage: l.WITPackage}
}

// Package returns "namespace:package".
func (l Link) Package() string { return l.WITNamespace + ":" + l.WITPackage }

// Interface returns the full name of one of its interfaces, without version:
// "namespace:package/interface".
func (l Link) Interface(name string) string { return l.Package() + "/" + name }

// String names the link for people: source -(name)-> target for package.
func (l Link) String() string {
	return fmt.Sprintf("%s -(%s)-> %s for %s", l.SourceID, l.Name, l.Target, l.Package())
}

// Clone returns a copy that shares no memory with l.
func (l Link) Clone() Link {
	l.Interfaces = slices.Clone(l.Interfaces)
	l.SourceConfig = slices.Clone(l.SourceConfig)
	l.TargetConfig = slices.Clone(l.TargetConfig)
	return l
}

// Equal says whether both links are the same in every field, in order; an
// absent list equals an empty one, as on the wire.
func (l Link) Equal(o Link) bool {
	return l.Key() == o.Key() && l.Target == o.Target &&
		slices.Equal(l.Interfaces, o.Interfaces) &&
		slices.Equal(l.SourceConfig, o.SourceConfig) &&
		slices.Equal(l.TargetConfig, o.TargetConfig)
}

// ConflictsWith says whether l and o, being links of one source, promise the
// same interface under the same name to different targets.
func (l Link) ConflictsWith(o Link) bool {
	return l.Key() == o.Key() && l.Target != o.Target &&
		slices.ContainsFunc(l.Interfaces, func(i string) bool { return slices.Contains(o.Interfaces, i) })
}

// Replaces says whether putting l overwrites the stored link o.
func (l Link) Replaces(o Link) bool { return l.Key() == o.Key() && l.Target == o.Target }

// Validate reports everything that is wrong with a link that someone wants to
// put; the errors match ErrInvalid.
func (l Link) Validate() error {
	errs := []error{
		named("link source", ValidID(l.SourceID)),
		named("link target", ValidID(l.Target)),
		ValidLinkName(l.Name),
		validWIT("wit namespace", l.WITNamespace),
		validWIT("wit package", l.WITPackage),
		count("interfaces", len(l.Interfaces), MaxLinkInterfaces),
		count("source configs", len(l.SourceConfig), MaxLinkConfigs),
		count("target configs", len(l.TargetConfig), MaxLinkConfigs),
	}
	if len(l.Interfaces) == 0 {
		errs = append(errs, fmt.Errorf("interfaces: %w: a link needs at least one", ErrInvalid))
	}
	for _, name := range clipList(l.Interfaces, MaxLinkInterfaces) {
		errs = append(errs, validWIT("interface", name))
	}
	for _, names := range [][]string{l.SourceConfig, l.TargetConfig} {
		for _, name := range clipList(names, MaxLinkConfigs) {
			errs = append(errs, ValidConfigName(name))
		}
	}
	return errors.Join(errs...)
}

func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

func count(what string, n, limit int) error {
	if n <= limit {
		return nil
	}
	return fmt.Errorf("%s: %w: %d of them, the limit is %d", what, ErrInvalid, n, limit)
}

func clipList(list []string, limit int) []string { return list[:min(len(list), limit)] }

// linkJSON has Link's fields without its methods.
type linkJSON Link

// MarshalJSON writes v1's form: lists are never null and the name never empty.
func (l Link) MarshalJSON() ([]byte, error) {
	if l.Name == "" {
		l.Name = DefaultLinkName
	}
	l.Interfaces = orEmpty(l.Interfaces)
	l.SourceConfig = orEmpty(l.SourceConfig)
	l.TargetConfig = orEmpty(l.TargetConfig)
	return EncodeJSON(linkJSON(l))
}

// UnmarshalJSON reads v1's form. A missing or empty name becomes "default" and
// missing lists become empty; the four fields that name the link's ends and
// package are required to be there, and checked no further than that.
func (l *Link) UnmarshalJSON(data []byte) error {
	var in linkJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	for _, f := range []struct{ name, value string }{
		{"source_id", in.SourceID}, {"target", in.Target},
		{"wit_namespace", in.WITNamespace}, {"wit_package", in.WITPackage},
	} {
		if f.value == "" {
			return fmt.Errorf("link: %w: no %s", ErrInvalid, f.name)
		}
	}
	if in.Name == "" {
		in.Name = DefaultLinkName
	}
	in.Interfaces = orEmpty(in.Interfaces)
	in.SourceConfig = orEmpty(in.SourceConfig)
	in.TargetConfig = orEmpty(in.TargetConfig)
	*l = Link(in)
	return nil
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
