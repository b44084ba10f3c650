package event

import (
	"encoding/json"

	"github.com/lathhost/lath/lattice"
)

// Data is the body of an event. The types of this file implement it, by value.
type Data interface {
	// EventName is the last token of the event's type and subject.
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
	Revision  string   `json:"revision"`
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
	Error        string            `json:"error"`
}

// ProviderStarted tells that a provider runs.
type ProviderStarted struct {
	HostID      string            `json:"host_id"`
	ImageRef    string            `json:"image_ref"`
	ProviderID  string            `json:"provider_id"`
	Annotations map[string]string `json:"annotations"`
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

// The names of the events.
const (
	HostStartedName          = "host_started"
	HostHeartbeatName        = "host_heartbeat"
	HostStoppedName          = "host_stopped"
	ComponentScaledName      = "component_scaled"
	ComponentScaleFailedName = "component_scale_failed"
	ProviderStartedName      = "provider_started"
	ProviderStartFailedName  = "provider_start_failed"
	ProviderStoppedName      = "provider_stopped"
	LinkSetName              = "linkdef_set"
	LinkSetFailedName        = "linkdef_set_failed"
	LinkDeletedName          = "linkdef_deleted"
	LabelsChangedName        = "labels_changed"
	ConfigSetName            = "config_set"
	ConfigDeletedName        = "config_deleted"
)

// EventName implements Data.
func (HostStarted) EventName() string { return HostStartedName }

// EventName implements Data.
func (HostHeartbeat) EventName() string { return HostHeartbeatName }

// EventName implements Data.
func (HostStopped) EventName() string { return HostStoppedName }

// EventName implements Data.
func (ComponentScaled) EventName() string { return ComponentScaledName }

// EventName implements Data.
func (ComponentScaleFailed) EventName() string { return ComponentScaleFailedName }

// EventName implements Data.
func (ProviderStarted) EventName() string { return ProviderStartedName }

// EventName implements Data.
func (ProviderStartFailed) EventName() string { return ProviderStartFailedName }

// EventName implements Data.
func (ProviderStopped) EventName() string { return ProviderStoppedName }

// EventName implements Data.
func (LinkSet) EventName() string { return LinkSetName }

// EventName implements Data.
func (LinkSetFailed) EventName() string { return LinkSetFailedName }

// EventName implements Data.
func (LinkDeleted) EventName() string { return LinkDeletedName }

// EventName implements Data.
func (LabelsChanged) EventName() string { return LabelsChangedName }

// EventName implements Data.
func (ConfigSet) EventName() string { return ConfigSetName }

// EventName implements Data.
func (ConfigDeleted) EventName() string { return ConfigDeletedName }

// EventName implements Data.
func (u Unknown) EventName() string { return u.Kind }
