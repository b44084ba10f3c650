package provider

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nkeys"

	"github.com/lathhost/lath/lattice"
)

// Limits of what is read, in bytes.
const (
	// MaxHostData bounds the line of host data, in base64.
	MaxHostData = 32 << 20
	// MaxMessage bounds one message between host and provider.
	MaxMessage = 8 << 20
)

// HostData is what a provider is told when it starts. It holds secrets; printing
// it does not show them.
type HostData struct {
	HostID  string `json:"host_id"`
	Lattice string `json:"lattice_rpc_prefix"`
	// LinkName is "default"; v1 has no other.
	LinkName string `json:"link_name"`
	// UserJWT and UserSeed are the NATS user to connect as, or empty.
	UserJWT  string `json:"lattice_rpc_user_jwt"`
	UserSeed string `json:"lattice_rpc_user_seed"`
	// URL is the NATS server's. It may have a password in it.
	URL        string `json:"lattice_rpc_url"`
	ProviderID string `json:"provider_key"`
	// Env is always empty: v1 says it is for the environment, and sets none.
	Env map[string]string `json:"env_values"`
	// InstanceID is another UUID for each start.
	InstanceID string `json:"instance_id"`
	// Links are those that start or end at the provider.
	Links          []LinkDefinition `json:"link_definitions"`
	ClusterIssuers []string         `json:"cluster_issuers"`
	// Config is the provider's named configs, merged.
	Config map[string]string `json:"config"`
	// Secrets are in plain text: a pipe to a child process carries them.
	Secrets map[string]Secret `json:"secrets"`
	// HostXKey (X…) and ProviderXKeySeed (SX…) open the secrets of links. Both are
	// empty where the host sends none; links then come under the provider's id.
	HostXKey         string `json:"host_xkey_public_key"`
	ProviderXKeySeed string `json:"provider_xkey_private_key"`
	// RPCTimeoutMillis is how long a call may take where nothing else is said;
	// 0: the provider's own default.
	RPCTimeoutMillis  uint64 `json:"default_rpc_timeout_ms,omitempty"`
	StructuredLogging bool   `json:"structured_logging"`
	// LogLevel is error, warn, info, debug, trace or critical; empty: the
	// provider's own default.
	LogLevel string     `json:"log_level,omitempty"`
	OTel     OTelConfig `json:"otel_config"`
}

// OTelConfig says where a provider may send what it observes. What is nil or
// empty is left out, as v1 does.
type OTelConfig struct {
	EnableObservability   bool     `json:"enable_observability"`
	EnableTraces          *bool    `json:"enable_traces,omitempty"`
	EnableMetrics         *bool    `json:"enable_metrics,omitempty"`
	EnableLogs            *bool    `json:"enable_logs,omitempty"`
	ObservabilityEndpoint string   `json:"observability_endpoint,omitempty"`
	TracesEndpoint        string   `json:"traces_endpoint,omitempty"`
	MetricsEndpoint       string   `json:"metrics_endpoint,omitempty"`
	LogsEndpoint          string   `json:"logs_endpoint,omitempty"`
	Protocol              string   `json:"protocol"` // Http or Grpc
	AdditionalCAPaths     []string `json:"additional_ca_paths"`
	TraceLevel            string   `json:"trace_level"`
}

// String names the provider, and shows no secret.
func (d HostData) String() string { return "host data of provider " + d.ProviderID }

// GoString is String: what %#v prints of the fields would be the secrets too.
func (d HostData) GoString() string { return d.String() }

type hostDataJSON HostData

// MarshalJSON writes v1's form, in which lists and maps are never null.
func (d HostData) MarshalJSON() ([]byte, error) {
	if d.LinkName == "" {
		d.LinkName = lattice.DefaultLinkName
	}
	if d.Links == nil {
		d.Links = []LinkDefinition{}
	}
	if d.ClusterIssuers == nil {
		d.ClusterIssuers = []string{}
	}
	if d.OTel.AdditionalCAPaths == nil {
		d.OTel.AdditionalCAPaths = []string{}
	}
	if d.OTel.Protocol == "" {
		d.OTel.Protocol = "Http"
	}
	if d.OTel.TraceLevel == "" {
		d.OTel.TraceLevel = "info"
	}
	d.Env, d.Config = lattice.StringMap(d.Env), lattice.StringMap(d.Config)
	return lattice.EncodeJSON(struct {
		hostDataJSON
		Secrets map[string]PlainSecret `json:"secrets"` // in the place of hostDataJSON's
	}{hostDataJSON(d), plainSecrets(d.Secrets)})
}

// Encode writes the line that the provider reads from its standard input: JSON
// in base64, CR and LF.
func (d HostData) Encode() ([]byte, error) {
	text, err := lattice.EncodeJSON(d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d, err)
	}
	defer clear(text)
	n := base64.StdEncoding.EncodedLen(len(text))
	if n > MaxHostData {
		return nil, fmt.Errorf("%s: %w: %d bytes, the limit is %d; it has %d links", d, lattice.ErrInvalid, n, MaxHostData, len(d.Links))
	}
	line := make([]byte, n, n+2)
	base64.StdEncoding.Encode(line, text)
	return append(line, '\r', '\n'), nil
}

// ReadHostData reads one line of host data and checks all that a provider relies
// on. Errors do not repeat what was read.
func ReadHostData(r io.Reader) (*HostData, error) {
	line, err := readLine(r)
	if err != nil {
		return nil, fmt.Errorf("host data: %w", err)
	}
	defer clear(line)
	return decodeHostData(line)
}

func readLine(r io.Reader) ([]byte, error) {
	// Two more than the limit, for CR and LF.
	in := bufio.NewReader(io.LimitReader(r, MaxHostData+2))
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil, fmt.Errorf("%w: there is none: a provider is started by a host, which writes it", lattice.ErrInvalid)
		case errors.Is(err, io.EOF) && len(line) >= MaxHostData:
			return nil, fmt.Errorf("%w: more than %d bytes", lattice.ErrInvalid, MaxHostData)
		case errors.Is(err, io.EOF):
			return line, nil
		default:
			return nil, err
		}
	}
}

func decodeHostData(line []byte) (*HostData, error) {
	text := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
	defer clear(text)
	n, err := base64.StdEncoding.Strict().Decode(text, line)
	if err != nil {
		return nil, fmt.Errorf("host data: %w: not one line of base64", lattice.ErrInvalid)
	}
	d := &HostData{}
	if err := lattice.DecodeJSON(text[:n], MaxHostData, (*hostDataJSON)(d)); err != nil {
		return nil, fmt.Errorf("host data: %w", err)
	}
	if err := d.validate(); err != nil {
		return nil, fmt.Errorf("host data: %w", err)
	}
	return d, nil
}

func (d *HostData) validate() error {
	errs := []error{lattice.ValidLattice(d.Lattice)}
	if err := lattice.ValidID(d.ProviderID); err != nil {
		errs = append(errs, fmt.Errorf("provider_key: %w", err))
	}
	if d.URL == "" {
		errs = append(errs, fmt.Errorf("lattice_rpc_url: %w: it is missing", lattice.ErrInvalid))
	}
	if (d.HostXKey == "") != (d.ProviderXKeySeed == "") {
		errs = append(errs, fmt.Errorf("xkeys: %w: one without the other", lattice.ErrInvalid))
	} else if d.HostXKey != "" {
		errs = append(errs, validKeys(d.HostXKey, d.ProviderXKeySeed))
	}
	return errors.Join(errs...)
}

func validKeys(public, seed string) error {
	if !nkeys.IsValidPublicCurveKey(public) {
		return fmt.Errorf("host_xkey_public_key: %w: want a public curve key (X…)", lattice.ErrInvalid)
	}
	own, err := nkeys.FromCurveSeed([]byte(seed))
	if err != nil {
		return fmt.Errorf("provider_xkey_private_key: %w: want a curve seed (SX…)", lattice.ErrInvalid)
	}
	own.Wipe()
	return nil
}

// linkKey is the token of the subject on which the provider's links come.
func (d *HostData) linkKey() string {
	if d.ProviderXKeySeed == "" {
		return d.ProviderID
	}
	own, err := nkeys.FromCurveSeed([]byte(d.ProviderXKeySeed))
	if err != nil {
		return d.ProviderID
	}
	defer own.Wipe()
	public, err := own.PublicKey()
	if err != nil {
		return d.ProviderID
	}
	return public
}
