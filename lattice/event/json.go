package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/lathhost/lath/lattice"
)

// kind is how one kind of event is read: the fields it cannot do without, and
// the decoder of its type. Own ones are none of v1's.
type kind struct {
	own      bool
	required []string
	decode   func([]byte) (Data, error)
}

// kinds has every event with a type, by its name. The required fields are those
// that wadm requires, since an event that lacks one is lost on it.
var kinds = map[string]kind{
	HostStartedName: {false, []string{"friendly_name", "labels"}, into[HostStarted]},
	HostHeartbeatName: {false, []string{"components/actors", "providers", "friendly_name", "labels", "version",
		"uptime_human", "uptime_seconds"}, into[HostHeartbeat]},
	HostStoppedName:          {false, []string{"labels"}, into[HostStopped]},
	ComponentScaledName:      {false, []string{"annotations", "image_ref", "max_instances", "component_id"}, into[ComponentScaled]},
	ComponentScaleFailedName: {false, []string{"annotations", "image_ref", "max_instances", "component_id", "error"}, into[ComponentScaleFailed]},
	ProviderStartedName:      {false, []string{"annotations", "image_ref", "provider_id"}, into[ProviderStarted]},
	ProviderStartFailedName:  {false, []string{"error", "provider_id", "provider_ref"}, into[ProviderStartFailed]},
	ProviderStoppedName:      {false, []string{"annotations", "provider_id", "reason"}, into[ProviderStopped]},
	HealthPassedName:         {false, []string{"provider_id", "host_id"}, into[HealthPassed]},
	HealthFailedName:         {false, []string{"provider_id", "host_id"}, into[HealthFailed]},
	HealthStatusName:         {false, []string{"provider_id", "host_id"}, into[HealthStatus]},
	LinkSetName:              {false, []string{"source_id", "target", "wit_namespace", "wit_package", "interfaces"}, into[LinkSet]},
	LinkSetFailedName:        {false, []string{"source_id", "target", "wit_namespace", "wit_package", "interfaces", "error"}, into[LinkSetFailed]},
	LinkDeletedName:          {false, []string{"source_id", "name", "wit_namespace", "wit_package"}, into[LinkDeleted]},
	LabelsChangedName:        {false, []string{"host_id", "labels"}, into[LabelsChanged]},
	ConfigSetName:            {false, []string{"config_name"}, into[ConfigSet]},
	ConfigDeletedName:        {false, []string{"config_name"}, into[ConfigDeleted]},

	ComponentTrappedName:   {true, []string{"host_id", "component_id", "count", "function", "code", "cause", "trace_id"}, into[ComponentTrapped]},
	ComponentCrashLoopName: {true, []string{"host_id", "component_id", "traps", "calls", "window_seconds", "cause"}, into[ComponentCrashLoop]},
	ProviderCrashedName:    {true, []string{"host_id", "provider_id", "cause", "crashes", "restart_ms"}, into[ProviderCrashed]},
	ProviderCrashLoopName:  {true, []string{"host_id", "provider_id", "cause", "crashes", "window_seconds", "restart_ms"}, into[ProviderCrashLoop]},
	SlowConsumerName:       {true, []string{"host_id", "subject", "dropped", "count", "next"}, into[SlowConsumer]},
	PayloadTooLargeName:    {true, []string{"host_id", "what", "bytes", "limit", "count", "next"}, into[PayloadTooLarge]},
	StorageFullName:        {true, []string{"host_id", "server", "cause", "count", "next"}, into[StorageFull]},
}

// typeOf is the CloudEvents type of the events of a name.
func typeOf(name string) string {
	if kinds[name].own {
		return lattice.LathEventTypePrefix + name
	}
	return lattice.EventTypePrefix + name
}

// subjectOf is where the events of a name are told.
func subjectOf(of, name string) string {
	if kinds[name].own {
		return lattice.LathEventSubject(of, name)
	}
	return lattice.EventSubject(of, name)
}

// nameOf takes a CloudEvents type apart; own ones are none of v1's.
func nameOf(typ string) (name string, own, ok bool) {
	if name, own = strings.CutPrefix(typ, lattice.LathEventTypePrefix); own {
		return name, true, name != ""
	}
	name, ok = strings.CutPrefix(typ, lattice.EventTypePrefix)
	return name, false, ok && name != ""
}

func into[T Data](raw []byte) (Data, error) {
	var data T
	if err := lattice.DecodeJSON(raw, MaxSize, &data); err != nil {
		return nil, err
	}
	return data, nil
}

// decodeData reads the body of an event of the given name. One that bears
// another's name is of no known kind.
func decodeData(name string, own bool, raw []byte) (Data, error) {
	k, ok := kinds[name]
	if !ok || k.own != own {
		return Unknown{Kind: name, Raw: bytes.Clone(raw)}, nil
	}
	var fields map[string]json.RawMessage
	if err := lattice.DecodeJSON(raw, MaxSize, &fields); err != nil {
		return nil, err
	}
	for _, field := range k.required {
		if !has(fields, field) {
			return nil, fmt.Errorf("%w: no %s", lattice.ErrInvalid, field)
		}
	}
	return k.decode(raw)
}

// has says whether a field is there, by its name or by an older one after a '/'.
func has(fields map[string]json.RawMessage, names string) bool {
	for name := range strings.SplitSeq(names, "/") {
		if v, ok := fields[name]; ok && string(v) != "null" {
			return true
		}
	}
	return false
}

// v1 hosts send three fields more with some events of providers, which wadm's
// and wash's older decoders want.
type legacyProvider struct {
	InstanceID string `json:"instance_id"`
	PublicKey  string `json:"public_key"`
	LinkName   string `json:"link_name"`
}

type (
	hostStartedJSON          HostStarted
	hostStoppedJSON          HostStopped
	labelsChangedJSON        LabelsChanged
	componentScaledJSON      ComponentScaled
	componentScaleFailedJSON ComponentScaleFailed
	providerStartedJSON      ProviderStarted
	providerStartFailedJSON  ProviderStartFailed
	providerStoppedJSON      ProviderStopped
)

// MarshalJSON never writes null labels.
func (d HostStarted) MarshalJSON() ([]byte, error) {
	d.Labels = lattice.StringMap(d.Labels)
	return lattice.EncodeJSON(hostStartedJSON(d))
}

// MarshalJSON never writes null labels.
func (d HostStopped) MarshalJSON() ([]byte, error) {
	d.Labels = lattice.StringMap(d.Labels)
	return lattice.EncodeJSON(hostStoppedJSON(d))
}

// MarshalJSON never writes null labels.
func (d LabelsChanged) MarshalJSON() ([]byte, error) {
	d.Labels = lattice.StringMap(d.Labels)
	return lattice.EncodeJSON(labelsChangedJSON(d))
}

// MarshalJSON never writes null annotations.
func (d ComponentScaled) MarshalJSON() ([]byte, error) {
	d.Annotations = lattice.StringMap(d.Annotations)
	return lattice.EncodeJSON(componentScaledJSON(d))
}

// MarshalJSON never writes null annotations.
func (d ComponentScaleFailed) MarshalJSON() ([]byte, error) {
	d.Annotations = lattice.StringMap(d.Annotations)
	return lattice.EncodeJSON(componentScaleFailedJSON(d))
}

// MarshalJSON never writes null annotations, and adds v1's older fields where v1
// does: beside claims.
func (d ProviderStarted) MarshalJSON() ([]byte, error) {
	d.Annotations = lattice.StringMap(d.Annotations)
	if d.Claims == nil {
		return lattice.EncodeJSON(providerStartedJSON(d))
	}
	return lattice.EncodeJSON(struct {
		providerStartedJSON
		legacyProvider
	}{providerStartedJSON(d), legacyProvider{d.ProviderID, d.ProviderID, lattice.DefaultLinkName}})
}

// MarshalJSON adds v1's constant link_name.
func (d ProviderStartFailed) MarshalJSON() ([]byte, error) {
	return lattice.EncodeJSON(struct {
		providerStartFailedJSON
		LinkName string `json:"link_name"`
	}{providerStartFailedJSON(d), lattice.DefaultLinkName})
}

// MarshalJSON never writes null annotations, and adds v1's older fields.
func (d ProviderStopped) MarshalJSON() ([]byte, error) {
	d.Annotations = lattice.StringMap(d.Annotations)
	return lattice.EncodeJSON(struct {
		providerStoppedJSON
		legacyProvider
	}{providerStoppedJSON(d), legacyProvider{d.ProviderID, d.ProviderID, lattice.DefaultLinkName}})
}

// MarshalJSON writes the link's fields and the error as one object.
func (d LinkSetFailed) MarshalJSON() ([]byte, error) {
	link, err := lattice.EncodeJSON(d.Link)
	if err != nil {
		return nil, err
	}
	text, err := lattice.EncodeJSON(d.Error)
	if err != nil {
		return nil, err
	}
	out := append(link[:len(link)-1], `,"error":`...)
	return append(append(out, text...), '}'), nil
}

// UnmarshalJSON reads the link's fields and the error from one object.
func (d *LinkSetFailed) UnmarshalJSON(data []byte) error {
	var text struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	var link lattice.Link
	if err := json.Unmarshal(data, &link); err != nil {
		return err
	}
	*d = LinkSetFailed{Link: link, Error: text.Error}
	return nil
}
