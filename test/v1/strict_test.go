package v1_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	v1 "github.com/lathhost/lath/test/v1"
)

const (
	host  = "NAHDLC3SLFGP3WD62IBZ34KRCW53AV2OBXJK3IPCKFQF37XXS5KWSICR"
	whole = `{"specversion":"1.0","id":"01938c4e-7a3b-7c41-8d5e-2f6a9b0c1d2e","type":"com.wasmcloud.lattice.component_scaled","source":"` + host +
		`","time":"2025-01-01T00:00:00.123456789+00:00","datacontenttype":"application/json","data":{"host_id":"` + host +
		`","image_ref":"r","component_id":"c","max_instances":5,"annotations":{"a":"b"},"public_key":"M1","claims":{"issuer":"A1","tags":null,` +
		`"name":"one","version":"1","revision":3,"not_before_human":"never","expires_human":"never"}}}`
	subject = "wasmbus.evt.default.component_scaled"
)

// The decoder that holds Lath to v1's bytes would find each of these.
func TestTheDecoderIsStrict(t *testing.T) {
	t.Parallel()
	require.NoError(t, v1.Event("default", subject, []byte(whole)))
	for what, change := range map[string][2]string{
		"another type":        {`lattice.component_scaled`, `lattice.host_stopped`},
		"no id":               {`"id":"01938c4e-7a3b-7c41-8d5e-2f6a9b0c1d2e",`, ``},
		"a source of no host": {host, "me"},
		"no time":             {`2025-01-01T00`, `yesterday`},
		"an attribute":        {`"specversion"`, `"extra":1,"specversion"`},
		"a missing field":     {`"annotations":{"a":"b"},`, ``},
		"a field too many":    {`"component_id"`, `"x":1,"component_id"`},
		"a field twice":       {`"component_id"`, `"image_ref":"r","component_id"`},
		"null":                {`{"a":"b"}`, `null`},
		"null in a map":       {`{"a":"b"}`, `{"a":null}`},
		"a number in a map":   {`{"a":"b"}`, `{"a":1}`},
		"a string":            {`"max_instances":5`, `"max_instances":"5"`},
		"a fraction":          {`"max_instances":5`, `"max_instances":5.0`},
		"less than nothing":   {`"max_instances":5`, `"max_instances":-1`},
		"claims without key":  {`"public_key":"M1",`, ``},
		"an inner field":      {`"revision":3`, `"revision":"3"`},
		"something behind":    {`"never"}}}`, `"never"}}} x`},
	} {
		require.Contains(t, whole, change[0], what)
		require.Error(t, v1.Event("default", subject, []byte(strings.Replace(whole, change[0], change[1], 1))), what)
	}
	require.Error(t, v1.Event("other", subject, []byte(whole)))
	require.Error(t, v1.EventData("component_trapped", []byte(`{}`)), "no event of v1's")
	require.Len(t, v1.EventNames(), 17)
}

func TestRequests(t *testing.T) {
	t.Parallel()
	require.NoError(t, v1.Request("registry.put", []byte(`{"r:5000":{"username":"u","password":"p","registryType":"oci"}}`)))
	require.Error(t, v1.Request("registry.put", []byte(`{"r:5000":{"username":"u","password":null,"registryType":"oci"}}`)))
	require.Error(t, v1.Request("registry.put", []byte(`{"r:5000":{"user":"u","registryType":"oci"}}`)))
	require.Error(t, v1.Request("registry.put", []byte(`{"r:5000":{"username":"u"}}`)))
	require.Error(t, v1.Request("registry.put", []byte(`[]`)))
	require.NoError(t, v1.Request("host.stop", []byte(`{"host_id":"N"}`)))
	require.Error(t, v1.Request("host.stop", []byte(`{"host_id":"N","timeout":"1"}`)))
	require.Error(t, v1.Request("link.polish", []byte(`{}`)))
}
