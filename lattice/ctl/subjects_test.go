package ctl_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

// On every subject of v1's hosts (protocol §2.1) a body that is not JSON gets an
// error, where there is a body to read, and so does a verb that nobody knows, where
// hosts subscribe to it.
func TestEverySubjectAnswersNonsense(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	host, _ := newHost(t, nc, nil)
	const good, bad, unknown, nobody = "answers", "refuses", "unsupported", "is not subscribed"
	for subject, want := range map[string]string{
		"host.ping": good, "host.get.HOST": good, "host.stop.HOST": bad, "host.dance.HOST": unknown, "host.dance": nobody,
		"component.auction": bad, "component.scale.HOST": bad, "component.update.HOST": bad,
		"component.dance.HOST": unknown, "component.auction.HOST": bad, "component.dance": nobody, "component.scale.OTHER": nobody,
		"provider.auction": bad, "provider.start.HOST": bad, "provider.stop.HOST": bad,
		"provider.dance.HOST": unknown, "provider.dance": nobody,
		"label.put.HOST": bad, "label.del.HOST": bad, "label.dance.HOST": unknown,
		"link.get": good, "link.put": bad, "link.del": bad, "link.dance": unknown, "link.put.HOST": nobody,
		"claims.get": good, "claims.dance": unknown,
		"config.put.c": bad, "config.get.c": good, "config.del.c": good, "config.dance.c": unknown, "config.put": bad, "config.put.a.b": unknown,
		"registry.put": bad, "registry.dance": nobody, "dance": nobody,
	} {
		at := "wasmbus.ctl.v1.default." + strings.NewReplacer("HOST", host.id, "OTHER", statsHost).Replace(subject)
		for _, body := range []string{`{`, `"text"`, `{} {}`} {
			msg, err := nc.RequestWithContext(bounded(t), at, []byte(body))
			switch want {
			case nobody:
				require.ErrorIs(t, err, nats.ErrNoResponders, subject)
			case good:
				require.NoError(t, err, subject)
				require.Contains(t, string(msg.Data), `{"success":true,`, subject)
			case unknown:
				require.NoError(t, err, subject)
				require.Equal(t, `{"success":false,"message":"unsupported subject"}`, string(msg.Data), subject)
			case bad:
				require.NoError(t, err, subject)
				require.Contains(t, string(msg.Data), `{"success":false,"message":"`, subject)
				require.NotContains(t, string(msg.Data), "unsupported", subject)
			}
		}
	}
	for _, call := range host.recorded() {
		require.IsType(t, "", call, "only configs are read and deleted without a body: %v", call)
	}
}

// An auction that a host would not win it does not answer at all.
func TestAuctionsAreSilent(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	host, _ := newHost(t, nc, nil)
	for _, subject := range []string{"component.auction", "provider.auction"} {
		kind, _, _ := strings.Cut(subject, ".")
		inbox, err := nc.SubscribeSync(nc.NewInbox())
		require.NoError(t, err)
		ask := func(constraints string) {
			body := `{"` + kind + `_ref":"r","` + kind + `_id":"x","constraints":` + constraints + `}`
			require.NoError(t, nc.PublishRequest("wasmbus.ctl.v1.default."+subject, inbox.Subject, []byte(body)))
		}
		before := len(host.recorded())
		ask(`{"zone":"b"}`)
		// The two are handled side by side: the next is sent when the first is done.
		require.Eventually(t, func() bool { return len(host.recorded()) == before+1 }, time.Minute, time.Millisecond)
		ask(`{"zone":"a"}`)
		msg, err := inbox.NextMsgWithContext(bounded(t))
		require.NoError(t, err)
		require.Contains(t, string(msg.Data), `"constraints":{"zone":"a"}`, "the first answer is the second one's")
	}
}

// What is longer than anyone writes is refused with the limit, and goes no further.
func TestLongValuesAreRefused(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 8<<20))
	host, _ := newHost(t, nc, nil)
	long, longer := strings.Repeat("x", 4<<10+1), strings.Repeat("x", 64<<10+1)
	many := "{"
	for i := range 257 {
		if i > 0 {
			many += ","
		}
		many += `"k` + strings.Repeat("x", i) + `":"v"`
	}
	many += "}"
	for _, tc := range []struct{ subject, body, message string }{
		{"component.scale.HOST", `{"component_id":"c","component_ref":"` + long + `"}`, "component_ref: invalid: it has 4097 bytes, the limit is 4096"},
		{"component.scale.HOST", `{"component_id":"` + long + `","component_ref":"r"}`, "it has 4097 bytes, the limit is 256"},
		{"component.scale.HOST", `{"component_id":"c","component_ref":"r","annotations":{"k":"` + long + `"}}`, `annotations: "k": invalid: it has 4097 bytes, the limit is 4096`},
		{"component.scale.HOST", `{"component_id":"c","component_ref":"r","annotations":{"` + long + `":""}}`, "annotations: a key: invalid: it has 4097 bytes"},
		{"component.scale.HOST", `{"component_id":"c","component_ref":"r","annotations":` + many + `}`, "annotations: invalid: 257, the limit is 256"},
		{"component.update.HOST", `{"component_id":"c","new_component_ref":"` + long + `"}`, "new_component_ref: invalid: it has 4097 bytes"},
		{"component.update.HOST", `{"component_id":"c","new_component_ref":"r","annotations":` + many + `}`, "annotations: invalid: 257, the limit is 256"},
		{"component.auction", `{"component_id":"c","component_ref":"r","constraints":` + many + `}`, "constraints: invalid: 257, the limit is 256"},
		{"provider.auction", `{"provider_id":"c","provider_ref":"r","constraints":{"k":"` + long + `"}}`, `constraints: "k": invalid: it has 4097 bytes`},
		{"provider.start.HOST", `{"provider_id":"c","provider_ref":"` + long + `"}`, "provider_ref: invalid: it has 4097 bytes"},
		{"provider.start.HOST", `{"provider_id":"c","provider_ref":"r","config":[` + strings.Repeat(`"c",`, 256) + `"c"]}`, "config: invalid: 257 names, the limit is 256"},
		{"label.put.HOST", `{"key":"` + long + `","value":""}`, "key: invalid: it has 4097 bytes"},
		{"label.put.HOST", `{"key":"k","value":"` + long + `"}`, "value: invalid: it has 4097 bytes"},
		{"label.del.HOST", `{"key":"` + long + `"}`, "key: invalid: it has 4097 bytes"},
		{"link.put", `{"source_id":"a","target":"` + long + `","wit_namespace":"n","wit_package":"p","interfaces":["i"]}`, "it has 4097 bytes, the limit is 256"},
		{"link.del", `{"source_id":"` + long + `","wit_namespace":"n","wit_package":"p"}`, "it has 4097 bytes, the limit is 256"},
		{"config.put." + strings.Repeat("c", 300), `{}`, "it has 300 bytes, the limit is 256"},
		{"config.put.c", `{"a":"` + strings.Repeat("x", ctl.MaxRequestSize) + `"}`, "the limit is 1048576"},
		{"registry.put", `{"` + long + `":{}}`, "registry: invalid: it has 4097 bytes"},
		{"registry.put", `{"r":{"password":"` + longer + `"}}`, `registry "r": password: invalid: it has 65537 bytes, the limit is 65536`},
	} {
		e := ask(t, nc, strings.ReplaceAll(tc.subject, "HOST", host.id), tc.body)
		require.False(t, e.Success, tc.subject)
		require.Contains(t, e.Message, tc.message, tc.subject)
		require.Less(t, len(e.Message), 1024, tc.subject)
	}
	require.Empty(t, host.recorded())

	msg := &nats.Msg{Subject: "wasmbus.ctl.v1.default.host.get." + host.id, Header: nats.Header{}}
	msg.Header.Set("traceparent", strings.Repeat("0", 15<<10))
	answer, err := nc.RequestMsgWithContext(bounded(t), msg)
	require.NoError(t, err)
	require.Contains(t, string(answer.Data), `{"success":true`)
	msg.Header.Set(lattice.HeaderCommandID, strings.Repeat("0", 1<<10))
	answer, err = nc.RequestMsgWithContext(bounded(t), msg)
	require.NoError(t, err)
	require.Equal(t, `{"success":false,"message":"the request's headers have 16410 bytes, the limit is 16384"}`, string(answer.Data))
}
