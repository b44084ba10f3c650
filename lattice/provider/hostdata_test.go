package provider

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
)

// The key pair of wasmCloud's nkeys tests, protocol §10.3.
const (
	testSeed   = "SXAKIYZX2POLIHZ5W5YZEWVTH24NLEUETBW3TKIVYRSS3GNHFXO5D4JJZM"
	testPublic = "XBUJMZHVOPQ2SK5VD3TY4VNBPVU2YFGRLK6EFPEPSMVDUYEBSROWZCEA"
)

// all is host data with everything that v1 sends.
func all() HostData {
	yes := true
	return HostData{HostID: "NHOST", Lattice: "default", UserJWT: "jwt", UserSeed: "SUseed", URL: "nats://127.0.0.1:4222",
		ProviderID: "kv", InstanceID: "6f1c", Config: map[string]string{"a": "<&>"},
		Links: []LinkDefinition{{SourceID: "kv", Target: "c", Name: "default", WITNamespace: "wasi", WITPackage: "http",
			Interfaces: []string{"incoming-handler"}, SourceConfig: map[string]string{"address": "0.0.0.0:8080"}, SourceSecrets: Sealed{120, 107, 118, 49}}},
		Secrets:  map[string]Secret{"t": TextSecret("hunter2"), "b": BytesSecret([]byte{0, 255})},
		HostXKey: testPublic, ProviderXKeySeed: testSeed, RPCTimeoutMillis: 2000, LogLevel: "info",
		OTel: OTelConfig{EnableTraces: &yes, Protocol: "Grpc"}}
}

// allJSON is what v1 says it as: the fields of crates/core/src/host.rs, link.rs
// and otel.rs, in their order, but for the secrets, which come last.
const allJSON = `{"host_id":"NHOST","lattice_rpc_prefix":"default","link_name":"default","lattice_rpc_user_jwt":"jwt",` +
	`"lattice_rpc_user_seed":"SUseed","lattice_rpc_url":"nats://127.0.0.1:4222","provider_key":"kv","env_values":{},"instance_id":"6f1c",` +
	`"link_definitions":[{"source_id":"kv","target":"c","name":"default","wit_namespace":"wasi","wit_package":"http","interfaces":["incoming-handler"],` +
	`"source_config":{"address":"0.0.0.0:8080"},"target_config":{},"source_secrets":[120,107,118,49],"target_secrets":null}],` +
	`"cluster_issuers":[],"config":{"a":"<&>"},` +
	`"host_xkey_public_key":"` + testPublic + `","provider_xkey_private_key":"` + testSeed + `","default_rpc_timeout_ms":2000,` +
	`"structured_logging":false,"log_level":"info","otel_config":{"enable_observability":false,"enable_traces":true,"protocol":"Grpc",` +
	`"additional_ca_paths":[],"trace_level":"info"},"secrets":{"b":{"kind":"Bytes","value":[0,255]},"t":{"kind":"String","value":"hunter2"}}}`

func TestHostDataIsV1s(t *testing.T) {
	t.Parallel()
	line, err := all().Encode()
	require.NoError(t, err)
	text, ends := strings.CutSuffix(string(line), "\r\n")
	require.True(t, ends)
	decoded, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	require.Equal(t, allJSON, string(decoded))

	for name, in := range map[string]string{"as it is written": text + "\r\n", "as from a shell": text + "\n", "without an end": text, "with more after it": text + "\r\nignored"} {
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
			got, err := ReadHostData(r)
			require.NoError(t, err, name)
			again, err := got.Encode()
			require.NoError(t, err)
			require.Equal(t, string(line), string(again), name)
		}
	}
}

// The least that v1's decoder takes has all that ours wants.
func TestLeastHostData(t *testing.T) {
	t.Parallel()
	data, err := lattice.EncodeJSON(HostData{})
	require.NoError(t, err)
	require.Contains(t, string(data), `"link_definitions":[]`, "a provider in Rust refuses host data without it")
	require.Contains(t, string(data), `"env_values":{}`, "and without this")
	require.NotContains(t, string(data), "default_rpc_timeout_ms")
	require.NotContains(t, string(data), "log_level")
	d, err := ReadHostData(encoded(`{"provider_key":"kv","lattice_rpc_prefix":"default","lattice_rpc_url":"127.0.0.1:4222","link_definitions":[],"new_field":1}`))
	require.NoError(t, err)
	require.Equal(t, "kv", d.linkKey(), "without keys links come under the id")
	whole := all()
	require.Equal(t, testPublic, whole.linkKey())
}

func encoded(text string) io.Reader {
	return strings.NewReader(base64.StdEncoding.EncodeToString([]byte(text)) + "\r\n")
}

func TestBadHostData(t *testing.T) {
	t.Parallel()
	without := func(change func(d *HostData)) io.Reader {
		d := all()
		change(&d)
		line, err := d.Encode()
		require.NoError(t, err)
		return bytes.NewReader(line)
	}
	for name, c := range map[string]struct {
		in   io.Reader
		want string
	}{
		"nothing":           {strings.NewReader(""), "host data: invalid: there is none"},
		"an empty line":     {strings.NewReader("\r\n"), "unexpected end of JSON"},
		"no base64":         {strings.NewReader("{}\n"), "not one line of base64"},
		"no JSON":           {encoded("hello"), "invalid character"},
		"a list":            {encoded("[]"), "cannot unmarshal array"},
		"two values":        {encoded("{}{}"), "after top-level value"},
		"too much":          {io.LimitReader(endless{}, MaxHostData*2), "more than"},
		"no id":             {without(func(d *HostData) { d.ProviderID = "" }), "provider_key: id: invalid"},
		"a wild id":         {without(func(d *HostData) { d.ProviderID = "*" }), "wildcard"},
		"no lattice":        {without(func(d *HostData) { d.Lattice = "" }), "lattice name: invalid"},
		"no server":         {without(func(d *HostData) { d.URL = "" }), "lattice_rpc_url"},
		"half of the keys":  {without(func(d *HostData) { d.HostXKey = "" }), "one without the other"},
		"another's key":     {without(func(d *HostData) { d.HostXKey = "UABC" }), "host_xkey_public_key"},
		"no key":            {without(func(d *HostData) { d.ProviderXKeySeed = "SXno" }), "provider_xkey_private_key"},
		"a link to nowhere": {without(func(d *HostData) { d.Links[0].Target = "" }), "link target"},
		"no byte":           {encoded(strings.Replace(allJSON, "[120,", "[256,", 1)), "no byte"},
		"a text of bytes":   {encoded(strings.Replace(allJSON, "[120,107,118,49]", `"eGt2MQ=="`, 1)), "cannot unmarshal string"},
		"no such secret":    {encoded(strings.Replace(allJSON, `"kind":"String"`, `"kind":"Word"`, 1)), `kind "Word"`},
	} {
		_, err := ReadHostData(c.in)
		require.ErrorIs(t, err, lattice.ErrInvalid, name)
		require.ErrorContains(t, err, c.want, name)
		require.NotContains(t, err.Error(), "hunter2", name)
		require.NotContains(t, err.Error(), testSeed, name)
	}
	_, err := ReadHostData(iotest.ErrReader(io.ErrClosedPipe))
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'A'
	}
	return len(b), nil
}

// TestPrintingHidesSecrets: in whatever way.
func TestPrintingHidesSecrets(t *testing.T) {
	t.Parallel()
	d := all()
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{d, &d, d.Secrets, d.Secrets["t"]} {
			text := fmt.Sprintf(format, v)
			require.NotContains(t, text, "hunter2", format)
			require.NotContains(t, text, testSeed, format)
			require.NotContains(t, text, "SUseed", format)
		}
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	keys, err := NewKeys()
	require.NoError(t, err)
	d := HostData{}
	keys.Fill(&d)
	require.NoError(t, validKeys(d.HostXKey, d.ProviderXKeySeed))
	require.Equal(t, keys.ProviderPublic(), d.linkKey())
	secrets := map[string]Secret{"t": TextSecret("hunter2"), "b": BytesSecret([]byte{0, 255})}
	sealed, err := keys.Seal(secrets)
	require.NoError(t, err)
	require.Equal(t, "xkv1", string(sealed[:4]))
	data, err := json.Marshal(sealed)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(data), "[120,107,118,49,"))
	var back Sealed
	require.NoError(t, json.Unmarshal(data, &back))
	got, err := d.OpenSecrets(back)
	require.NoError(t, err)
	require.Equal(t, secrets, got)
	text, is := got["t"].Text()
	require.True(t, is)
	require.Equal(t, "hunter2", text)
	_, is = got["b"].Text()
	require.False(t, is)
	require.Equal(t, []byte{0, 255}, got["b"].Bytes())

	none, err := keys.Seal(nil)
	require.NoError(t, err)
	require.Nil(t, none, "no secrets are null, as in v1")
	got, err = d.OpenSecrets(nil)
	require.NoError(t, err)
	require.Empty(t, got)

	others, err := NewKeys()
	require.NoError(t, err)
	other := HostData{}
	others.Fill(&other)
	_, err = other.OpenSecrets(sealed)
	require.ErrorIs(t, err, lattice.ErrInvalid)
	back[len(back)-1] ^= 1
	_, err = d.OpenSecrets(back)
	require.ErrorIs(t, err, errSealed)
	_, err = (&HostData{}).OpenSecrets(sealed)
	require.ErrorContains(t, err, "no key")
}

// FuzzHostData: whatever is read is refused, or says the same when it is written
// and read again.
func FuzzHostData(f *testing.F) {
	f.Add([]byte(allJSON))
	f.Add([]byte(`{"provider_key":"kv","lattice_rpc_prefix":"d","lattice_rpc_url":"x","link_definitions":null,"secrets":{"a":{"kind":"Bytes","value":null}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := ReadHostData(encoded(string(text)))
		if err != nil {
			require.ErrorIs(t, err, lattice.ErrInvalid)
			return
		}
		once, err := d.Encode()
		require.NoError(t, err)
		again, err := ReadHostData(bytes.NewReader(once))
		require.NoError(t, err)
		twice, err := again.Encode()
		require.NoError(t, err)
		require.Equal(t, once, twice)
		for _, l := range d.Links {
			_, _ = d.OpenSecrets(l.SourceSecrets)
		}
	})
}

// FuzzMessages: what comes over NATS, as each kind of message.
func FuzzMessages(f *testing.F) {
	for _, s := range []string{`{"healthy":true,"message":null}`, `{"healthy":false,"message":"x"}`, `{"message":"x"}`, `null`, ``, `{"host_id":"N"}`,
		`{"source_id":"a","target":"b","wit_namespace":"wasi","wit_package":"keyvalue","interfaces":["store"],"target_secrets":[1,2]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if h, err := decodeHealth(data); err == nil {
			require.LessOrEqual(t, len(h.Message), maxHealthMessage)
		}
		var d LinkDefinition
		if lattice.DecodeJSON(data, MaxMessage, &d) == nil {
			require.NoError(t, d.Link().Validate())
			once, err := lattice.EncodeJSON(d)
			require.NoError(t, err)
			var again LinkDefinition
			require.NoError(t, lattice.DecodeJSON(once, MaxMessage, &again))
			require.True(t, d.Equal(again))
			require.Equal(t, d.TargetSecrets, again.TargetSecrets)
		}
	})
}
