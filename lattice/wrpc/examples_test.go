package wrpc_test

import (
	"context"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

// The worked examples of the protocol: what is on the wire, byte for byte. Each
// runs in both directions against a peer that speaks v1 only.
type example struct {
	name     string
	prefix   string
	instance string
	function string
	params   string
	results  string
	types    []*wit.Type
	headers  []string
}

const (
	bucketKey = "07 64656661756c74 07 636f756e746572" // "default", "counter"
	kvStore   = "wrpc:keyvalue/store@0.2.0-draft"
)

func examples(t testing.TB) []example {
	u8s := list(t, wit.U8)
	reply := must[*wit.Type](t)(wit.NewOption(wit.String))
	message := must[*wit.Type](t)(wit.NewRecord(
		wit.Field{Name: "subject", Type: wit.String},
		wit.Field{Name: "body", Type: u8s},
		wit.Field{Name: "reply-to", Type: reply}))
	headers := []string{"source-id", "counter", "link-name", "default", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	get := example{
		prefix: "default.kv", instance: kvStore, function: "get",
		params: bucketKey, types: []*wit.Type{wit.String, wit.String}, headers: headers,
	}
	with := func(e example, name, results string) example {
		e.name, e.results = name, results
		return e
	}
	return []example{
		with(get, "a: get", "00 01 02 6869"),
		with(get, "a: get, missing key", "00 00"),
		with(get, "a: get, other error", "01 02 04 626f6f6d"),
		with(get, "a: get, no such store", "01 00"),
		{
			name: "b: increment", prefix: "default.kv", instance: "wrpc:keyvalue/atomics@0.2.0-draft", function: "increment",
			params: bucketKey + "01", results: "00 ac02", types: []*wit.Type{wit.String, wit.String, wit.U64}, headers: headers,
		},
		{
			name: "c: handle-message", prefix: "default.echo", instance: "wasmcloud:messaging/handler@0.2.0", function: "handle-message",
			params: "07 64656d6f2e696e 02 6869 00", results: "00", types: []*wit.Type{message}, headers: headers,
		},
		{
			name: "root function, signed numbers of e", prefix: "default.calc", function: "run",
			params: "ac02 ffff03 7f d47d c000", results: "d47d",
			types: []*wit.Type{wit.U32, wit.U16, wit.S32, wit.S32, wit.S32},
		},
	}
}

func (e *example) subject() string {
	if e.instance == "" {
		return e.prefix + ".wrpc.0.0.1." + e.function
	}
	return e.prefix + ".wrpc.0.0.1." + e.instance + "." + e.function
}

func (e *example) meta() wrpc.Meta {
	var m wrpc.Meta
	if len(e.headers) > 0 {
		m = wrpc.Meta{SourceID: e.headers[1], LinkName: e.headers[3], TraceParent: e.headers[5]}
	}
	return m
}

func TestExamplesLathCallsV1(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	for _, e := range examples(t) {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			// Each in an account of its own subjects, since they run at once.
			e.prefix = "t" + hex.EncodeToString([]byte(e.name))
			callee := newRaw(t, srv, e.subject())
			c := newClient(t, srv, wrpc.ClientConfig{})
			type outcome struct {
				results []byte
				info    wrpc.Info
				err     error
			}
			done := make(chan outcome, 1)
			go func() {
				b, info, err := c.Call(testContext(t), wrpc.Target{Prefix: e.prefix, Instance: e.instance, Func: e.function},
					e.meta(), unhex(t, e.params))
				done <- outcome{b, info, err}
			}()

			inv := callee.next()
			require.Equal(t, e.subject(), inv.Subject)
			require.Equal(t, unhex(t, e.params), inv.Data)
			require.True(t, strings.HasPrefix(inv.Reply, "_INBOX."))
			requireHeaders(t, inv, e.headers)
			callee.accept(inv)
			callee.expect(callee.in+".params", "")
			callee.pub(inv.Reply+".results", e.results)
			callee.pub(inv.Reply+".results", "")

			out := <-done
			require.NoError(t, out.err)
			require.Equal(t, unhex(t, e.results), out.results)
			require.False(t, out.info.Lath)
			callee.quiet()
			require.Zero(t, c.Stats())
		})
	}
}

// requireHeaders checks the v1 headers exactly, and that all others are ones
// that v1 readers ignore by their name.
func requireHeaders(t *testing.T, m *nats.Msg, want []string) {
	t.Helper()
	got := map[string][]string{}
	for k, vs := range m.Header {
		if k != "lath" && !strings.HasPrefix(k, "lath-") {
			got[k] = vs
		}
	}
	expected := map[string][]string{}
	for i := 0; i+1 < len(want); i += 2 {
		expected[want[i]] = []string{want[i+1]}
	}
	require.Equal(t, expected, got)
}

func TestExamplesV1CallsLath(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	for _, e := range examples(t) {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			e.prefix = "t" + hex.EncodeToString([]byte(e.name))
			var got *wrpc.Request
			s, _ := newServer(t, srv, wrpc.ServerConfig{}, wrpc.Export{
				Prefix: e.prefix, Instance: e.instance, Func: e.function, Params: e.types,
				Unary: func(_ context.Context, req *wrpc.Request) ([]byte, error) {
					got = req
					return unhex(t, e.results), nil
				},
			})
			caller := newRaw(t, srv)
			caller.send(e.subject(), caller.in, unhex(t, e.params), e.headers...)
			hs := caller.next()
			require.Equal(t, caller.in, hs.Subject)
			require.Empty(t, hs.Data)
			require.Empty(t, hs.Header, "a v1 caller sees a bare handshake")
			require.True(t, strings.HasPrefix(hs.Reply, "_INBOX."))
			caller.pub(hs.Reply+".params", "")
			caller.expect(caller.in+".results", e.results)
			caller.expect(caller.in+".results", "")
			caller.quiet()
			require.Equal(t, unhex(t, e.params), got.Params)
			require.Equal(t, e.meta(), got.Meta)
			require.False(t, got.Lath)
			require.Zero(t, s.Stats().BadHeaders)
		})
	}
}

// Example d: HTTP, with a stream and a future each way.
const (
	httpInstance = "wrpc:http/incoming-handler@0.1.0"
	httpSubject  = "default.http_hello.wrpc.0.0.1." + httpInstance + ".handle"
	httpRequest  = "00 00 00 01022f61 0100 010e6c6f63616c686f73743a38303030 01 06616363657074 01 032a2f2a"
	httpResponse = "00 00 00 c801 010c636f6e74656e742d74797065010a746578742f706c61696e"
)

// httpTypes are the types of wrpc:http as far as the example needs them: what
// matters is the order and shape of the fields.
func httpTypes(t testing.TB) (request, response *wit.Type) {
	typ := must[*wit.Type](t)
	headers := list(t, typ(wit.NewTuple(wit.String, list(t, list(t, wit.U8)))))
	body := typ(wit.NewStream(wit.U8))
	trailers := typ(wit.NewFuture(typ(wit.NewOption(headers))))
	optString := typ(wit.NewOption(wit.String))
	method := typ(wit.NewVariant(wit.Case{Name: "get"}, wit.Case{Name: "post"}))
	scheme := typ(wit.NewOption(typ(wit.NewVariant(wit.Case{Name: "HTTP"}, wit.Case{Name: "HTTPS"}))))
	request = typ(wit.NewRecord(wit.Field{Name: "body", Type: body}, wit.Field{Name: "trailers", Type: trailers},
		wit.Field{Name: "method", Type: method}, wit.Field{Name: "path-with-query", Type: optString},
		wit.Field{Name: "scheme", Type: scheme}, wit.Field{Name: "authority", Type: optString},
		wit.Field{Name: "headers", Type: headers}))
	ok := typ(wit.NewRecord(wit.Field{Name: "body", Type: body}, wit.Field{Name: "trailers", Type: trailers},
		wit.Field{Name: "status", Type: wit.U16}, wit.Field{Name: "headers", Type: headers}))
	response = typ(wit.NewResult(ok, typ(wit.NewEnum("internal-error"))))
	return request, response
}

func TestExampleHTTPLathCallsV1(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	callee := newRaw(t, srv, httpSubject)
	c := newClient(t, srv, wrpc.ClientConfig{})
	_, response := httpTypes(t)

	call, err := c.Invoke(testContext(t), wrpc.Target{Prefix: "default.http_hello", Instance: httpInstance, Func: "handle"},
		wrpc.Meta{SourceID: "httpserver", TargetID: "http_hello"}, unhex(t, httpRequest), wrpc.Path{0, 0}, wrpc.Path{0, 1})
	require.NoError(t, err)
	inv := callee.next()
	require.Equal(t, httpSubject, inv.Subject)
	require.Len(t, inv.Data, 38)
	require.Equal(t, unhex(t, httpRequest), inv.Data)
	requireHeaders(t, inv, []string{"source-id", "httpserver", "target-id", "http_hello"})
	callee.accept(inv)
	callee.expect(callee.in+".params", "")

	require.NoError(t, wrpc.NewByteStreamWriter(call.Params(0, 0)).Close())
	require.NoError(t, wrpc.WriteFuture(call.Params(0, 1), []byte{0}))
	callee.expect(callee.in+".params.0.0", "00")
	callee.expect(callee.in+".params.0.0", "")
	callee.expect(callee.in+".params.0.1", "00")
	callee.expect(callee.in+".params.0.1", "")

	callee.pub(inv.Reply+".results", httpResponse)
	callee.pub(inv.Reply+".results", "")
	callee.pub(inv.Reply+".results.0.0", "05 68656c6c6f")
	callee.pub(inv.Reply+".results.0.0", "00")
	callee.pub(inv.Reply+".results.0.0", "")
	callee.pub(inv.Reply+".results.0.1", "00")
	callee.pub(inv.Reply+".results.0.1", "")

	root, err := call.Root(wrpc.Whole(response))
	require.NoError(t, err)
	require.Equal(t, unhex(t, httpResponse), root)
	body, err := call.Results(0, 0)
	require.NoError(t, err)
	require.Equal(t, "hello", string(readAll(t, wrpc.NewByteStream(body))))
	trailers, err := call.Results(0, 1)
	require.NoError(t, err)
	v, err := wrpc.ReadFuture(trailers, must[*wit.Type](t)(wit.NewOption(wit.String)), 0)
	require.NoError(t, err)
	require.Equal(t, []byte{0}, v)
	require.NoError(t, call.Wait())
	require.NoError(t, call.Close())
	callee.quiet()
}

func httpExport(t testing.TB, handle func(x *wrpc.Exchange, body io.Reader, trailers *wrpc.Reader) error) wrpc.Export {
	request, _ := httpTypes(t)
	return wrpc.Export{
		Prefix: "default.http_hello", Instance: httpInstance, Func: "handle",
		Params: []*wit.Type{request}, ParamPaths: []wrpc.Path{{0, 0}, {0, 1}},
		Stream: func(_ context.Context, x *wrpc.Exchange) error {
			body, err := x.ParamStream(0, 0)
			if err != nil {
				return err
			}
			trailers, err := x.ParamStream(0, 1)
			if err != nil {
				return err
			}
			return handle(x, wrpc.NewByteStream(body), trailers)
		},
	}
}

// hello answers with the example's response once it has read the whole request.
func hello(t testing.TB, wantBody string) func(*wrpc.Exchange, io.Reader, *wrpc.Reader) error {
	return func(x *wrpc.Exchange, body io.Reader, trailers *wrpc.Reader) error {
		b, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		if string(b) != wantBody {
			return &wrpc.Error{Code: wrpc.Trap, Detail: "body is " + string(b)}
		}
		headers := list(t, must[*wit.Type](t)(wit.NewTuple(wit.String, list(t, list(t, wit.U8)))))
		if _, err := wrpc.ReadFuture(trailers, must[*wit.Type](t)(wit.NewOption(headers)), 0); err != nil {
			return err
		}
		if err := x.SetResults(unhex(t, httpResponse)); err != nil {
			return err
		}
		w := wrpc.NewByteStreamWriter(x.ResultStream(0, 0))
		if _, err := w.Write([]byte("hello")); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		return wrpc.WriteFuture(x.ResultStream(0, 1), []byte{0})
	}
}

func TestExampleHTTPV1CallsLath(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	newServer(t, srv, wrpc.ServerConfig{}, httpExport(t, hello(t, "")))
	caller := newRaw(t, srv)
	caller.send(httpSubject, caller.in, unhex(t, httpRequest), "source-id", "httpserver", "target-id", "http_hello")
	callee := caller.handshake()
	caller.pub(callee+".params", "")
	caller.pub(callee+".params.0.0", "00")
	caller.pub(callee+".params.0.0", "")
	caller.pub(callee+".params.0.1", "00")
	caller.pub(callee+".params.0.1", "")
	caller.expectHTTPResponse()
}

func (r *raw) expectHTTPResponse() {
	r.t.Helper()
	r.expect(r.in+".results", httpResponse)
	r.expect(r.in+".results", "")
	r.expect(r.in+".results.0.0", "05 68656c6c6f")
	r.expect(r.in+".results.0.0", "00")
	r.expect(r.in+".results.0.0", "")
	r.expect(r.in+".results.0.1", "00")
	r.expect(r.in+".results.0.1", "")
	r.quiet()
}

// A Go v1 client ends S.params only after the response, sends chunks in pieces
// and never ends nested paths.
func TestExampleHTTPGoV1CallsLath(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	newServer(t, srv, wrpc.ServerConfig{}, httpExport(t, hello(t, "ping")))
	caller := newRaw(t, srv)
	caller.send(httpSubject, caller.in, unhex(t, strings.Replace(httpRequest, "00 00 00", "00 00 01", 1)))
	callee := caller.handshake()
	caller.pub(callee+".params.0.0", "04")
	caller.pub(callee+".params.0.0", "70696e67")
	caller.pub(callee+".params.0.0", "00")
	caller.pub(callee+".params.0.1", "01")
	caller.pub(callee+".params.0.1", "00")
	caller.expectHTTPResponse()
	caller.pub(callee+".params", "")
	caller.quiet()
}

// Example f: parameters that do not fit one message.
func TestExampleLargeParamsLathCallsV1(t *testing.T) {
	t.Parallel()
	const maxPayload = 1024
	srv := startNATS(t, maxPayload)
	subject := "default.kv.wrpc.0.0.1." + kvStore + ".set"
	callee := newRaw(t, srv, subject)
	c := newClient(t, srv, wrpc.ClientConfig{})
	params := append(unhex(t, "07 64656661756c74 01 6b b817"), make([]byte, 3000)...)
	for i := range params[12:] {
		params[12+i] = byte(i)
	}
	done := make(chan error, 1)
	go func() {
		b, _, err := c.Call(testContext(t), wrpc.Target{Prefix: "default.kv", Instance: kvStore, Func: "set"},
			wrpc.Meta{SourceID: "counter", LinkName: "default"}, params)
		if err == nil && string(b) != "\x00" {
			err = io.ErrUnexpectedEOF
		}
		done <- err
	}()
	inv := callee.next()
	// Rule 2: max_payload less the inbox and the encoded headers.
	size := len("NATS/1.0\r\n\r\n")
	for k, vs := range inv.Header {
		size += len(k) + len(": ") + len(vs[0]) + len("\r\n")
	}
	first := maxPayload - len(inv.Reply) - size
	require.Equal(t, params[:first], inv.Data)
	callee.accept(inv)
	got := inv.Data
	for len(got) < len(params) {
		m := callee.next()
		require.Equal(t, callee.in+".params", m.Subject)
		require.Len(t, m.Data, min(maxPayload, len(params)-len(got)))
		got = append(got, m.Data...)
	}
	require.Equal(t, params, got)
	callee.expect(callee.in+".params", "")
	callee.pub(inv.Reply+".results", "00")
	callee.pub(inv.Reply+".results", "")
	require.NoError(t, <-done)
	callee.quiet()
}

func TestExampleLargeParamsV1CallsLath(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 1024)
	params := append(unhex(t, "07 64656661756c74 01 6b b817"), make([]byte, 3000)...)
	var got []byte
	newServer(t, srv, wrpc.ServerConfig{}, wrpc.Export{
		Prefix: "default.kv", Instance: kvStore, Func: "set", Params: []*wit.Type{wit.String, wit.String, list(t, wit.U8)},
		Unary: func(_ context.Context, req *wrpc.Request) ([]byte, error) {
			got = req.Params
			return make([]byte, 2500), nil
		},
	})
	for _, ending := range []string{"rust: ends at once", "go: ends after the response"} {
		t.Run(ending, func(t *testing.T) {
			caller := newRaw(t, srv)
			caller.send("default.kv.wrpc.0.0.1."+kvStore+".set", caller.in, params[:886])
			callee := caller.handshake()
			for rest := params[886:]; len(rest) > 0; rest = rest[min(1024, len(rest)):] {
				caller.send(callee+".params", "", rest[:min(1024, len(rest))])
			}
			if strings.HasPrefix(ending, "rust") {
				caller.pub(callee+".params", "")
			}
			for _, want := range []int{1024, 1024, 452, 0} {
				m := caller.next()
				require.Equal(t, caller.in+".results", m.Subject)
				require.Len(t, m.Data, want)
				require.Empty(t, m.Header)
			}
			caller.pub(callee+".params", "")
			caller.quiet()
			require.Equal(t, params, got)
		})
	}
}
