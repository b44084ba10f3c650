package keyvalue_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	bind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/keyvalue/keyvaluetest"
)

// patience bounds every wait of a test that is expected to succeed.
const patience = 30 * time.Second

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// wire is a lattice with a client on one connection and a server on another.
type wire struct {
	url    string
	server *wrpc.Server
	client *wrpc.Client
	served atomic.Int64
}

func newWire(t testing.TB, maxPayload int32) *wire {
	t.Helper()
	ctx := testContext(t)
	srv, err := natsserver.Start(ctx, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort, MaxPayload: maxPayload})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	w := &wire{url: srv.URL()}
	w.server, err = wrpc.NewServer(connect(t, w.url), wrpc.ServerConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.server.Close()) })
	w.client, err = wrpc.NewClient(connect(t, w.url), wrpc.ClientConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.client.Close()) })
	return w
}

func connect(t testing.TB, url string) *nats.Conn {
	t.Helper()
	nc, err := lattice.Connect(testContext(t), lattice.ConnConfig{URL: url})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// serve serves a new store and returns its prefix.
func (w *wire) serve(t testing.TB, cfg keyvalue.MemoryConfig) (prefix string) {
	t.Helper()
	prefix = lattice.RPCPrefix("default", fmt.Sprint("kv", w.served.Add(1)))
	reg := wrpc.NewRegistrar(wrpc.Export{Prefix: prefix})
	m := keyvalue.NewMemory(cfg)
	require.NoError(t, bind.ServeStore(reg, m))
	require.NoError(t, bind.ServeAtomics(reg, m))
	require.NoError(t, bind.ServeBatch(reg, m))
	_, err := reg.Serve(testContext(t), w.server)
	require.NoError(t, err)
	return prefix
}

// remote opens stores across the wire.
func (w *wire) remote(cfg keyvalue.MemoryConfig) func(testing.TB) keyvaluetest.Backend {
	return func(t testing.TB) keyvaluetest.Backend {
		t.Helper()
		b := w.client.Bind(w.serve(t, cfg), nil)
		return keyvaluetest.Backend{Store: bind.NewStoreClient(b), Atomics: bind.NewAtomicsClient(b), Batch: bind.NewBatchClient(b)}
	}
}

func TestMemoryAcrossTheWire(t *testing.T) {
	t.Parallel()
	for name, maxPayload := range map[string]int32{"payloads of 8 MiB": 0, "payloads of 4 KiB": 4 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, maxPayload)
			t.Run("behaviour", func(t *testing.T) { keyvaluetest.Run(t, w.remote(keyvalue.MemoryConfig{})) })
			t.Run("limits", func(t *testing.T) { keyvaluetest.RunLimits(t, smallLimits, w.remote(small())) })
		})
	}
}

// TestValuesOfManyPayloads: 5 MiB, where a message has 1 MiB at most.
func TestValuesOfManyPayloads(t *testing.T) {
	t.Parallel()
	w := newWire(t, 1<<20)
	ctx := testContext(t)
	b := w.remote(keyvalue.MemoryConfig{})(t)
	large := bytes.Repeat([]byte("0123456789abcdef"), 5<<16)
	require.Len(t, large, 5<<20)
	require.NoError(t, b.Store.Set(ctx, "default", "k", large))
	v, err := b.Store.Get(ctx, "default", "k")
	require.NoError(t, err)
	require.True(t, v.OK)
	require.True(t, bytes.Equal(large, v.Value))

	many, err := b.Batch.GetMany(ctx, "default", []string{"k", "k", "k"})
	require.NoError(t, err)
	require.Len(t, many, 3)
	require.True(t, bytes.Equal(large, many[2].Value.F1))
	_, err = b.Batch.GetMany(ctx, "default", []string{"k", "k", "k", "k"})
	require.ErrorContains(t, err, "limit")
}

// TestV1CallerSeesTheProtocolsBytes plays the calling side of the protocol's
// worked examples (a) and (b) in bytes.
func TestV1CallerSeesTheProtocolsBytes(t *testing.T) {
	t.Parallel()
	w := newWire(t, 0)
	ctx := testContext(t)
	const defaultCounter = "07 64 65 66 61 75 6c 74  07 63 6f 75 6e 74 65 72"
	for _, test := range []struct {
		name, before              string
		function, params, results string
	}{
		{"get", "hi", "wrpc:keyvalue/store@0.2.0-draft.get", defaultCounter, "00 01 02 68 69"},
		{"get a missing key", "", "wrpc:keyvalue/store@0.2.0-draft.get", defaultCounter, "00 00"},
		{"exists", "hi", "wrpc:keyvalue/store@0.2.0-draft.exists", defaultCounter, "00 01"},
		{"delete", "hi", "wrpc:keyvalue/store@0.2.0-draft.delete", defaultCounter, "00"},
		{"set", "", "wrpc:keyvalue/store@0.2.0-draft.set", defaultCounter + "02 68 69", "00"},
		{"list-keys", "hi", "wrpc:keyvalue/store@0.2.0-draft.list-keys", "07 64 65 66 61 75 6c 74 00", "00 01 07 63 6f 75 6e 74 65 72 00"},
		{"increment", "299", "wrpc:keyvalue/atomics@0.2.0-draft.increment", defaultCounter + "01", "00 ac 02"},
		{
			"increment what is no number", "hi", "wrpc:keyvalue/atomics@0.2.0-draft.increment", defaultCounter + "01",
			"01 02 38" + hex.EncodeToString([]byte("the value is not a number from 0 to 18446744073709551615")),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			prefix := w.serve(t, keyvalue.MemoryConfig{})
			if test.before != "" {
				require.NoError(t, bind.NewStoreClient(w.client.Bind(prefix, nil)).Set(ctx, "default", "counter", []byte(test.before)))
			}
			p := newPeer(t, w.url)
			p.send(&nats.Msg{
				Subject: prefix + ".wrpc.0.0.1." + test.function, Reply: p.inbox, Data: unhex(t, test.params),
				Header: nats.Header{"source-id": {"counter"}, "link-name": {"default"}},
			})
			handshake := p.next(p.inbox)
			require.Empty(t, handshake.Data)
			require.Empty(t, handshake.Header)
			require.NotEmpty(t, handshake.Reply)
			p.send(&nats.Msg{Subject: handshake.Reply + ".params"})
			var results []byte
			for {
				m := p.next(p.inbox + ".results")
				require.Empty(t, m.Header)
				if len(m.Data) == 0 {
					break
				}
				results = append(results, m.Data...)
			}
			require.Equal(t, hex.EncodeToString(unhex(t, test.results)), hex.EncodeToString(results))
		})
	}
}

// TestV1ProviderSeesTheProtocolsBytes plays the answering side.
func TestV1ProviderSeesTheProtocolsBytes(t *testing.T) {
	t.Parallel()
	w := newWire(t, 0)
	ctx := testContext(t)
	p := newPeer(t, w.url, "default.kv.>")
	answer := func(function, params, results string) {
		m := p.next("default.kv.wrpc.0.0.1." + function)
		require.Equal(t, hex.EncodeToString(unhex(t, params)), hex.EncodeToString(m.Data))
		require.Equal(t, []string{"counter"}, m.Header["source-id"])
		require.Equal(t, []string{"default"}, m.Header["link-name"])
		p.send(&nats.Msg{Subject: m.Reply, Reply: p.inbox})
		require.Empty(t, p.next(p.inbox+".params").Data)
		p.send(&nats.Msg{Subject: m.Reply + ".results", Data: unhex(t, results)})
		p.send(&nats.Msg{Subject: m.Reply + ".results"})
	}
	kv := w.client.Bind("default.kv", func(context.Context) wrpc.Meta { return wrpc.Meta{SourceID: "counter", LinkName: "default"} })
	type got struct {
		value any
		err   error
	}
	call := func(f func() (any, error)) <-chan got {
		done := make(chan got, 1)
		go func() {
			v, err := f()
			done <- got{v, err}
		}()
		return done
	}
	get := func() (any, error) {
		v, err := bind.NewStoreClient(kv).Get(ctx, "default", "counter")
		return fmt.Sprintf("%v %s", v.OK, v.Value), err
	}
	const key = "07 64 65 66 61 75 6c 74  07 63 6f 75 6e 74 65 72"
	for _, test := range []struct{ results, value, err string }{
		{"00 01 02 68 69", "true hi", ""},
		{"00 00", "false ", ""},
		{"01 02 04 62 6f 6f 6d", "", "other: boom"},
		{"01 00", "", "no-such-store"},
	} {
		done := call(get)
		answer("wrpc:keyvalue/store@0.2.0-draft.get", key, test.results)
		r := <-done
		if test.err != "" {
			require.EqualError(t, r.err, test.err)
			continue
		}
		require.NoError(t, r.err)
		require.Equal(t, test.value, r.value)
	}
	done := call(func() (any, error) { return bind.NewAtomicsClient(kv).Increment(ctx, "default", "counter", 1) })
	answer("wrpc:keyvalue/atomics@0.2.0-draft.increment", key+"01", "00 ac 02")
	r := <-done
	require.NoError(t, r.err)
	require.Equal(t, uint64(300), r.value)
}

// peer speaks only in bytes.
type peer struct {
	t     testing.TB
	nc    *nats.Conn
	inbox string
	msgs  chan *nats.Msg
}

func newPeer(t testing.TB, url string, subjects ...string) *peer {
	t.Helper()
	nc := connect(t, url)
	p := &peer{t: t, nc: nc, inbox: nc.NewInbox(), msgs: make(chan *nats.Msg, 64)}
	for _, s := range append(subjects, p.inbox, p.inbox+".>") {
		_, err := nc.ChanSubscribe(s, p.msgs)
		require.NoError(t, err)
	}
	require.NoError(t, nc.Flush())
	return p
}

func (p *peer) send(m *nats.Msg) {
	p.t.Helper()
	require.NoError(p.t, p.nc.PublishMsg(m))
}

// next takes the next message, which must be on that subject.
func (p *peer) next(subject string) *nats.Msg {
	p.t.Helper()
	select {
	case m := <-p.msgs:
		require.Equal(p.t, subject, m.Subject)
		return m
	case <-time.After(patience):
		require.FailNow(p.t, "no message", "on %s", subject)
		return nil
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}
