package linked_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/internal/linked"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bed is a table whose backends are what their settings say.
type bed struct {
	t      *testing.T
	table  *linked.Table[backend]
	open   sync.Map // name to how many are open
	fail   atomic.Bool
	parsed atomic.Int64
}

// backend is one of so many that are open by its name.
type backend struct {
	name string
	open *atomic.Int64
}

// Close implements io.Closer.
func (b backend) Close() error {
	b.open.Add(-1)
	return nil
}

func newBed(t *testing.T, own provider.Settings) *bed {
	b := &bed{t: t}
	var err error
	b.table, err = linked.New("wrpc:keyvalue", b.parse, own)
	require.NoError(t, err)
	return b
}

func (b *bed) parse(s provider.Settings) (linked.Opener[backend], error) {
	b.parsed.Add(1)
	if s.Config["bad"] != "" {
		return nil, errors.New("bad settings")
	}
	name := fmt.Sprintf("%s/%s", s.Config["url"], s.Secrets["password"].Bytes())
	return func(context.Context) (backend, error) {
		if b.fail.Load() {
			return backend{}, errors.New("away")
		}
		n, _ := b.open.LoadOrStore(name, new(atomic.Int64))
		open := n.(*atomic.Int64)
		open.Add(1)
		return backend{name, open}, nil
	}, nil
}

func (b *bed) opened(name string) int64 {
	n, ok := b.open.Load(name)
	if !ok {
		return 0
	}
	return n.(*atomic.Int64).Load()
}

func settings(url, password string) provider.Settings {
	s := provider.Settings{Config: map[string]string{}}
	if url != "" {
		s.Config["URL"] = url
	}
	if password != "" {
		s.Secrets = map[string]provider.Secret{"Password": provider.TextSecret(password)}
	}
	return s
}

func to(source, name string, s provider.Settings) provider.Link {
	return provider.Link{Link: lattice.Link{SourceID: source, Target: "kv", Name: name, WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"store"}}, Settings: s}
}

func from(source, name string) context.Context {
	return wrpc.ContextWithMeta(context.Background(), wrpc.Meta{SourceID: source, LinkName: name})
}

// on returns the backend that a call gets, and ends the call.
func (b *bed) on(ctx context.Context) string {
	b.t.Helper()
	use, done, err := b.table.Use(ctx)
	if err != nil {
		return "error: " + err.Error()
	}
	done()
	done() // once more is no harm
	return use.name
}

func TestEachLinkHasItsOwn(t *testing.T) {
	t.Parallel()
	b := newBed(t, settings("own", ""))
	other := to("shop", "default", settings("elsewhere", ""))
	other.WITPackage = "blobstore"
	errs := b.table.Relink(settings("own", ""), []provider.Link{
		to("shop", "default", settings("carts", "")), to("shop", "stats", settings("", "hush")), to("till", "default", settings("carts", "")),
		to("plain", "default", provider.Settings{}), to("broken", "default", provider.Settings{Config: map[string]string{"bad": "1"}}), other,
	})
	require.Len(t, errs, 6)
	require.EqualError(t, errs[4], "bad settings")
	errs[4] = nil
	require.Equal(t, make([]error, 6), errs)
	for want, ctx := range map[string]context.Context{
		"carts/": from("shop", "default"), "own/hush": from("shop", "stats"), "own/": from("plain", "default"), "error: bad settings": from("broken", "default"),
	} {
		require.Equal(t, want, b.on(ctx))
	}
	require.Equal(t, "carts/", b.on(from("shop", "")), "no name is the default one")
	require.Equal(t, "own/", b.on(context.Background()), "who says no link gets the provider's own")
	require.Equal(t, "own/", b.on(from("people", "")))
	require.Equal(t, "carts/", b.on(from("till", "default")))
	require.EqualValues(t, 1, b.opened("carts/"), "the same settings share one")
	require.NoError(t, b.table.Close())
	for _, name := range []string{"carts/", "own/", "own/hush"} {
		require.Zero(t, b.opened(name), name)
	}
	require.Contains(t, b.on(from("shop", "default")), "the provider is stopping")
}

// A new secret makes a new backend; what is under way ends on the old one, which is
// then closed.
func TestChangesWhileCallsRun(t *testing.T) {
	t.Parallel()
	b := newBed(t, provider.Settings{})
	with := func(password string) {
		b.table.Relink(provider.Settings{}, []provider.Link{to("shop", "default", settings("db", password))})
	}
	with("one")
	use, done, err := b.table.Use(from("shop", "default"))
	require.NoError(t, err)
	require.Equal(t, "db/one", use.name)
	parsed := b.parsed.Load()
	with("one")
	require.Equal(t, parsed, b.parsed.Load(), "what is as it was stays")
	with("two")
	require.Equal(t, "db/two", b.on(from("shop", "default")))
	require.EqualValues(t, 1, b.opened("db/one"), "a call has it")
	done()
	require.Eventually(t, func() bool { return b.opened("db/one") == 0 }, time.Minute, time.Millisecond)
	b.table.Relink(provider.Settings{}, nil)
	require.Eventually(t, func() bool { return b.opened("db/two") == 0 }, time.Minute, time.Millisecond)
	require.NoError(t, b.table.Close())
}

func TestOpeningFailsAndWorksLater(t *testing.T) {
	t.Parallel()
	b := newBed(t, settings("db", ""))
	b.fail.Store(true)
	require.Equal(t, "error: away", b.on(context.Background()))
	b.fail.Store(false)
	require.Equal(t, "db/", b.on(context.Background()))
	require.NoError(t, b.table.Close())
	_, err := linked.New("wrpc:keyvalue", b.parse, provider.Settings{Config: map[string]string{"BAD": "1"}})
	require.EqualError(t, err, "bad settings")
}

// A call waits a little for the link that it says it comes by, and for its secrets.
func TestCallsAheadOfTheirLink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings("own", ""))
		got := make(chan string)
		go func() { got <- b.on(from("shop", "default")) }()
		time.Sleep(time.Second)
		fetching := to("shop", "default", provider.Settings{})
		fetching.Err = fmt.Errorf("%w: being fetched", lattice.ErrBusy)
		b.table.Relink(settings("own", ""), []provider.Link{fetching})
		time.Sleep(time.Second / 2)
		b.table.Relink(settings("own", ""), []provider.Link{to("shop", "default", settings("db", ""))})
		require.Equal(t, "db/", <-got)
		b.table.Relink(settings("own", ""), []provider.Link{fetching})
		require.Contains(t, b.on(from("shop", "default")), "being fetched")
		require.Contains(t, b.on(from("stranger", "default")), `no link "default" from "stranger"`)
		ctx, cancel := context.WithTimeout(from("stranger", "default"), time.Second)
		defer cancel()
		require.Contains(t, b.on(ctx), context.DeadlineExceeded.Error())
		require.NoError(t, b.table.Close())
	})
}

// Calls, changes and the end at the same time leave nothing open.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	b := newBed(t, settings("own", ""))
	var working sync.WaitGroup
	for i := range 8 {
		working.Go(func() {
			for n := range 200 {
				if i == 0 {
					b.table.Relink(settings("own", ""), []provider.Link{to("shop", "default", settings("db", fmt.Sprint(n%5)))})
					continue
				}
				b.on(from("shop", ""))
			}
		})
	}
	working.Wait()
	require.NoError(t, b.table.Close())
	b.open.Range(func(name, n any) bool {
		require.Zero(t, n.(*atomic.Int64).Load(), name)
		return true
	})
}
