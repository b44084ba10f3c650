package provider_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	bind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	"github.com/lathhost/lath/lattice/ctl"
	wire "github.com/lathhost/lath/lattice/provider"
	memory "github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/sdk"
	"github.com/lathhost/lath/test/harness"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// A provider has neither arguments nor environment: a script gives it the one
// that tells this program from a test.
const asProvider = "be-provider"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == asProvider {
		behaviours[os.Args[2]]()
		return
	}
	goleak.VerifyTestMain(m)
}

// script makes a program that is this one with a behaviour, and returns its
// reference.
func script(t *testing.T, behaviour string) string {
	t.Helper()
	require.Contains(t, behaviours, behaviour)
	self, err := os.Executable()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), behaviour)
	text := fmt.Sprintf("#!/bin/sh\nexec '%s' %s %s\n", self, asProvider, behaviour)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o700)) //nolint:gosec // it is a program
	return "file://" + path
}

// behaviours are the mains of providers.
var behaviours = map[string]func(){
	"keyvalue":  func() { run(sdk.Provider{Contracts: contracts()}) },
	"linked":    func() { run(linked()) },
	"secretive": func() { run(secretive()) },
	// It ends before it has said anything.
	"exits": func() { fmt.Fprintln(os.Stderr, "no database at db:5432"); os.Exit(9) },
	// It ends when it is asked again after it has answered twice: it was ready.
	"loops": func() {
		var asked atomic.Int32
		run(sdk.Provider{Health: func(context.Context) error {
			if asked.Add(1) > 2 {
				os.Exit(4)
			}
			return nil
		}})
	},
	// It ends in the middle of a call.
	"dies": func() {
		run(sdk.Provider{Contracts: append(contracts()[:1], sdk.Export(keyvalue.AtomicsInterface, bind.ServeAtomics, keyvalue.Atomics(dying{})))})
	},
	// It never answers anything, and has a child that holds its output open.
	"silent": func() {
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("pid", os.Getpid())
		select {}
	},
	"garbage": func() { answering(`hello`, nil) },
	"unwell":  func() { answering(`{"healthy":false,"message":"disk full"}`, nil) },
	"healing": func() {
		answering(`{"healthy":true}`, []string{`{"healthy":true}`, `{"healthy":true}`, `{"healthy":false}`, `{"healthy":false}`})
	},
	"stubborn": func() { signal.Ignore(syscall.SIGTERM); answering(`{"healthy":true}`, nil) },
	"limits": func() {
		run(sdk.Provider{Init: func(context.Context, *sdk.Session) error {
			var l unix.Rlimit
			err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l)
			fmt.Println("files", l.Max)
			return err
		}})
	},
	"noisy": func() {
		go func() {
			for {
				fmt.Println(strings.Repeat("noise ", 1000))
			}
		}()
		run(sdk.Provider{})
	},
}

// answering answers health by some answers and then by the last one for ever, and
// nothing else; it never ends by itself.
func answering(last string, first []string) {
	data, err := wire.ReadHostData(os.Stdin)
	if err != nil {
		panic(err)
	}
	nc, err := nats.Connect(data.URL)
	if err != nil {
		panic(err)
	}
	_, err = nc.Subscribe(lattice.ProviderHealth(data.Lattice, data.ProviderID), func(m *nats.Msg) {
		answer := last
		if len(first) > 0 {
			answer, first = first[0], first[1:]
		}
		_ = m.Respond([]byte(answer))
	})
	if err != nil {
		panic(err)
	}
	_, err = nc.Subscribe(lattice.ProviderShutdown(data.Lattice, data.ProviderID, "default"), func(m *nats.Msg) { _ = m.Respond(nil) })
	if err != nil {
		panic(err)
	}
	select {}
}

// dying ends its process when it is called for the key "die".
type dying struct{}

func (dying) Increment(_ context.Context, _, key string, _ uint64) (uint64, error) {
	if key == "die" {
		os.Exit(3)
	}
	return uint64(os.Getpid()), nil //nolint:gosec // it is positive
}

// linked tells its links, its configuration and who calls, by its log and by the
// values of keys.
func linked() sdk.Provider {
	var s *sdk.Session
	return sdk.Provider{
		Init: func(_ context.Context, session *sdk.Session) error {
			s = session
			fmt.Println("init", s.Config())
			return nil
		},
		LinkPut: func(_ context.Context, l sdk.Link) error {
			fmt.Println("put", l.SourceID, l.Config)
			if l.Config["refuse"] != "" {
				return errors.New("as it is told")
			}
			return nil
		},
		LinkGone:      func(_ context.Context, l sdk.Link) { fmt.Println("gone", l.SourceID, l.Config) },
		ConfigChanged: func(_ context.Context, values map[string]string) { fmt.Println("config", values) },
		Shutdown:      func(context.Context) error { fmt.Println("shutdown"); return nil },
		Contracts: []sdk.Contract{sdk.Export(keyvalue.StoreInterface, bind.ServeStore, keyvalue.Store(linkStore{func(ctx context.Context) string {
			l, ok := s.Link(ctx, "wrpc:keyvalue")
			return fmt.Sprint(ok, l.Config)
		}}))},
	}
}

// linkStore tells the caller's link as the value of every key.
type linkStore struct {
	tell func(ctx context.Context) string
}

func (s linkStore) Get(ctx context.Context, _, _ string) (wit.Option[[]byte], error) {
	return wit.Some([]byte(s.tell(ctx))), nil
}
func (linkStore) Set(context.Context, string, string, []byte) error    { return nil }
func (linkStore) Delete(context.Context, string, string) error         { return nil }
func (linkStore) Exists(context.Context, string, string) (bool, error) { return false, nil }
func (linkStore) ListKeys(context.Context, string, wit.Option[uint64]) (keyvalue.KeyResponse, error) {
	return keyvalue.KeyResponse{}, nil
}

func contracts() []sdk.Contract {
	m := memory.NewMemory(memory.MemoryConfig{})
	return []sdk.Contract{
		sdk.Export(keyvalue.StoreInterface, bind.ServeStore, keyvalue.Store(m)),
		sdk.Export(keyvalue.AtomicsInterface, bind.ServeAtomics, keyvalue.Atomics(m)),
	}
}

func run(p sdk.Provider) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := sdk.Run(ctx, os.Stdin, p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const increment = `example:counter/counter.increment("k")`

func call(t *testing.T, l *harness.Lattice) string {
	t.Helper()
	got, err := l.Call(t.Context(), nil, "count", increment)
	require.NoError(t, err)
	return got.WAVE
}

func timeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

const bedWait = harness.Wait

func startReq(builtin string, configs ...string) ctl.StartProvider {
	return ctl.StartProvider{ProviderID: "kv", ProviderRef: provider.Scheme + builtin, Config: configs}
}
