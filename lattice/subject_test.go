package lattice_test

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
)

// TestNames spells every name once more, from the protocol and not from the code.
func TestNames(t *testing.T) {
	t.Parallel()
	ctl := lattice.ControlSubjects("", "default")
	for want, got := range map[string]string{
		"default.kv": lattice.RPCPrefix("default", "kv"),
		"default.kv.wrpc.0.0.1.wrpc:keyvalue/store@0.2.0-draft.get": lattice.InvocationSubject("default.kv", "wrpc:keyvalue/store@0.2.0-draft", "get"),
		"default.kv.wrpc.0.0.1.run":                                 lattice.InvocationSubject("default.kv", "", "run"),
		"wrpc.0.0.1.a:b/c.f":                                        lattice.InvocationSubject("", "a:b/c", "f"),
		"lath.v1.default.host.NX.counter.wrpc.0.0.1.a:b/c@1.0.0.f":  lattice.DirectSubject("default", "NX", "counter", "a:b/c@1.0.0", "f"),
		"_INBOX.X.Y.params":                                         lattice.ParamsSubject("_INBOX.X.Y"),
		"_INBOX.X.Y.params.0.12":                                    lattice.ParamsSubject("_INBOX.X.Y", 0, 12),
		"_INBOX.A.B.results":                                        lattice.ResultsSubject("_INBOX.A.B"),
		"_INBOX.A.B.results.4294967295":                             lattice.ResultsSubject("_INBOX.A.B", 1<<32-1),
		"S.credit.results.0.0":                                      lattice.ResultsCreditSubject("S", 0, 0),
		"C.credit.params.1":                                         lattice.ParamsCreditSubject("C", 1),
		"S.cancel":                                                  lattice.CancelSubject("S"),
		"wasmbus.ctl.v1.default":                                    ctl.Base(),
		"wasmbus.ctl.v1.default.host.ping":                          ctl.Verb(lattice.KindHost, "ping"),
		"wasmbus.ctl.v1.default.component.scale.NX":                 ctl.Named(lattice.KindComponent, "scale", "NX"),
		"wasmbus.ctl.v1.default.provider.*.NX":                      ctl.HostVerbs(lattice.KindProvider, "NX"),
		"wasmbus.ctl.v1.default.link.*":                             ctl.SharedVerbs(lattice.KindLink),
		"wasmbus.ctl.v1.default.link":                               ctl.Queue(lattice.KindLink),
		"my.ctl.v1.prod.host.ping":                                  lattice.ControlSubjects("my.ctl", "prod").Verb("host", "ping"),
		"wasmbus.evt.default.host_started":                          lattice.EventSubject("default", "host_started"),
		"wasmbus.evt.default.*":                                     lattice.AllEvents("default"),
		"lath.v1.default.evt.*":                                     lattice.AllLathEvents("default"),
		"wasmbus.rpc.default.XKEY.linkdefs.put":                     lattice.ProviderLinkPut("default", "XKEY"),
		"wasmbus.rpc.default.kv.linkdefs.del":                       lattice.ProviderLinkDelete("default", "kv"),
		"wasmbus.rpc.default.kv.health":                             lattice.ProviderHealth("default", "kv"),
		"wasmbus.rpc.default.kv.config.update":                      lattice.ProviderConfig("default", "kv"),
		"wasmbus.rpc.default.kv.default.shutdown":                   lattice.ProviderShutdown("default", "kv", "default"),
		"lath.v1.default.wit.counter":                               lattice.WITSubject("default", "counter"),
		"lath.v1.default.ctl.providers.NX":                          lattice.ProviderListSubject("default", "NX"),
		"lath.v1.default.ctl.stats.NX":                              lattice.StatsSubject("default", "NX"),
		"lath.v1.default.beat.NX":                                   lattice.BeatSubject("default", "NX"),
		"LATTICEDATA_default":                                       lattice.LatticeBucket("default"),
		"CONFIGDATA_default":                                        lattice.ConfigBucket("default"),
		"LATH_default":                                              lattice.LathBucket("default"),
		"COMPONENT_kv":                                              lattice.SpecKey("kv"),
		"CLAIMS_MX":                                                 lattice.ClaimsKey("MX"),
	} {
		require.Equal(t, want, got)
		require.True(t, server.IsValidSubject(want), want)
	}
}

func TestFunctionName(t *testing.T) {
	t.Parallel()
	for wit, want := range map[string]string{
		"get": "get", "[constructor]bucket": "bucket", "[method]bucket.get": "bucket.get",
		"[static]bucket.open": "bucket.open", "": "", "[odd": "[odd",
	} {
		require.Equal(t, want, lattice.FunctionName(wit))
	}
}

func TestParseControlSubject(t *testing.T) {
	t.Parallel()
	ctl := lattice.ControlSubjects("", "default")
	kind, verb, id, ok := ctl.Parse("wasmbus.ctl.v1.default.host.get.NX")
	require.True(t, ok)
	require.Equal(t, [3]string{"host", "get", "NX"}, [3]string{kind, verb, id})
	kind, verb, id, ok = ctl.Parse("wasmbus.ctl.v1.default.link.put")
	require.True(t, ok)
	require.Equal(t, [3]string{"link", "put", ""}, [3]string{kind, verb, id})
	for _, subject := range []string{
		"", "wasmbus.ctl.v1.default", "wasmbus.ctl.v1.default.host", "wasmbus.ctl.v1.other.host.ping",
		"wasmbus.ctl.v1.default.a.b.c.d", "wasmbus.ctl.v1.defaulthost.ping",
	} {
		_, _, _, ok := ctl.Parse(subject)
		require.False(t, ok, subject)
	}
}

func TestParseSpecKey(t *testing.T) {
	t.Parallel()
	id, ok := lattice.ParseSpecKey(lattice.SpecKey("kv"))
	require.True(t, ok)
	require.Equal(t, "kv", id)
	_, ok = lattice.ParseSpecKey("CLAIMS_x")
	require.False(t, ok)
}
