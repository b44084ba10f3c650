package s3_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/blobstore"
	"github.com/lathhost/lath/providers/blobstore/blobstoretest"
	"github.com/lathhost/lath/providers/blobstore/s3"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test that is expected to succeed.
const patience = time.Minute

func open(t testing.TB, on *server, cfg s3.Config) *s3.Store {
	t.Helper()
	cfg.Endpoint, cfg.AccessKeyID, cfg.SecretAccessKey = on.url(), accessKey, provider.TextSecret(secretKey)
	s, err := s3.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

var instance atomic.Int64

// on returns what opens a store of its own buckets on one server.
func on(srv *server, cfg s3.Config) func(testing.TB) contract.Store {
	return func(t testing.TB) contract.Store {
		cfg := cfg
		cfg.Prefix = fmt.Sprintf("s%d-", instance.Add(1))
		return open(t, srv, cfg)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	t.Run("routes", func(t *testing.T) {
		blobstoretest.RunRoutes(t, blobstoretest.Limits{ObjectBytes: 100_000, NameBytes: 100, Bytes: blobstoretest.OfServer,
			Objects: blobstoretest.OfServer, Containers: blobstoretest.OfServer},
			on(srv, s3.Config{}), on(srv, s3.Config{Limits: blobstore.Limits{MaxObjectBytes: 100_000, MaxNameBytes: 100}}))
	})
}

func at(container, object string) contract.ObjectID {
	return contract.ObjectID{Container: container, Object: object}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func read(s contract.Store, ctx context.Context, id contract.ObjectID) ([]byte, error) { //nolint:revive // the store is what it is about
	r, err := s.GetContainerData(ctx, id, 0, 1<<62)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// others is what another program has on the same server.
func others(t testing.TB, on *server) *minio.Core {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := minio.NewCore(on.addr, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: s3.DefaultRegion, Transport: transport})
	require.NoError(t, err)
	return c
}

// incomplete are the uploads that are neither complete nor aborted.
func incomplete(t testing.TB, c *minio.Core, bucket string) int {
	t.Helper()
	list, err := c.ListMultipartUploads(t.Context(), bucket, "", "", "", "", 100)
	require.NoError(t, err)
	return len(list.Uploads)
}

// gate is data that shows what there is in the middle of it.
type gate struct {
	data io.Reader
	at   func() error
}

// Read implements io.Reader.
func (g *gate) Read(p []byte) (int, error) {
	n, err := g.data.Read(p)
	if errors.Is(err, io.EOF) {
		err = g.at()
	}
	return n, err
}

// TestParts: a large object is one in parts, whole or not at all, and nothing is left
// of one that was given up.
func TestParts(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s, them, ctx := open(t, srv, s3.Config{PartBytes: 5 << 20}), others(t, srv), t.Context()
	require.NoError(t, s.CreateContainer(ctx, "box"))
	for _, size := range []int{5 << 20, 5<<20 + 1, 12 << 20} {
		data := pattern(size)
		require.NoError(t, s.WriteContainerData(ctx, at("box", "o"), &gate{bytes.NewReader(data), func() error {
			if size > 10<<20 && incomplete(t, them, "box") != 1 {
				return errors.New("it is not written in parts")
			}
			return io.EOF
		}}))
		got, err := read(s, ctx, at("box", "o"))
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
	}
	cause := errors.New("given up")
	err := s.WriteContainerData(ctx, at("box", "o"), &gate{bytes.NewReader(pattern(11 << 20)), func() error {
		if incomplete(t, them, "box") != 1 {
			return errors.New("there is nothing to abort")
		}
		return cause
	}})
	require.ErrorIs(t, err, cause)
	require.Zero(t, incomplete(t, them, "box"))
	call, cancel := context.WithCancel(ctx)
	err = s.WriteContainerData(call, at("box", "o"), &gate{bytes.NewReader(pattern(11 << 20)), func() error { cancel(); return io.EOF }})
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, incomplete(t, them, "box"), "also where the call has ended")
	got, err := read(s, ctx, at("box", "o"))
	require.NoError(t, err)
	require.Len(t, got, 12<<20)
}

// TestUploadsAreBounded: what would hold more memory is refused.
func TestUploadsAreBounded(t *testing.T) {
	t.Parallel()
	s, ctx := open(t, startServer(t), s3.Config{MaxUploads: 1}), t.Context()
	require.NoError(t, s.CreateContainer(ctx, "box"))
	require.NoError(t, s.WriteContainerData(ctx, at("box", "o"), &gate{strings.NewReader("one"), func() error {
		if err := s.WriteContainerData(ctx, at("box", "p"), strings.NewReader("two")); err == nil || !strings.Contains(err.Error(), "limit") {
			return fmt.Errorf("a second one: %w", err)
		}
		return io.EOF
	}}))
	require.NoError(t, s.WriteContainerData(ctx, at("box", "p"), strings.NewReader("two")))
}

// TestOthers: names are as documented, and what is none is passed over.
func TestOthers(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s, them, ctx := open(t, srv, s3.Config{Aliases: map[string]string{"pics": "real-bucket"}}), others(t, srv), t.Context()
	require.NoError(t, s.CreateContainer(ctx, "pics"))
	for _, name := range []string{"a/b.jpg", "", "..", "!first", "&", "z"} {
		require.NoError(t, s.WriteContainerData(ctx, at("pics", name), strings.NewReader(name)))
	}
	var keys []string
	for o := range them.ListObjectsIter(ctx, "real-bucket", minio.ListObjectsOptions{Recursive: true}) {
		require.NoError(t, o.Err)
		keys = append(keys, o.Key)
	}
	require.Equal(t, []string{"!first", "%", "%2e2e", "&", "a/b.jpg", "z"}, keys)
	got, err := read(s, ctx, at("alias_pics", ""))
	require.NoError(t, err)
	require.Empty(t, got)
	for _, key := range []string{"%zz", "%2E2E", "%61", "c//d"} { // nobody's
		_, err := them.PutObject(ctx, "real-bucket", key, strings.NewReader("x"), 1, "", "", minio.PutObjectOptions{})
		require.NoError(t, err)
	}
	names, err := s.ListContainerObjects(ctx, "pics", wit.None[uint64](), wit.None[uint64]())
	require.NoError(t, err)
	list, err := names.Next(100)
	require.NoError(t, err)
	require.Equal(t, []string{"", "!first", "&", "..", "a/b.jpg", "z"}, list)
	_, err = names.Next(100)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, names.Close())
	require.NoError(t, s.DeleteContainer(ctx, "pics"), "with all that is in it")
	is, err := them.BucketExists(ctx, "real-bucket")
	require.NoError(t, err)
	require.False(t, is)
}

// TestManyNames: a listing is as many requests as it has pages, and can be given up.
func TestManyNames(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s, ctx := open(t, srv, s3.Config{}), t.Context()
	require.NoError(t, s.CreateContainer(ctx, "box"))
	const many = 2300
	for i := range many {
		require.NoError(t, s.WriteContainerData(ctx, at("box", fmt.Sprintf("%04d", i)), strings.NewReader("")))
	}
	before := srv.asked.Load()
	names, err := s.ListContainerObjects(ctx, "box", wit.Some[uint64](5), wit.Some[uint64](1500))
	require.NoError(t, err)
	list, err := names.Next(100)
	require.NoError(t, err)
	require.Equal(t, []string{"1500", "1501", "1502", "1503", "1504"}, list)
	require.NoError(t, names.Close())
	require.LessOrEqual(t, srv.asked.Load()-before, int64(4), "the bucket, the escaped ones and two pages")
	call, cancel := context.WithCancel(ctx)
	names, err = s.ListContainerObjects(call, "box", wit.None[uint64](), wit.None[uint64]())
	require.NoError(t, err)
	_, err = names.Next(10)
	require.NoError(t, err)
	cancel()
	_, err = names.Next(10)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, names.Close())
	require.NoError(t, s.ClearContainer(ctx, "box"))
}

// TestServerThatComesBack: calls fail while it is away, in the middle of one too, and
// work again after, without anything being started anew.
func TestServerThatComesBack(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := open(t, srv, s3.Config{MaxAttempts: 1})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.CreateContainer(ctx, "box"))
	data := pattern(8 << 20)
	require.NoError(t, s.WriteContainerData(ctx, at("box", "o"), bytes.NewReader(data)))
	r, err := s.GetContainerData(ctx, at("box", "o"), 0, 1<<62)
	require.NoError(t, err)
	_, err = io.ReadFull(r, make([]byte, 100))
	require.NoError(t, err)
	srv.stop()
	_, err = io.ReadAll(r)
	require.Error(t, err)
	require.NoError(t, r.Close())
	require.Error(t, s.WriteContainerData(ctx, at("box", "o"), strings.NewReader("lost")))
	_, err = s.ContainerExists(ctx, "box")
	require.Error(t, err)
	_, err = s.HasObject(ctx, at("box", "o"))
	require.Error(t, err, "nobody can say")
	srv.start(t)
	got, err := read(s, ctx, at("box", "o"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
}

// TestRetries: what fails once is tried again, and what fails always ends.
func TestRetries(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s, ctx := open(t, srv, s3.Config{MaxAttempts: 2}), t.Context()
	require.NoError(t, s.CreateContainer(ctx, "box"))
	var failures atomic.Int64
	srv.refuse = func(*http.Request) int {
		if failures.Add(-1) >= 0 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	failures.Store(1)
	require.NoError(t, s.WriteContainerData(ctx, at("box", "o"), strings.NewReader("again")))
	failures.Store(1 << 20)
	before := srv.asked.Load()
	require.Error(t, s.WriteContainerData(ctx, at("box", "o"), strings.NewReader("lost")))
	require.EqualValues(t, 2, srv.asked.Load()-before)
	failures.Store(0)
	got, err := read(s, ctx, at("box", "o"))
	require.NoError(t, err)
	require.Equal(t, "again", string(got))
}

// TestServerThatIsNone: what it says is an error of calls, never an object, and a call
// ends when its context does.
func TestServerThatIsNone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answer := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	for what, handler := range map[string]http.HandlerFunc{
		"nonsense": answer(200, "<nonsense"), "another document": answer(200, "<a/>"), "a page of HTML": answer(502, "<html>bad gateway"),
		"less than it says": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
			_, _ = io.WriteString(w, "half")
		},
		"an error that looks like success": answer(200, "<Error><Code>InternalError</Code><Message>sorry</Message></Error>"),
	} {
		s := open(t, startWith(t, handler), s3.Config{MaxAttempts: 1, PartBytes: 5 << 20})
		_, err := read(s, ctx, at("box", "o"))
		require.Error(t, err, what)
		require.Error(t, s.WriteContainerData(ctx, at("box", "o"), bytes.NewReader(pattern(6<<20))), what)
		names, err := s.ListContainerObjects(ctx, "box", wit.None[uint64](), wit.None[uint64]())
		if err == nil {
			_, err = names.Next(10)
			require.NoError(t, names.Close())
		}
		require.Error(t, err, what)
	}

	// One that never answers, and one that falls silent.
	gone := make(chan struct{})
	t.Cleanup(func() { close(gone) })
	silent := startWith(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-r.Context().Done():
		case <-gone:
		}
	}))
	s := open(t, silent, s3.Config{})
	call, end := context.WithTimeout(ctx, 50*time.Millisecond)
	defer end()
	require.ErrorIs(t, s.CreateContainer(call, "box"), context.DeadlineExceeded)
	call, end = context.WithCancel(ctx)
	defer end()
	r, err := s.GetContainerData(call, at("box", "o"), 0, 1<<62)
	require.NoError(t, err)
	_, err = io.ReadFull(r, make([]byte, 4))
	require.NoError(t, err)
	reading := make(chan error, 1)
	go func() {
		_, err := r.Read(make([]byte, 1))
		reading <- err
	}()
	require.NoError(t, r.Close(), "while it is read")
	require.Error(t, <-reading)
}

// TestCredentials: wrong ones are an error of each call that says so, and are in none.
func TestCredentials(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	for code, with := range map[string][2]string{"InvalidAccessKeyId": {"AKIANOBODY", secretKey}, "SignatureDoesNotMatch": {accessKey, "hush hush"}} {
		cfg, err := s3.ParseConfig(provider.Settings{Config: map[string]string{"endpoint": srv.url(), "access_key_id": with[0]},
			Secrets: map[string]provider.Secret{"secret_access_key": provider.TextSecret(with[1])}})
		require.NoError(t, err)
		s, err := s3.New(cfg)
		require.NoError(t, err)
		err = s.CreateContainer(t.Context(), "box")
		require.ErrorContains(t, err, code)
		require.ErrorAs(t, err, new(contract.Error))
		require.NotContains(t, err.Error(), with[1])
		_, err = s.HasObject(t.Context(), at("box", "o"))
		require.Error(t, err)
		require.NoError(t, s.Close())
	}
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	v1 := `{"access_key_id":"id","secret_access_key":"hush","session_token":"t","region":"eu-west-1","max_attempts":7,
		"endpoint":"http://127.0.0.1:9000","aliases":{"A":"bucket-a","b":"bucket-x"},"bucket_region":null,"sts_config":null}`
	text := provider.TextSecret
	want := s3.Config{Endpoint: "http://127.0.0.1:9000", Region: "eu-west-1", BucketRegion: "eu-west-3", AccessKeyID: "id", SecretAccessKey: text("hush"), SessionToken: text("t"),
		Aliases: map[string]string{"a": "bucket-a", "b": "bucket-b"}, MaxAttempts: 7}
	for _, from := range []provider.Settings{
		{Config: map[string]string{"config_json": v1}},
		{Config: map[string]string{"CONFIG_B64": base64.StdEncoding.EncodeToString([]byte(v1))}},
		{Secrets: map[string]provider.Secret{"config_json": text(v1)}},
		{Config: map[string]string{"access_key_id": "id", "session_token": "t", "region": "eu-west-1", "max_attempts": "7", "endpoint": "http://127.0.0.1:9000", "alias_a": "bucket-a"},
			Secrets: map[string]provider.Secret{"secret_access_key": text("hush")}},
	} {
		cfg, err := s3.ParseConfig(provider.Settings{Config: map[string]string{"alias_B": "bucket-b", "BUCKET_REGION": "eu-west-3"}}.Over(from))
		require.NoError(t, err)
		require.Equal(t, want, cfg)
		require.NotContains(t, fmt.Sprintf("%+v %#v", cfg, cfg), "hush")
	}
	for text, values := range map[string]map[string]string{
		"secret config_json": {"config_json": `{"secret_access_key":"hush","what":1}`},
		"secret config_b64":  {"config_b64": "hush"},
		"roles are not":      {"config_json": `{"sts_config":{"role":"x"}}`},
		"go together":        {"access_key_id": "x"},
		"want http://":       {"endpoint": "ftp://u:hush@x"},
		"name of a bucket":   {"alias_x": "NO"},
		"no setting":         {"bucket": "x"},
		"small letters":      {"prefix": "A"},
		"from 5242880":       {"part_bytes": "1"},
		"from 1 to 100":      {"max_attempts": "0"},
	} {
		_, err := s3.ParseConfig(provider.Settings{Config: values})
		require.ErrorContains(t, err, text)
		require.NotContains(t, err.Error(), "hush")
	}
}

// FuzzNames: every object is one key and every container one bucket, no two are the
// same, and keys that are escaped keep the order.
func FuzzNames(f *testing.F) {
	for _, k := range []string{"", "a", "%", "%61", "a//b", "..", "lath-x", "\xff", " x", "Box", strings.Repeat("k", 70)} {
		f.Add(k, "%")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := s3.KeyOf(a)
		y, err2 := s3.KeyOf(b)
		if err != nil || err2 != nil {
			return
		}
		back, ok := s3.ObjectOf(x)
		require.True(t, ok)
		require.Equal(t, a, back)
		require.Equal(t, a == b, x == y)
		require.LessOrEqual(t, len(x), 1024)
		if (x[0] == '%') == (y[0] == '%') {
			require.Equal(t, a < b, x < y)
		}
		if !strings.HasPrefix(a, "alias_") && !strings.HasPrefix(b, "alias_") {
			require.Equal(t, a == b, s3.BucketOf("p-", a) == s3.BucketOf("p-", b))
		}
		require.Regexp(t, `^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`, s3.BucketOf("p-", a))
	})
}
