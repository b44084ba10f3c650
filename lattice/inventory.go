package lattice

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Inventory is what a host tells of itself: the answer to host.get and the body
// of every heartbeat. Its JSON is v1's.
type Inventory struct {
	Components   []ComponentDescription `json:"components"`
	Providers    []ProviderDescription  `json:"providers"`
	HostID       string                 `json:"host_id"`
	FriendlyName string                 `json:"friendly_name"`
	Labels       map[string]string      `json:"labels"`
	// Version is a semantic version; v1's wadm drops heartbeats without one.
	Version     string `json:"version"`
	UptimeHuman string `json:"uptime_human"`
	// UptimeSeconds counts whole seconds since the host started.
	UptimeSeconds uint64 `json:"uptime_seconds"`
}

// ComponentDescription is one component in an Inventory.
type ComponentDescription struct {
	ID       string `json:"id"`
	ImageRef string `json:"image_ref"`
	// Name comes from the component's claims, if it has any.
	Name        string            `json:"name,omitempty"`
	Annotations map[string]string `json:"annotations"`
	Revision    int32             `json:"revision"`
	// MaxInstances is the limit of concurrent calls on this host.
	MaxInstances uint32 `json:"max_instances"`
	// Limits is nil (null on the wire) when the host's own limits hold.
	Limits *ComponentLimits `json:"limits"`
}

// ComponentLimits are the limits of one component's calls. On the wire both are
// decimal strings, as v1 has it; an absent one is the host's default.
type ComponentLimits struct {
	// MaxMemory is the limit of linear memory in bytes.
	MaxMemory string `json:"max_memory_limit,omitempty"`
	// MaxExecutionTime is the limit of one call in milliseconds.
	MaxExecutionTime string `json:"max_execution_time,omitempty"`
}

// ProviderDescription is one provider in an Inventory.
type ProviderDescription struct {
	ID          string            `json:"id"`
	ImageRef    string            `json:"image_ref,omitempty"`
	Name        string            `json:"name,omitempty"`
	Revision    int32             `json:"revision"`
	Annotations map[string]string `json:"annotations"`
}

type (
	inventoryJSON Inventory
	componentJSON ComponentDescription
	providerJSON  ProviderDescription
)

// MarshalJSON writes v1's form, in which no list or map is ever null.
func (v Inventory) MarshalJSON() ([]byte, error) {
	if v.Components == nil {
		v.Components = []ComponentDescription{}
	}
	if v.Providers == nil {
		v.Providers = []ProviderDescription{}
	}
	v.Labels = StringMap(v.Labels)
	return EncodeJSON(inventoryJSON(v))
}

// MarshalJSON writes v1's form, in which annotations are never null.
func (d ComponentDescription) MarshalJSON() ([]byte, error) {
	d.Annotations = StringMap(d.Annotations)
	return EncodeJSON(componentJSON(d))
}

// MarshalJSON writes v1's form, in which annotations are never null.
func (d ProviderDescription) MarshalJSON() ([]byte, error) {
	d.Annotations = StringMap(d.Annotations)
	return EncodeJSON(providerJSON(d))
}

// UnmarshalJSON reads v1's form; hosts before 1.0 spell components "actors".
func (v *Inventory) UnmarshalJSON(data []byte) error {
	in := struct {
		*inventoryJSON
		Actors []ComponentDescription `json:"actors"`
	}{inventoryJSON: new(inventoryJSON)}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	if in.Components == nil {
		in.Components = in.Actors
	}
	*v = Inventory(*in.inventoryJSON)
	return nil
}

// StringMap returns m, or an empty map for nil: v1's decoders want objects
// where Go would write null.
func StringMap(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// HasLabels says whether labels have all that is asked for, with those values.
func HasLabels(labels, constraints map[string]string) bool {
	for key, want := range constraints {
		if have, ok := labels[key]; !ok || have != want {
			return false
		}
	}
	return true
}

// HumanDuration writes a duration in whole seconds as v1 does: "1h 3m 4s".
// Units that are zero are left out; nothing at all is "0s".
func HumanDuration(d time.Duration) string {
	secs := int64(d / time.Second)
	if secs <= 0 {
		return "0s"
	}
	var parts []string
	for _, u := range []struct {
		name string
		secs int64
	}{{"day", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}} {
		n := secs / u.secs
		secs %= u.secs
		switch {
		case n == 0:
		case u.name == "day" && n > 1:
			parts = append(parts, fmt.Sprintf("%ddays", n))
		default:
			parts = append(parts, fmt.Sprintf("%d%s", n, u.name))
		}
	}
	return strings.Join(parts, " ")
}
