package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	bind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	"github.com/lathhost/lath/lattice/wrpc"
	memory "github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/keyvalue/keyvaluetest"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// client is testdata/client in another process.
type client struct {
	mu      sync.Mutex
	out     *json.Encoder
	last    uint64
	waiting map[uint64]chan answer
}

// request and answer are those of testdata/client.
type request struct {
	ID                 uint64
	Op, Prefix         string
	Bucket, Key        string
	Value              []byte
	Cursor             *uint64
	Instance, Function string
}

type answer struct {
	ID     uint64
	Value  []byte
	Is     bool
	Keys   []string
	Cursor *uint64
	Error  *struct {
		Tag   uint8
		Other string
	}
	Failure string
}

func startClient(t *testing.T, path, url string) *client {
	t.Helper()
	stdin, out := io.Pipe()
	in, stdout := io.Pipe()
	c := &client{out: json.NewEncoder(out), waiting: make(map[uint64]chan answer)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read(json.NewDecoder(in))
	}()
	t.Cleanup(func() {
		_ = stdout.Close()
		<-done
	})
	process(t, stdin, stdout, path, url)
	t.Cleanup(func() { _ = out.Close() })
	return c
}

func (c *client) read(in *json.Decoder) {
	for {
		var a answer
		if in.Decode(&a) != nil {
			return
		}
		c.mu.Lock()
		ch := c.waiting[a.ID]
		delete(c.waiting, a.ID)
		c.mu.Unlock()
		if ch != nil {
			ch <- a
		}
	}
}

// call calls and returns the contract's error as such.
func (c *client) call(ctx context.Context, r request) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, err
	}
	ch := make(chan answer, 1)
	c.mu.Lock()
	c.last++
	r.ID = c.last
	c.waiting[r.ID] = ch
	err := c.out.Encode(r)
	c.mu.Unlock()
	if err != nil {
		return answer{}, err
	}
	select {
	case a := <-ch:
		switch {
		case a.Failure != "":
			return a, errors.New("upstream: " + a.Failure)
		case a.Error != nil:
			return a, keyvalue.Error{Tag: keyvalue.ErrorTag(a.Error.Tag), Other: a.Error.Other}
		}
		return a, nil
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

// generated is wasmCloud's generated client of one provider.
type generated struct {
	*client
	prefix string
}

func (g generated) Get(ctx context.Context, bucket, key string) (wit.Option[[]byte], error) {
	a, err := g.call(ctx, request{Op: "get", Prefix: g.prefix, Bucket: bucket, Key: key})
	return wit.Option[[]byte]{Value: a.Value, OK: a.Is}, err
}

func (g generated) Set(ctx context.Context, bucket, key string, value []byte) error {
	_, err := g.call(ctx, request{Op: "set", Prefix: g.prefix, Bucket: bucket, Key: key, Value: value})
	return err
}

func (g generated) Delete(ctx context.Context, bucket, key string) error {
	_, err := g.call(ctx, request{Op: "delete", Prefix: g.prefix, Bucket: bucket, Key: key})
	return err
}

func (g generated) Exists(ctx context.Context, bucket, key string) (bool, error) {
	a, err := g.call(ctx, request{Op: "exists", Prefix: g.prefix, Bucket: bucket, Key: key})
	return a.Is, err
}

func (g generated) ListKeys(ctx context.Context, bucket string, cursor wit.Option[uint64]) (keyvalue.KeyResponse, error) {
	r := request{Op: "list-keys", Prefix: g.prefix, Bucket: bucket}
	if cursor.OK {
		r.Cursor = &cursor.Value
	}
	a, err := g.call(ctx, r)
	page := keyvalue.KeyResponse{Keys: a.Keys}
	if a.Cursor != nil {
		page.Cursor = wit.Some(*a.Cursor)
	}
	return page, err
}

// transport is wRPC's Go client under our stubs.
type transport struct {
	*client
	prefix string
}

func (tr transport) Invoke(ctx context.Context, instance, function string, params []byte) ([]byte, error) {
	a, err := tr.call(ctx, request{Op: "invoke", Prefix: tr.prefix, Instance: instance, Function: function, Value: params})
	return a.Value, err
}

var served atomic.Int64

// serve serves a new in-memory store with our server and returns its prefix.
func (n *network) serve(t testing.TB, cfg memory.MemoryConfig) (prefix string) {
	t.Helper()
	prefix = lattice.RPCPrefix("default", fmt.Sprint("kv", served.Add(1)))
	reg := wrpc.NewRegistrar(wrpc.Export{Prefix: prefix})
	m := memory.NewMemory(cfg)
	require.NoError(t, bind.ServeStore(reg, m))
	require.NoError(t, bind.ServeAtomics(reg, m))
	require.NoError(t, bind.ServeBatch(reg, m))
	_, err := reg.Serve(testContext(t), n.server)
	require.NoError(t, err)
	return prefix
}

// TestWasmCloudsClientCallsLath: their generated client, our provider.
func TestWasmCloudsClientCallsLath(t *testing.T) {
	t.Parallel()
	peers := build(t)
	n := newNetwork(t, 0)
	c := startClient(t, peers.client, n.url)
	t.Run("suite", func(t *testing.T) {
		keyvaluetest.Run(t, func(t testing.TB) keyvaluetest.Backend {
			return keyvaluetest.Backend{
				Store: generated{c, n.serve(t, memory.MemoryConfig{})},
				Gaps:  map[string]string{"an empty value is not a missing": "wasmCloud's generated Go code reads both as nil"},
			}
		})
	})
	t.Run("errors", func(t *testing.T) {
		_, err := generated{c, n.serve(t, memory.MemoryConfig{Limits: memory.Limits{MaxKeyBytes: 10}})}.Get(testContext(t), "default", "0123456789x")
		require.Equal(t, keyvalue.Error{Tag: keyvalue.ErrorOther, Other: "key of 11 bytes is over the limit of 10"}, err)
	})
}

// TestTruncatedParametersStoreNothing: the generated client never sends what
// did not fit into its first message, but says that the parameters are whole.
// The call must end, and at once.
func TestTruncatedParametersStoreNothing(t *testing.T) {
	t.Parallel()
	peers := build(t)
	n := newNetwork(t, 4<<10)
	g := generated{startClient(t, peers.client, n.url), n.serve(t, memory.MemoryConfig{})}
	ctx, cancel := context.WithTimeout(t.Context(), wrpc.DefaultParamsTime)
	defer cancel()
	err := g.Set(ctx, "default", "k", make([]byte, 8<<10))
	require.ErrorContains(t, err, "upstream: ", "not by running out of time")
	is, err := g.Exists(ctx, "default", "k")
	require.NoError(t, err)
	require.False(t, is)
}

// TestWrpcGoTransportCallsLath: wRPC's Go transport, our provider and stubs.
func TestWrpcGoTransportCallsLath(t *testing.T) {
	t.Parallel()
	peers := build(t)
	for name, maxPayload := range map[string]int32{"payloads of 8 MiB": 0, "payloads of 4 KiB": 4 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t, maxPayload)
			c := startClient(t, peers.client, n.url)
			keyvaluetest.Run(t, func(t testing.TB) keyvaluetest.Backend {
				tr := transport{c, n.serve(t, memory.MemoryConfig{})}
				return keyvaluetest.Backend{Store: bind.NewStoreClient(tr), Atomics: bind.NewAtomicsClient(tr), Batch: bind.NewBatchClient(tr)}
			})
		})
	}
	t.Run("values of many payloads", func(t *testing.T) {
		t.Parallel()
		n := newNetwork(t, 1<<20)
		tr := transport{startClient(t, peers.client, n.url), n.serve(t, memory.MemoryConfig{})}
		store, ctx := bind.NewStoreClient(tr), testContext(t)
		large := bytes.Repeat([]byte("0123456789abcdef"), 5<<16)
		require.NoError(t, store.Set(ctx, "default", "k", large))
		v, err := store.Get(ctx, "default", "k")
		require.NoError(t, err)
		require.True(t, bytes.Equal(large, v.Value), "5 MiB in messages of 1 MiB")
	})
}

// whoCalls answers who called.
type whoCalls struct{ keyvalue.Store }

func (whoCalls) Get(ctx context.Context, _, _ string) (wit.Option[[]byte], error) {
	m, _ := wrpc.MetaFromContext(ctx)
	return wit.Some([]byte(m.SourceID + " by " + m.LinkName)), nil
}

// TestLathHearsWhoCalls: the headers that providers choose their configuration
// by.
func TestLathHearsWhoCalls(t *testing.T) {
	t.Parallel()
	peers := build(t)
	n := newNetwork(t, 0)
	reg := wrpc.NewRegistrar(wrpc.Export{Prefix: "default.who"})
	require.NoError(t, bind.ServeStore(reg, whoCalls{}))
	_, err := reg.Serve(testContext(t), n.server)
	require.NoError(t, err)
	v, err := generated{startClient(t, peers.client, n.url), "default.who"}.Get(testContext(t), "", "")
	require.NoError(t, err)
	require.Equal(t, "upstream by a-link", string(v.Value))
}
