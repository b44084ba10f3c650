package lattice_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/test/harness"
)

// What v1 tells both ends of a link, to the byte (protocol §2.3, §7.3).
func TestLinkIsToldToItsEnds(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	l.Host(nil)
	js, err := jetstream.New(l.Conn)
	require.NoError(t, err)
	configs, err := js.KeyValue(t.Context(), lattice.ConfigBucket(harness.Name))
	require.NoError(t, err)
	for name, value := range map[string]string{
		"listen": `{"address":"0.0.0.0:8080","path":"/<a>"}`, "more": `{"path":"/b"}`, "target": `{"k":"v"}`,
		"SECRET_pass": `{"backend":"vault","key":"pass"}`,
	} {
		_, err := configs.PutString(t.Context(), name, value)
		require.NoError(t, err)
	}
	told := make(chan *nats.Msg, 16)
	for _, subject := range []string{"wasmbus.rpc.default.httpserver.linkdefs.*", "wasmbus.rpc.default.http_hello.linkdefs.*"} {
		sub, err := l.Conn.ChanSubscribe(subject, told)
		require.NoError(t, err)
		defer sub.Unsubscribe()
	}
	put := func(source, target []string) {
		require.NoError(t, l.Control.PutLink(t.Context(), lattice.Link{SourceID: "httpserver", Target: "http_hello",
			WITNamespace: "wasi", WITPackage: "http", Interfaces: []string{"incoming-handler"}, SourceConfig: source, TargetConfig: target}))
	}
	both := func(verb, data string) {
		for _, id := range []string{"httpserver", "http_hello"} {
			m := <-told
			require.Equal(t, "wasmbus.rpc.default."+id+".linkdefs."+verb, m.Subject)
			require.Equal(t, data, string(m.Data))
			require.Empty(t, m.Reply)
		}
	}
	const link = `{"source_id":"httpserver","target":"http_hello","name":"default","wit_namespace":"wasi","wit_package":"http",` +
		`"interfaces":["incoming-handler"],`

	put(nil, nil)
	both("put", link+`"source_config":{},"target_config":{},"source_secrets":null,"target_secrets":null}`)
	put([]string{"listen", "more"}, []string{"target"}) // the later config wins
	both("put", link+`"source_config":{"address":"0.0.0.0:8080","path":"/b"},"target_config":{"k":"v"},"source_secrets":null,"target_secrets":null}`)
	put([]string{"listen"}, []string{"SECRET_pass"}) // not told: it has a secret
	key := lattice.LinkKey{SourceID: "httpserver", WITNamespace: "wasi", WITPackage: "http"}
	require.NoError(t, l.Control.DeleteLink(t.Context(), key))
	both("del", link+`"source_config":{},"target_config":{},"source_secrets":null,"target_secrets":null}`)
	require.NoError(t, l.Control.DeleteLink(t.Context(), key)) // nothing was there, nothing is told
	require.NoError(t, l.Control.PutLink(t.Context(), lattice.Link{SourceID: "httpserver", Target: "last",
		WITNamespace: "a", WITPackage: "b", Interfaces: []string{"c"}}))
	require.Contains(t, string((<-told).Data), `"target":"last"`)
	require.Empty(t, told)

	err = l.Control.PutLink(t.Context(), lattice.Link{SourceID: "a", Target: "b", WITNamespace: "n", WITPackage: "p",
		Interfaces: []string{"i"}, SourceConfig: []string{"nope"}, TargetConfig: []string{"SECRET_nope"}})
	require.EqualError(t, err, "link.put: Failed to validate configuration and secrets. Configuration nope not found in config store. "+
		"Secret reference SECRET_nope not found in config store. ")
}

// Link events as wadm reads them.
func TestLinkEvents(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	l.Host(nil)
	told := l.Events()
	require.NoError(t, l.Link("a", "b", "ns:pkg/x,y"))
	e := told.Next()
	require.Equal(t, "wasmbus.evt.default.linkdef_set", e.Subject)
	require.Equal(t, `{"source_id":"a","target":"b","name":"default","wit_namespace":"ns","wit_package":"pkg","interfaces":["x","y"],"source_config":[],"target_config":[]}`, string(e.Data))
	require.NoError(t, l.Control.DeleteLink(t.Context(), lattice.LinkKey{SourceID: "a", WITNamespace: "ns", WITPackage: "pkg"}))
	e = told.Next()
	require.Equal(t, "wasmbus.evt.default.linkdef_deleted", e.Subject)
	require.Equal(t, `{"source_id":"a","target":"b","name":"default","wit_namespace":"ns","wit_package":"pkg","interfaces":["x","y"]}`, string(e.Data))
	require.NoError(t, l.Control.DeleteLink(t.Context(), lattice.LinkKey{SourceID: "a", WITNamespace: "ns", WITPackage: "pkg"}))
	require.Equal(t, `{"source_id":"a","name":"default","wit_namespace":"ns","wit_package":"pkg"}`, string(told.Next().Data), "told also when there was none")
}
