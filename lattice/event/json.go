package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/lathhost/lath/lattice"
)

// kind is how one kind of event is read: the fields it cannot do without, and
// the decoder of its type.
type kind struct {
	required []string
	decode   func([]byte) (Data, error)
}

// kinds has every event with a type. The required fields are those that wadm
// requires, since an event that lacks one is lost on it.
func kinds() map[string]kind {
	link := []string{"source_id", "target", "wit_namespace", "wit_package", "interfaces"}
	return map[string]kind{
		HostStartedName: {[]string{"friendly_name", "labels"}, into[HostStarted]},
		HostHeartbeatName: {[]string{"components/actors", "providers", "friendly_name", "labels", "version",
			"uptime_human", "uptime_seconds"}, into[HostHeartbeat]},
		HostStoppedName:          {[]string{"labels"}, into[HostStopped]},
		ComponentScaledName:      {[]string{"annotations", "image_ref", "max_instances", "component_id"}, into[ComponentScaled]},
		ComponentScaleFailedName: {[]string{"annotations", "image_ref", "max_instances", "component_id", "error"}, into[ComponentScaleFailed]},
		ProviderStartedName:      {[]string{"annotations", "image_ref", "provider_id"}, into[ProviderStarted]},
		ProviderStartFailedName:  {[]string{"error", "provider_id", "provider_ref"}, into[ProviderStartFailed]},
		ProviderStoppedName:      {[]string{"annotations", "provider_id", "reason"}, into[ProviderStopped]},
		LinkSetName:              {link, into[LinkSet]},
		LinkSetFailedName:        {append(slices.Clip(link), "error"), into[LinkSetFailed]},
		LinkDeletedName:          {[]string{"source_id", "name", "wit_namespace", "wit_package"}, into[LinkDeleted]},
		LabelsChangedName:        {[]string{"host_id", "labels"}, into[LabelsChanged]},
		ConfigSetName:            {[]string{"config_name"}, into[ConfigSet]},
		ConfigDeletedName:        {[]string{"config_name"}, into[ConfigDeleted]},
	}
}

func into[T Data](raw []byte) (Data, error) {
	var data T
	if err := lattice.DecodeJSON(raw, MaxSize, &data); err != nil {
		return nil, err
	}
	return data, nil
}

// decodeData reads the body of an event of the given name.
func decodeData(name string, raw []byte) (Data, error) {
	k, ok := kinds()[name]
	if !ok {
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

// MarshalJSON never writes null annotations.
func (d ProviderStarted) MarshalJSON() ([]byte, error) {
	d.Annotations = lattice.StringMap(d.Annotations)
	return lattice.EncodeJSON(providerStartedJSON(d))
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
