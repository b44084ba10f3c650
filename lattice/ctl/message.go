package ctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lathhost/lath/lattice"
)

// MaxRequestSize bounds the body of a control request, in bytes.
const MaxRequestSize = 1 << 20

// MaxResponseSize bounds what a client reads of an answer, in bytes. NATS has
// bounded it before, but a client need not trust a server's settings.
const MaxResponseSize = 64 << 20

// Envelope is every answer on the control interface.
type Envelope struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
	// Response is left out when the verb has nothing to tell.
	Response json.RawMessage `json:"response,omitempty"`
}

// decodeEnvelope reads an answer; success and message must be there.
func decodeEnvelope(data []byte) (Envelope, error) {
	var in struct {
		Success  *bool           `json:"success"`
		Message  *string         `json:"message"`
		Response json.RawMessage `json:"response"`
	}
	if err := lattice.DecodeJSON(data, MaxResponseSize, &in); err != nil {
		return Envelope{}, err
	}
	if in.Success == nil || in.Message == nil {
		return Envelope{}, fmt.Errorf("answer: %w: no success or no message in it", lattice.ErrInvalid)
	}
	return Envelope{Success: *in.Success, Message: *in.Message, Response: in.Response}, nil
}

// Host is a host's answer to host.ping.
type Host struct {
	ID           string            `json:"id"`
	FriendlyName string            `json:"friendly_name"`
	Labels       map[string]string `json:"labels"`
	Lattice      string            `json:"lattice"`
	// UptimeSeconds counts whole seconds since the host started.
	UptimeSeconds uint64 `json:"uptime_seconds"`
	UptimeHuman   string `json:"uptime_human,omitempty"`
	// Version is a semantic version.
	Version string `json:"version,omitempty"`
	// RPCHost and CtlHost are NATS addresses as the host sees them.
	RPCHost  string `json:"rpc_host,omitempty"`
	CtlHost  string `json:"ctl_host,omitempty"`
	JSDomain string `json:"js_domain,omitempty"`
}

type hostJSON Host

// MarshalJSON writes v1's form, in which labels are never null.
func (h Host) MarshalJSON() ([]byte, error) {
	h.Labels = lattice.StringMap(h.Labels)
	return lattice.EncodeJSON(hostJSON(h))
}

// StopHost asks a host to end.
type StopHost struct {
	// HostID may be empty; else it must be the id of the host that is asked.
	HostID string `json:"host_id"`
	// Timeout is how long the host may take, in milliseconds (what v1 hosts
	// and wash mean by it, whatever v1's documentation says); 0 is the host's
	// default.
	Timeout uint64 `json:"timeout,omitempty"`
}

// ScaleComponent asks a host to run a component with a limit of concurrent
// instances, to change that limit, or, with 0, to stop it.
type ScaleComponent struct {
	ComponentRef string            `json:"component_ref"`
	ComponentID  string            `json:"component_id"`
	HostID       string            `json:"host_id"`
	MaxInstances uint32            `json:"count"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	// Config names configs; a later one wins over an earlier one.
	Config []string `json:"config"`
	// AllowUpdate permits another image for a component that runs already.
	AllowUpdate bool                     `json:"allow_update"`
	Limits      *lattice.ComponentLimits `json:"component_limits,omitempty"`
}

func (r *ScaleComponent) validate() error {
	return errors.Join(
		reference("component_ref", r.ComponentRef),
		wrongID("component_id", r.ComponentID),
		configNames(r.Config),
		texts("annotations", r.Annotations, maxAnnotations),
	)
}

// UpdateComponent asks a host to run another image of a component that it runs.
type UpdateComponent struct {
	ComponentID     string `json:"component_id"`
	HostID          string `json:"host_id"`
	NewComponentRef string `json:"new_component_ref"`
	// Annotations, if there are any, take the place of what there was.
	Annotations map[string]string `json:"annotations,omitempty"`
}

func (r *UpdateComponent) validate() error {
	return errors.Join(reference("new_component_ref", r.NewComponentRef), wrongID("component_id", r.ComponentID),
		texts("annotations", r.Annotations, maxAnnotations))
}

// StartProvider asks a host to run a capability provider.
type StartProvider struct {
	ProviderRef string            `json:"provider_ref"`
	ProviderID  string            `json:"provider_id"`
	HostID      string            `json:"host_id"`
	Config      []string          `json:"config"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func (r *StartProvider) validate() error {
	return errors.Join(
		reference("provider_ref", r.ProviderRef),
		wrongID("provider_id", r.ProviderID),
		configNames(r.Config),
		texts("annotations", r.Annotations, maxAnnotations),
	)
}

// StopProvider asks a host to end a capability provider.
type StopProvider struct {
	HostID     string `json:"host_id"`
	ProviderID string `json:"provider_id"`
}

// UnmarshalJSON accepts v1's older name of provider_id, provider_ref.
func (r *StopProvider) UnmarshalJSON(data []byte) error {
	var in struct {
		HostID      string `json:"host_id"`
		ProviderID  string `json:"provider_id"`
		ProviderRef string `json:"provider_ref"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	if in.ProviderID == "" {
		in.ProviderID = in.ProviderRef
	}
	*r = StopProvider{HostID: in.HostID, ProviderID: in.ProviderID}
	return nil
}

func (r *StopProvider) validate() error { return wrongID("provider_id", r.ProviderID) }

// DeleteLink asks to remove the links with a key. The target and the
// interfaces are not part of it.
type DeleteLink struct {
	SourceID     string `json:"source_id"`
	Name         string `json:"name"`
	WITNamespace string `json:"wit_namespace"`
	WITPackage   string `json:"wit_package"`
}

// Key returns the key of the links to remove.
func (r DeleteLink) Key() lattice.LinkKey {
	name := r.Name
	if name == "" {
		name = lattice.DefaultLinkName
	}
	return lattice.LinkKey{SourceID: r.SourceID, Name: name, WITNamespace: r.WITNamespace, WITPackage: r.WITPackage}
}

func (r *DeleteLink) validate() error {
	if r.Name == "" {
		r.Name = lattice.DefaultLinkName
	}
	return errors.Join(
		wrongID("source_id", r.SourceID),
		required("wit_namespace", r.WITNamespace),
		required("wit_package", r.WITPackage),
	)
}

// Limits of what a request says, far above what people write: a host keeps all of
// it, and tells it with every heartbeat.
const (
	maxReference   = 4 << 10 // bytes
	maxAnnotations = 256
	maxText        = 4 << 10 // bytes of a key, and of a value
)

// reference checks an image reference no further than that it is one text: hosts
// decide what they can fetch.
func reference(field, value string) error {
	return errors.Join(required(field, value), length(field, value, maxReference))
}

// texts bounds a map of texts that people wrote.
func texts(field string, m map[string]string, most int) error {
	errs := []error{atMost(field, len(m), most)}
	if len(m) <= most {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			errs = append(errs, length(field+": a key", key, maxText), length(fmt.Sprintf("%s: %.40q", field, key), m[key], maxText))
		}
	}
	return errors.Join(errs...)
}

func length(what, value string, limit int) error {
	if len(value) > limit {
		return fmt.Errorf("%s: %w: it has %d bytes, the limit is %d", what, lattice.ErrInvalid, len(value), limit)
	}
	return nil
}

func required(field, value string) error {
	if value == "" {
		return fmt.Errorf("%s: %w: it is missing", field, lattice.ErrInvalid)
	}
	return nil
}

func wrongID(field, id string) error {
	if err := lattice.ValidID(id); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}

func configNames(names []string) error {
	const limit = 256
	if len(names) > limit {
		return fmt.Errorf("config: %w: %d names, the limit is %d", lattice.ErrInvalid, len(names), limit)
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, lattice.ValidConfigName(name))
	}
	return errors.Join(errs...)
}

func atMost(what string, n, limit int) error {
	if n > limit {
		return fmt.Errorf("%s: %w: %d, the limit is %d", what, lattice.ErrInvalid, n, limit)
	}
	return nil
}
