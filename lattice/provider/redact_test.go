package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Whatever way a secret goes to a log, it is not there.
func TestSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&out), zap.DebugLevel))
	for _, s := range []Secret{TextSecret("hush"), BytesSecret([]byte("hush"))} {
		data := HostData{ProviderID: "kv", Secrets: map[string]Secret{"a": s}}
		holder := struct{ S Secret }{s}
		values := []any{s, &s, PlainSecret(s), map[string]Secret{"a": s}, []Secret{s}, holder, &holder, data, &data}
		for _, v := range values {
			log.Info("x", zap.Any("v", v), zap.Reflect("r", map[string]Secret{"a": s}), zap.Stringer("s", s))
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
		}
		text, err := json.Marshal(map[string]Secret{"a": s})
		require.NoError(t, err)
		require.JSONEq(t, `{"a":"redacted"}`, string(text))
	}
	require.NotContains(t, out.String(), "hush")
	require.NotContains(t, out.String(), "aHVzaA")
	require.NotContains(t, out.String(), "104 117 115 104")
	require.NotContains(t, out.String(), "104,117,115,104")
	require.Contains(t, out.String(), "redacted")
}
