package event

import (
	"encoding/json"

	"github.com/lathhost/lath/lattice"
)

// Data is the body of an event. The types of this file implement it, by value.
type Data interface {
	// EventName is the last token of the event's type and subject. No two types
	// share one, whoever defined them.
	EventName() string
}

// HostStarted tells that a host has joined the lattice.
type HostStarted struct {
	FriendlyName  string            `json:"friendly_name"`
	Labels        map[string]string `json:"labels"`
	UptimeSeconds uint64            `json:"uptime_seconds"`
	Version       string            `json:"version"`
}

// HostHeartbeat tells what a host runs, at regular intervals.
type HostHeartbeat struct{ lattice.Inventory }

// HostStopped tells that a host has left, in order.
type HostStopped struct {
	Labels map[string]string `json:"labels"`
}

// LabelsChanged tells the labels of a host after one was set or taken back.
type LabelsChanged struct {
	HostID string            `json:"host_id"`
	Labels map[string]string `json:"labels"`
}

// ConfigSet tells that a named config has been stored.
type ConfigSet struct {
	ConfigName string `json:"config_name"`
}

// ConfigDeleted tells that a named config is gone, also if it was never there.
type ConfigDeleted struct {
	ConfigName string `json:"config_name"`
}

// ComponentScaled tells that a scale command has been carried out, also if it
// changed nothing or stopped the component (MaxInstances 0).
type ComponentScaled struct {
	HostID       string            `json:"host_id"`
	ImageRef     string            `json:"image_ref"`
	ComponentID  string            `json:"component_id"`
	MaxInstances uint64            `json:"max_instances"`
	Annotations  map[string]string `json:"annotations"`
	// PublicKey and Claims are those of a signed component.
	PublicKey string           `json:"public_key,omitempty"`
	Claims    *ComponentClaims `json:"claims,omitempty"`
}

// ComponentClaims are what a signed component says of itself.
type ComponentClaims struct {
	CallAlias string   `json:"call_alias,omitempty"`
	Issuer    string   `json:"issuer"`
	Tags      []string `json:"tags"`
	Name      string   `json:"name"`
	Version   string   `json:"version"`
	// Revision is never negative, for wadm drops the event of one that is.
	Revision int32 `json:"revision"`
	// NotBefore and Expires are seconds since 1970, or "never".
	NotBefore string `json:"not_before_human"`
	Expires   string `json:"expires_human"`
}

// ComponentScaleFailed tells that a scale command has not been carried out.
type ComponentScaleFailed struct {
	HostID       string            `json:"host_id"`
	ImageRef     string            `json:"image_ref"`
	ComponentID  string            `json:"component_id"`
	MaxInstances uint64            `json:"max_instances"`
	Annotations  map[string]string `json:"annotations"`
	// PublicKey is that of a signed component.
	PublicKey string `json:"public_key,omitempty"`
	Error     string `json:"error"`
}

// ProviderStarted tells that a provider runs.
type ProviderStarted struct {
	HostID      string            `json:"host_id"`
	ImageRef    string            `json:"image_ref"`
	ProviderID  string            `json:"provider_id"`
	Annotations map[string]string `json:"annotations"`
	// Claims are those of a signed provider that has a name and a version.
	Claims *ProviderClaims `json:"claims,omitempty"`
}

// ProviderClaims are what a signed provider says of itself.
type ProviderClaims struct {
	Issuer string `json:"issuer"`
	// Tags are always null in v1.
	Tags    *string `json:"tags"`
	Name    string  `json:"name"`
	Version string  `json:"version"`
	// NotBefore and Expires are seconds since 1970, or "never".
	NotBefore string `json:"not_before_human"`
	Expires   string `json:"expires_human"`
}

// ProviderStartFailed tells that an accepted provider does not run.
type ProviderStartFailed struct {
	ProviderRef string `json:"provider_ref"`
	ProviderID  string `json:"provider_id"`
	HostID      string `json:"host_id"`
	Error       string `json:"error"`
}

// ProviderStopped tells that a provider runs no more.
type ProviderStopped struct {
	HostID      string            `json:"host_id"`
	ProviderID  string            `json:"provider_id"`
	Annotations map[string]string `json:"annotations"`
	// Reason is "stop" for a command.
	Reason string `json:"reason"`
}

// HealthPassed tells that a provider is well, after it was not or was not known to be.
type HealthPassed struct {
	HostID     string `json:"host_id"`
	ProviderID string `json:"provider_id"`
}

// HealthFailed tells that a provider is not well, after it was.
type HealthFailed struct {
	HostID     string `json:"host_id"`
	ProviderID string `json:"provider_id"`
}

// HealthStatus tells that a provider is as it was when it was asked before.
type HealthStatus struct {
	HostID     string `json:"host_id"`
	ProviderID string `json:"provider_id"`
}

// LinkSet tells that a link has been stored.
type LinkSet struct{ lattice.Link }

// LinkSetFailed tells that a link has been refused.
type LinkSetFailed struct {
	Link  lattice.Link
	Error string
}

// LinkDeleted tells that a link is gone, also if it was never there; then
// Target and Interfaces are empty.
type LinkDeleted struct {
	SourceID     string   `json:"source_id"`
	Target       string   `json:"target,omitempty"`
	Name         string   `json:"name"`
	WITNamespace string   `json:"wit_namespace"`
	WITPackage   string   `json:"wit_package"`
	Interfaces   []string `json:"interfaces,omitempty"`
}

// Unknown is an event of a kind that this package has no type for. It can be
// read, not published.
type Unknown struct {
	Kind string
	Raw  json.RawMessage
}
