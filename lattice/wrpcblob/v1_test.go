package wrpcblob_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/lattice/wrpcblob"
	"github.com/lathhost/lath/providers/blobstore"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// What v1 writes and reads here is put down byte by byte, from "WIT contracts on the
// wire" and "Value encoding" of the protocol, wrpc-transport-nats 0.29 and v1's
// blobstore-fs and runtime: nothing of it is written or read by our codec.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// The subjects of a target's functions, before their names.
const (
	v020 = "default.blobs.wrpc.0.0.1.wrpc:blobstore/blobstore@0.2.0."
	v010 = "default.blobs.wrpc.0.0.1.wrpc:blobstore/blobstore@0.1.0."
)

// most is u64::MAX: what a v1 guest says for "to the end".
const most = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"

func startNATS(t *testing.T) func() *nats.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	srv, err := natsserver.Start(ctx, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	return func() *nats.Conn {
		nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: srv.URL()})
		require.NoError(t, err)
		t.Cleanup(nc.Close)
		return nc
	}
}

// v1Peer is one end of calls, on plain NATS: what comes is kept by its subject, as
// payloads in their order.
type v1Peer struct {
	t     *testing.T
	nc    *nats.Conn
	inbox string

	mu    sync.Mutex
	came  map[string][]string
	reply string
	more  *sync.Cond
}

func newV1Peer(t *testing.T, nc *nats.Conn) *v1Peer {
	t.Helper()
	p := &v1Peer{t: t, nc: nc, inbox: nc.NewInbox(), came: map[string][]string{}}
	p.more = sync.NewCond(&p.mu)
	for _, subject := range []string{p.inbox, p.inbox + ".>"} {
		_, err := nc.Subscribe(subject, func(m *nats.Msg) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if m.Subject == p.inbox {
				p.reply = m.Reply
			}
			p.came[m.Subject] = append(p.came[m.Subject], string(m.Data))
			p.more.Broadcast()
		})
		require.NoError(t, err)
	}
	require.NoError(t, nc.Flush())
	return p
}

// await waits until check is true of what came.
func (p *v1Peer) await(what string, check func() bool) {
	p.t.Helper()
	wake := time.AfterFunc(patience, p.more.Broadcast)
	defer wake.Stop()
	deadline := time.Now().Add(patience)
	p.mu.Lock()
	defer p.mu.Unlock()
	for !check() {
		if time.Now().After(deadline) {
			p.t.Fatalf("%s never came, of %q", what, p.came)
		}
		p.more.Wait()
	}
}

// call sends an invocation with its first parameters, and returns the callee's inbox.
func (p *v1Peer) call(subject, params string) (callee string) {
	p.t.Helper()
	m := &nats.Msg{Subject: subject, Reply: p.inbox, Data: []byte(params), Header: nats.Header{"source-id": {"gallery"}, "link-name": {"default"}}}
	require.NoError(p.t, p.nc.PublishMsg(m))
	p.await("a handshake", func() bool { return p.reply != "" })
	require.NoError(p.t, p.nc.Publish(p.reply+".params", nil)) // as v1 always does
	return p.reply
}

// read returns all of a subject of the inbox up to the empty message, which must be
// its last.
func (p *v1Peer) read(path string) (all string) {
	p.t.Helper()
	subject := p.inbox + "." + path
	p.await(path, func() bool { return slices.Contains(p.came[subject], "") })
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Empty(p.t, p.came[subject][len(p.came[subject])-1])
	return strings.Join(p.came[subject], "")
}

// say publishes payloads to a subject.
func say(t *testing.T, nc *nats.Conn, subject string, payloads ...string) {
	t.Helper()
	for _, data := range payloads {
		require.NoError(t, nc.Publish(subject, []byte(data)))
	}
}

// text is a string as it is encoded, of less than 128 bytes.
func text(s string) string { return string(rune(len(s))) + s }

// v1Calls are a target and those who call it.
type v1Calls struct {
	t       *testing.T
	connect func() *nats.Conn
	store   contract.Store
}

func serve(t *testing.T) *v1Calls {
	t.Helper()
	c := &v1Calls{t: t, connect: startNATS(t), store: blobstore.NewMemory(blobstore.MemoryConfig{})}
	server, err := wrpc.NewServer(c.connect(), wrpc.ServerConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	reg := wrpc.NewRegistrar(wrpc.Export{Prefix: "default.blobs"})
	require.NoError(t, wrpcblob.Serve(reg, c.store))
	_, err = server.Serve(t.Context(), reg.Exports()...)
	require.NoError(t, err)
	return c
}

// plain calls a function without streams and returns its results.
func (c *v1Calls) plain(subject, params string) string {
	c.t.Helper()
	p := newV1Peer(c.t, c.connect())
	p.call(subject, params)
	return p.read("results")
}

// write writes an object by the pieces of its stream's bytes, and returns the results
// and, where the version has one, the outcome.
func (c *v1Calls) write(version, id string, stream ...string) (results, outcome string) {
	c.t.Helper()
	p := newV1Peer(c.t, c.connect())
	callee := p.call(version+"write-container-data", id+"\x00")
	say(c.t, p.nc, callee+".params.1", stream...)
	results = p.read("results")
	if version == v020 && results[0] == 0 {
		outcome = p.read("results.0")
	}
	return results, outcome
}

func TestV1Caller(t *testing.T) {
	t.Parallel()
	c := serve(t)
	const id = "\x04pics\x05a.txt"
	require.Equal(t, "\x00", c.plain(v020+"create-container", "\x04pics"))
	require.Equal(t, "\x00\x01", c.plain(v020+"container-exists", "\x04pics"))
	require.Equal(t, "\x00\x00", c.plain(v020+"container-exists", "\x05other"))
	require.Equal(t, "\x01"+text(`no container "other"`), c.plain(v020+"clear-container", "\x05other"))

	for _, version := range []string{v020, v010} {
		want := "\x00" // ok
		if version == v020 {
			want = "\x00\x00" // ok, a future that is pending
		}
		results, outcome := c.write(version, id, "\x05hel", "lo\x06 ", "world\x00", "")
		require.Equal(t, want, results)
		if version == v020 {
			require.Equal(t, "\x00", outcome)
		}
		c.reads(version, id)
	}

	// A stream that ends without its end is no object.
	results, outcome := c.write(v020, "\x04pics\x04half", "\x05hello", "")
	require.Equal(t, "\x00\x00", results)
	require.Equal(t, "\x01", outcome[:1])
	results, _ = c.write(v010, "\x04pics\x04half", "\x05hello", "")
	require.NotEqual(t, "\x00", results)
	require.Equal(t, "\x00\x00", c.plain(v020+"has-object", "\x04pics\x04half"))

	require.Equal(t, "\x00", c.plain(v020+"copy-object", id+"\x04pics\x01b"))
	require.Equal(t, "\x00", c.plain(v020+"move-object", "\x04pics\x01b"+"\x04pics\x01c"))
	info := c.plain(v020+"get-object-info", "\x04pics\x01c")
	require.Equal(t, "\x00", info[:1])
	created, n := binary.Uvarint([]byte(info[1:]))
	require.WithinDuration(t, time.Now(), time.Unix(int64(created), 0), patience)
	require.Equal(t, "\x0b", info[1+n:], "the size")
	require.Equal(t, "\x00", c.plain(v020+"delete-objects", "\x04pics\x02\x01c\x05a.txt"))
	require.Equal(t, "\x00\x00", c.plain(v020+"has-object", id))
	require.Equal(t, "\x00", c.plain(v010+"delete-container", "\x04pics"))
}

// reads reads the object "hello world" and the listing of its container.
func (c *v1Calls) reads(version, id string) {
	c.t.Helper()
	// Where the stream and the future are, behind the ok of the results.
	head, stream := "\x00\x00\x00", "results.0.0"
	if version == v010 {
		head, stream = "\x00\x00", "results.0"
	}
	for _, r := range []struct{ function, params, want string }{
		{"get-container-data", id + "\x00" + most, "\x0bhello world\x00"},
		{"get-container-data", id + "\x06\x0a", "\x05world\x00"},
		{"get-container-data", id + "\x14" + most, "\x00"},
		{"list-container-objects", "\x04pics\x00\x00", "\x01\x05a.txt\x00"},
		{"list-container-objects", "\x04pics\x01\x05\x01\x01", "\x00"},
	} {
		p := newV1Peer(c.t, c.connect())
		p.call(version+r.function, r.params)
		require.Equal(c.t, head, p.read("results"), "%s %q", r.function, r.params)
		require.Equal(c.t, r.want, p.read(stream), "%s %q", r.function, r.params)
		if version == v020 {
			require.Equal(c.t, "\x00", p.read("results.0.1"))
		}
	}
	require.Equal(c.t, "\x01"+text(`no object "none" in container "pics"`), c.plain(version+"get-container-data", "\x04pics\x04none\x00"+most))
}

// TestV1CallerOfManyBytes: each chunk is its length and so many bytes, none of them
// empty but the last.
func TestV1CallerOfManyBytes(t *testing.T) {
	t.Parallel()
	c := serve(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	require.NoError(t, c.store.CreateContainer(t.Context(), "pics"))
	var chunks []string
	for part := range slices.Chunk(data, 1<<16) { // as v1's runtime cuts it
		chunks = append(chunks, "\x80\x80\x04"+string(part))
	}
	results, outcome := c.write(v020, "\x04pics\x01o", append(chunks, "\x00", "")...)
	require.Equal(t, "\x00\x00", results)
	require.Equal(t, "\x00", outcome)
	p := newV1Peer(t, c.connect())
	p.call(v020+"get-container-data", "\x04pics\x01o\x00"+most)
	require.Equal(t, "\x00\x00\x00", p.read("results"))
	got := unchunk(t, p.read("results.0.0"))
	require.True(t, bytes.Equal(data, got))
}

// unchunk takes a whole stream<u8> apart.
func unchunk(t *testing.T, stream string) (data []byte) {
	t.Helper()
	for b := []byte(stream); ; {
		n, k := binary.Uvarint(b)
		require.Positive(t, k)
		if n == 0 {
			require.Len(t, b, 1, "nothing comes after the end")
			return data
		}
		require.GreaterOrEqual(t, uint64(len(b[k:])), n)
		data, b = append(data, b[k:k+int(n)]...), b[k+int(n):]
	}
}

// v1Provider answers calls as a provider of v1 does.
type v1Provider struct {
	nc    *nats.Conn
	calls chan string // function and parameters
	// answer is told the caller's inbox and where it sends streams.
	answer func(caller string, in *v1Peer)
}

// startV1Provider serves one version, and returns a client of ours.
func startV1Provider(t *testing.T, version string) (*v1Provider, *wrpcblob.Client) {
	t.Helper()
	connect := startNATS(t)
	p := &v1Provider{nc: connect(), calls: make(chan string, 16)}
	_, err := p.nc.QueueSubscribe(version+"*", "default.blobs", func(m *nats.Msg) {
		p.calls <- strings.TrimPrefix(m.Subject, version) + " " + string(m.Data)
		in := newV1Peer(t, p.nc)
		_ = p.nc.PublishRequest(m.Reply, in.inbox, nil)
		go p.answer(m.Reply, in)
	})
	require.NoError(t, err)
	require.NoError(t, p.nc.Flush())
	client, err := wrpc.NewClient(connect(), wrpc.ClientConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return p, wrpcblob.NewClient(wrpcblob.NewDirect(client, "default.blobs"))
}

// says is an answer by what goes to each path, each ended by the empty message.
func (p *v1Provider) says(t *testing.T, paths map[string][]string) {
	p.answer = func(caller string, _ *v1Peer) {
		for _, path := range slices.Sorted(maps.Keys(paths)) {
			say(t, p.nc, caller+"."+path, append(paths[path], "")...)
		}
	}
}

func readAll(c *wrpcblob.Client, ctx context.Context) (string, error) { //nolint:revive // the client is what it is about
	r, err := c.GetContainerData(ctx, contract.ObjectID{Container: "pics", Object: "a.txt"}, 3, 300)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), errors.Join(err, r.Close())
}

func TestV1Provider(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for version, head := range map[string]string{v020: "\x00\x00\x00", v010: "\x00\x00"} {
		p, c := startV1Provider(t, version)
		stream, told := "results.0.0", version == v020
		if !told {
			stream = "results.0"
		}
		with := func(data, end []string) map[string][]string {
			paths := map[string][]string{"results": {head}, stream: data}
			if told {
				paths["results.0.1"] = end
			}
			return paths
		}
		p.says(t, with([]string{"\x05he", "llo\x06 w", "orld", "\x00"}, []string{"\x00"}))
		got, err := readAll(c, ctx)
		require.NoError(t, err)
		require.Equal(t, "hello world", got)
		require.Equal(t, "get-container-data \x04pics\x05a.txt\x03\xac\x02", <-p.calls)

		p.says(t, with([]string{"\x05hello"}, []string{"\x00"})) // it dies
		got, err = readAll(c, ctx)
		require.Error(t, err)
		require.NotErrorIs(t, err, io.EOF)
		require.Equal(t, "hello", got)
		<-p.calls

		p.says(t, map[string][]string{"results": {"\x01", "\x04", "boom"}})
		_, err = readAll(c, ctx)
		require.ErrorIs(t, err, contract.Error("boom"))
		<-p.calls

		p.says(t, with([]string{"\x02\x01a\x01", "b\x01\x01c", "\x00"}, []string{"\x00"}))
		names, err := c.ListContainerObjects(ctx, "pics", wit.Some[uint64](3), wit.None[uint64]())
		require.NoError(t, err)
		list, err := names.Next(10)
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b", "c"}, list)
		_, err = names.Next(10)
		require.ErrorIs(t, err, io.EOF)
		require.NoError(t, names.Close())
		require.Equal(t, "list-container-objects \x04pics\x01\x03\x00", <-p.calls)

		p.says(t, map[string][]string{"results": {"\x00\x96\x01\x0b"}})
		info, err := c.GetObjectInfo(ctx, contract.ObjectID{Container: "pics", Object: "a.txt"})
		require.NoError(t, err)
		require.Equal(t, contract.ObjectMetadata{CreatedAt: 150, Size: 11}, info)
		require.Equal(t, "get-object-info \x04pics\x05a.txt", <-p.calls)
	}
}

// TestV1ProviderTellsOfTheEnd: what comes after the bytes of an object says whether
// they are all of it.
func TestV1ProviderTellsOfTheEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, c := startV1Provider(t, v020)
	p.says(t, map[string][]string{"results": {"\x00\x00\x00"}, "results.0.0": {"\x05hello\x00"}, "results.0.1": {"\x01\x04bo", "om"}})
	got, err := readAll(c, ctx)
	require.Equal(t, "hello", got)
	require.ErrorIs(t, err, contract.Error("boom"))
	// In place, as its decoder takes it too: both ready, and nothing on other subjects.
	p.says(t, map[string][]string{"results": {"\x00\x05hello\x01\x00"}})
	got, err = readAll(c, ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", got)
}

// TestGoProvider: wasmCloud's Go SDK does not end what it has said in full.
func TestGoProvider(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, c := startV1Provider(t, v020)
	p.answer = func(caller string, _ *v1Peer) {
		for path, payload := range map[string]string{"results": "\x00\x00\x00", "results.0.0": "\x05hello\x00", "results.0.1": "\x00"} {
			say(t, p.nc, caller+"."+path, payload)
		}
	}
	got, err := readAll(c, ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", got)
}

func TestV1ProviderThatIsWrittenTo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	data := strings.Repeat("0123456789", 20_000)
	for version, results := range map[string][]string{v020: {"\x00\x00"}, v010: nil} {
		p, c := startV1Provider(t, version)
		id := contract.ObjectID{Container: "pics", Object: "a.txt"}
		var got string
		p.answer = func(caller string, in *v1Peer) {
			say(t, p.nc, caller+".results", append(results, "")[:len(results)]...)
			if len(results) > 0 {
				say(t, p.nc, caller+".results", "")
			}
			got = in.read("params.1")
			if version == v020 {
				say(t, p.nc, caller+".results.0", "\x00", "")
			} else {
				say(t, p.nc, caller+".results", "\x00", "")
			}
		}
		require.NoError(t, c.WriteContainerData(ctx, id, strings.NewReader(data)))
		require.Equal(t, "write-container-data \x04pics\x05a.txt\x00", <-p.calls)
		require.Equal(t, data, string(unchunk(t, got)))

		p.says(t, map[string][]string{"results": {"\x01\x04full"}})
		require.ErrorIs(t, c.WriteContainerData(ctx, id, strings.NewReader(data)), contract.Error("full"))
		<-p.calls
	}
	p, c := startV1Provider(t, v020)
	p.says(t, map[string][]string{"results": {"\x00\x00"}, "results.0": {"\x01\x04full"}})
	err := c.WriteContainerData(ctx, contract.ObjectID{Container: "pics", Object: "a.txt"}, strings.NewReader(data))
	require.ErrorIs(t, err, contract.Error("full"))
}
