package ctl

import "github.com/lathhost/lath/lattice"

// LinkDefinition is a link as v1 tells it to providers: with the values of its
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
	// SourceSecrets and TargetSecrets are sealed for one provider, and null where
	// there are none. v1 writes their bytes as a list of numbers.
	SourceSecrets []uint16 `json:"source_secrets"`
	TargetSecrets []uint16 `json:"target_secrets"`
}

// NewLinkDefinition returns the definition of a link without configuration, as
// it is told when the link is deleted.
func NewLinkDefinition(l lattice.Link) LinkDefinition {
	l = l.Clone()
	if l.Interfaces == nil {
		l.Interfaces = []string{}
	}
	return LinkDefinition{SourceID: l.SourceID, Target: l.Target, Name: l.Name,
		WITNamespace: l.WITNamespace, WITPackage: l.WITPackage, Interfaces: l.Interfaces,
		SourceConfig: map[string]string{}, TargetConfig: map[string]string{}}
}
