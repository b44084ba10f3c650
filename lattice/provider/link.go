package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/lathhost/lath/lattice"
)

// LinkDefinition is a link as a provider is told it: with the values of its
// configs in place of their names.
type LinkDefinition struct {
	SourceID     string            `json:"source_id"`
	Target       string            `json:"target"`
	Name         string            `json:"name"`
	WITNamespace string            `json:"wit_namespace"`
	WITPackage   string            `json:"wit_package"`
	Interfaces   []string          `json:"interfaces"`
	SourceConfig map[string]string `json:"source_config"`
	TargetConfig map[string]string `json:"target_config"`
	// SourceSecrets and TargetSecrets are sealed for one provider, and nil
	// where there are none.
	SourceSecrets Sealed `json:"source_secrets"`
	TargetSecrets Sealed `json:"target_secrets"`
}

// NewLinkDefinition returns the definition of a link without configuration, as
// it is told when the link is deleted.
func NewLinkDefinition(l lattice.Link) LinkDefinition {
	l = l.Clone()
	return LinkDefinition{SourceID: l.SourceID, Target: l.Target, Name: l.Name,
		WITNamespace: l.WITNamespace, WITPackage: l.WITPackage, Interfaces: l.Interfaces}
}

// Link returns the link without its configuration.
func (d LinkDefinition) Link() lattice.Link {
	l := lattice.Link{SourceID: d.SourceID, Target: d.Target, Name: d.Name,
		WITNamespace: d.WITNamespace, WITPackage: d.WITPackage, Interfaces: d.Interfaces}
	return l.Clone()
}

// Equal says whether both say the same. Sealing the same secrets twice does not
// give the same bytes: who compares definitions seals once.
func (d LinkDefinition) Equal(o LinkDefinition) bool {
	return bytes.Equal(d.SourceSecrets, o.SourceSecrets) && bytes.Equal(d.TargetSecrets, o.TargetSecrets) &&
		d.Link().Equal(o.Link()) && maps.Equal(d.SourceConfig, o.SourceConfig) && maps.Equal(d.TargetConfig, o.TargetConfig)
}

type linkDefinitionJSON LinkDefinition

// MarshalJSON writes v1's form, in which lists and maps are never null.
func (d LinkDefinition) MarshalJSON() ([]byte, error) {
	if d.Name == "" {
		d.Name = lattice.DefaultLinkName
	}
	if d.Interfaces == nil {
		d.Interfaces = []string{}
	}
	d.SourceConfig, d.TargetConfig = lattice.StringMap(d.SourceConfig), lattice.StringMap(d.TargetConfig)
	return lattice.EncodeJSON(linkDefinitionJSON(d))
}

// UnmarshalJSON reads v1's form and checks it as a link that is put is checked:
// v1's own decoder takes no definition without its ends and interfaces either.
func (d *LinkDefinition) UnmarshalJSON(data []byte) error {
	var in linkDefinitionJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	if in.Name == "" {
		in.Name = lattice.DefaultLinkName
	}
	in.SourceConfig, in.TargetConfig = lattice.StringMap(in.SourceConfig), lattice.StringMap(in.TargetConfig)
	if err := LinkDefinition(in).Link().Validate(); err != nil {
		return fmt.Errorf("link definition: %w", err)
	}
	*d = LinkDefinition(in)
	return nil
}

// Sealed is what only one provider can read; see [Keys.Seal]. Its JSON is a list
// of numbers, as v1's: Go's own form of bytes is a string, which providers in
// Rust refuse. None is null.
type Sealed []byte

// MarshalJSON implements json.Marshaler.
func (s Sealed) MarshalJSON() ([]byte, error) {
	if len(s) == 0 {
		return []byte("null"), nil
	}
	return marshalNumbers(s)
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Sealed) UnmarshalJSON(data []byte) (err error) {
	*s, err = unmarshalNumbers(data)
	return err
}

func marshalNumbers(b []byte) ([]byte, error) {
	numbers := make([]uint16, len(b))
	for i, x := range b {
		numbers[i] = uint16(x)
	}
	return json.Marshal(numbers)
}

var errNoByte = errors.New("a number that is no byte")

// unmarshalNumbers reads a list of bytes; null and an empty list are nil.
func unmarshalNumbers(data []byte) ([]byte, error) {
	var numbers []uint16
	if err := json.Unmarshal(data, &numbers); err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		return nil, nil
	}
	b := make([]byte, len(numbers))
	for i, n := range numbers {
		if n > 0xff {
			return nil, errNoByte
		}
		b[i] = byte(n)
	}
	return b, nil
}
