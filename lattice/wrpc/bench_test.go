package wrpc_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

// BenchmarkUnary is a call with 100 bytes each way, beside a bare NATS
// request-reply on the same server and with as many connections. Compare the
// two of one run.
func BenchmarkUnary(b *testing.B) {
	srv := startNATS(b, 0)
	params := encodeBytes(100, 'x')
	b.Run("bare-nats", func(b *testing.B) {
		callee, caller := connect(b, srv), connect(b, srv)
		_, err := callee.QueueSubscribe("bare", "bare", func(m *nats.Msg) { _ = callee.Publish(m.Reply, m.Data) })
		require.NoError(b, err)
		require.NoError(b, callee.Flush())
		b.ReportAllocs()
		for b.Loop() {
			if _, err := caller.Request("bare", params, patience); err != nil {
				b.Fatal(err)
			}
		}
	})
	s, err := wrpc.NewServer(connect(b, srv), wrpc.ServerConfig{})
	require.NoError(b, err)
	defer s.Close()
	_, err = s.Serve(testContext(b), wrpc.Export{
		Prefix: "default.echo", Instance: echoInstance, Func: "echo", Params: []*wit.Type{list(b, wit.U8)}, Unary: echo,
	})
	require.NoError(b, err)
	c, err := wrpc.NewClient(connect(b, srv), wrpc.ClientConfig{})
	require.NoError(b, err)
	defer c.Close()
	target := wrpc.Target{Subject: echoSubject}
	meta := wrpc.Meta{SourceID: "counter", LinkName: "default"}
	b.Run("wrpc", func(b *testing.B) {
		b.ReportAllocs()
		ctx := context.Background()
		for b.Loop() {
			if _, _, err := c.Call(ctx, target, meta, params); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("wrpc-parallel", func(b *testing.B) {
		b.ReportAllocs()
		ctx := context.Background()
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, _, err := c.Call(ctx, target, meta, params); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// BenchmarkStream is how fast a stream<u8> comes back through a callee.
func BenchmarkStream(b *testing.B) {
	srv := startNATS(b, 0)
	newServer(b, srv, wrpc.ServerConfig{}, pipeExport(b, pipe))
	c := newClient(b, srv, wrpc.ClientConfig{Timeout: time.Hour})
	data := bytes.Repeat([]byte("x"), 1<<20)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		call, err := c.Invoke(context.Background(), pipeTarget, wrpc.Meta{}, []byte{0}, wrpc.Path{0})
		require.NoError(b, err)
		go func() {
			w := wrpc.NewByteStreamWriter(call.Params(0))
			_, _ = w.Write(data)
			_ = w.Close()
		}()
		r, err := call.Results(0)
		require.NoError(b, err)
		n, err := io.Copy(io.Discard, wrpc.NewByteStream(r))
		require.NoError(b, err)
		require.EqualValues(b, len(data), n)
		require.NoError(b, call.Close())
	}
}
