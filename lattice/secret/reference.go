package secret

import (
	"fmt"
	"strings"

	"github.com/lathhost/lath/lattice"
)

// Prefix begins the name of a config that is a reference to a secret.
const Prefix = "SECRET_"

// Type and PropertiesType are v1's words for the form of references, and of what
// they say to a backend.
const (
	Type           = "secret.wasmcloud.dev/v1alpha1"
	PropertiesType = "properties.secret.wasmcloud.dev/v1alpha1"
)

// The limits of what a reference says, in bytes.
const (
	maxPart   = 1024
	maxPolicy = 64 << 10
)

// Reference says where a secret is. It has no secret itself.
type Reference struct {
	// Name is what components and providers call the secret.
	Name string `json:"name"`
	// Backend is who keeps it, and Key what it is called there.
	Backend string `json:"backend"`
	Key     string `json:"key"`
	// Field is one of several values under a key, Version one of several in time.
	// Empty: the whole, and the latest.
	Field   string `json:"field,omitempty"`
	Version string `json:"version,omitempty"`
	// Policy is JSON that a v1 backend decides by; it may be empty.
	Policy string `json:"policy,omitempty"`
}

// ConfigName returns the name of the config that holds a reference.
func ConfigName(name string) string { return Prefix + name }

// ParseReference reads the values of a config. Errors match lattice.ErrInvalid.
func ParseReference(config string, values map[string]string) (Reference, error) {
	r := Reference{Name: values["name"], Backend: values["backend"], Key: values["key"],
		Field: values["field"], Version: values["version"], Policy: values["policy"]}
	if r.Name == "" {
		r.Name = strings.TrimPrefix(config, Prefix)
	}
	if err := r.Validate(); err != nil {
		return Reference{}, fmt.Errorf("secret reference %s: %w", config, err)
	}
	return r, nil
}

// Validate reports what is wrong with a reference; errors match lattice.ErrInvalid.
func (r Reference) Validate() error {
	for _, f := range []struct {
		name, value string
		need        bool
		limit       int
	}{
		{"name", r.Name, true, maxPart}, {"backend", r.Backend, true, lattice.MaxIDLen}, {"key", r.Key, true, maxPart},
		{"field", r.Field, false, maxPart}, {"version", r.Version, false, maxPart}, {"policy", r.Policy, false, maxPolicy},
	} {
		if f.need && f.value == "" {
			return fmt.Errorf("%w: it has no %q; store one by: lath secret put", lattice.ErrInvalid, f.name)
		}
		if len(f.value) > f.limit {
			return fmt.Errorf("%w: its %s has %d bytes, the limit is %d", lattice.ErrInvalid, f.name, len(f.value), f.limit)
		}
	}
	// It becomes a token of a subject.
	return validBackend(r.Backend)
}

func validBackend(name string) error {
	if err := lattice.ValidID(name); err != nil {
		return fmt.Errorf("backend: %w", err)
	}
	return nil
}

// Values returns the config that holds the reference, as wash writes it.
func (r Reference) Values() map[string]string {
	values := map[string]string{"name": r.Name, "backend": r.Backend, "key": r.Key, "type": Type, "policy": r.policy()}
	if r.Field != "" {
		values["field"] = r.Field
	}
	if r.Version != "" {
		values["version"] = r.Version
	}
	return values
}

// policy is what v1 peers want to be there.
func (r Reference) policy() string {
	if r.Policy == "" {
		return `{"type":"` + PropertiesType + `","properties":{}}`
	}
	return r.Policy
}

// Entity is who is to get a secret.
type Entity struct {
	// ID is that of a component or provider.
	ID string
	// Token is what it says of itself, signed; empty: it is not signed.
	Token string
	// Application is what it belongs to; it may be empty.
	Application string
}

// Request asks a backend for a secret.
type Request struct {
	Reference
	Entity Entity
}
