package sdk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/bind"
	"github.com/lathhost/lath/lattice/ctl"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

// The times of a provider.
const (
	// HostDataWait bounds the wait for the host data.
	HostDataWait = 10 * time.Second
	// DefaultDrain bounds how long calls may go on when the provider is to end.
	DefaultDrain = 10 * time.Second
)

// Provider says what a provider does. The callbacks may be nil. They are called
// one at a time, but for Health; the contracts' methods are called from many
// goroutines at once.
type Provider struct {
	// Contracts are what the provider carries out; see [Export].
	Contracts []Contract
	// Imports are the interfaces that the provider calls, along links that start at it;
	// see [Session.Target] and [Session.HTTP]. A link for another one is refused.
	Imports []*wit.Interface
	// Init is called once, before links are told and calls are served. An error
	// ends the provider.
	Init func(ctx context.Context, s *Session) error
	// LinkPut is told each link that starts or ends at the provider, first those
	// that there are when it starts. A link whose configuration changes is told as
	// gone and put. After an error the link is not there, for [Session.Link] either.
	LinkPut func(ctx context.Context, l Link) error
	// LinkGone is told each link that is gone, among those that LinkPut took.
	LinkGone func(ctx context.Context, l Link)
	// ConfigChanged is told the provider's own configuration after each change.
	ConfigChanged func(ctx context.Context, values map[string]string)
	// Health answers how the provider is: nil for well. It must be quick.
	Health func(ctx context.Context) error
	// Shutdown is called once, when the last call has ended, or was cut off.
	Shutdown func(ctx context.Context) error

	// Drain bounds how long calls may go on when the provider is to end; 0 means
	// [DefaultDrain].
	Drain time.Duration
	// Limits bound the calls that run at a time.
	Limits wrpc.Limits
	// Log writes of what the SDK does; nil: lines of text on standard error, at the
	// level that the host asks for.
	Log *zap.Logger
}

// Contract is an interface that a provider carries out.
type Contract struct {
	iface *wit.Interface
	serve func(bind.Registrar) error
}

// Export makes a contract of an interface, the generated function that serves it,
// and what carries it out:
//
//	sdk.Export(keyvalue.StoreInterface, bind.ServeStore, store)
func Export[T any](i *wit.Interface, serve func(bind.Registrar, T) error, impl T) Contract {
	return Contract{iface: i, serve: func(reg bind.Registrar) error { return serve(reg, impl) }}
}

// Run is a provider's whole life. It reads host data from r, of which a goroutine
// goes on waiting if there is none in time, and returns when the host has told the
// provider to end, or ctx has ended: nil if it ended in order. Everything it
// started has ended then.
func Run(ctx context.Context, r io.Reader, p Provider) error {
	data, err := readHostData(ctx, r)
	if err != nil {
		return err
	}
	log := p.Log
	if log == nil {
		if log, err = newLog(data); err != nil {
			return err
		}
	}
	s := &Session{data: data, provider: p, log: log.With(zap.String("provider", data.ProviderID)),
		config: data.Config, stop: make(chan struct{}), drained: make(chan struct{}), links: linkTable{id: data.ProviderID}}
	err = s.run(ctx)
	if err != nil {
		return fmt.Errorf("provider %s: %w", data.ProviderID, err)
	}
	return nil
}

func readHostData(ctx context.Context, r io.Reader) (*wire.HostData, error) {
	type result struct {
		data *wire.HostData
		err  error
	}
	ctx, cancel := context.WithTimeout(ctx, HostDataWait)
	defer cancel()
	read := make(chan result, 1)
	go func() {
		data, err := wire.ReadHostData(r)
		read <- result{data, err}
	}()
	select {
	case got := <-read:
		return got.data, got.err
	case <-ctx.Done():
		return nil, fmt.Errorf("host data: %w: nothing to read: a provider is started by a host, or by hand with: lath provider host-data ID | PROGRAM", lattice.ErrTimeout)
	}
}

// newLog writes as the host data asks for.
func newLog(d *wire.HostData) (*zap.Logger, error) {
	cfg := zap.NewProductionConfig()
	cfg.OutputPaths, cfg.ErrorOutputPaths = []string{"stderr"}, []string{"stderr"}
	cfg.Sampling, cfg.DisableStacktrace, cfg.DisableCaller = nil, true, true
	if !d.StructuredLogging {
		cfg.Encoding, cfg.EncoderConfig = "console", zap.NewDevelopmentEncoderConfig()
	}
	levels := map[string]zapcore.Level{"": zap.InfoLevel, "info": zap.InfoLevel, "trace": zap.DebugLevel, "debug": zap.DebugLevel,
		"warn": zap.WarnLevel, "error": zap.ErrorLevel, "critical": zap.ErrorLevel}
	level, ok := levels[strings.ToLower(d.LogLevel)]
	if !ok {
		level = zap.InfoLevel
	}
	cfg.Level = zap.NewAtomicLevelAt(level)
	log, err := cfg.Build()
	if err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	return log, nil
}

// run is Run with host data.
func (s *Session) run(ctx context.Context) (err error) {
	conn, err := lattice.Connect(ctx, lattice.ConnConfig{URL: s.data.URL, Name: "provider " + s.data.ProviderID,
		InboxPrefix: lattice.InboxPrefix(s.data.Lattice, s.data.ProviderID),
		Auth:        lattice.Auth{JWT: s.data.UserJWT, Seed: s.data.UserSeed},
		OnError:     func(subject string, err error) { s.log.Warn("NATS", zap.String("subject", subject), zap.Error(err)) }})
	if err != nil {
		return err
	}
	defer conn.Close()
	if s.client, err = wrpc.NewClient(conn, wrpc.ClientConfig{Timeout: time.Duration(min(s.data.RPCTimeoutMillis, maxTimeoutMillis)) * time.Millisecond}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.client.Close()) }()
	server, err := wrpc.NewServer(conn, wrpc.ServerConfig{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if err := s.begin(ctx); err != nil {
		return err
	}
	serving, contract, err := s.serve(ctx, conn, server)
	if err != nil {
		return errors.Join(err, s.end(ctx, serving))
	}
	host, err := wire.Serve(ctx, conn, s.data, (*handler)(s))
	if err != nil {
		return errors.Join(err, contract.Close(), s.end(ctx, serving))
	}
	s.log.Info("provider is ready", zap.String("lattice", s.data.Lattice))
	select {
	case <-ctx.Done():
	case <-s.stop:
	}
	// The host is answered when calls have ended; v1's kills who answered.
	err = errors.Join(contract.Close(), s.end(ctx, serving), host.Close())
	if conn.IsConnected() {
		err = errors.Join(err, lattice.Flush(context.WithoutCancel(ctx), conn))
	}
	s.log.Info("provider has ended")
	return err
}

// maxTimeoutMillis bounds what host data can ask for: a day.
const maxTimeoutMillis = 24 * 3600 * 1000

// begin lets the provider prepare, and tells it its first links.
func (s *Session) begin(ctx context.Context) error {
	if s.provider.Init != nil {
		if err := s.provider.Init(ctx, s); err != nil {
			return fmt.Errorf("init: %w", err)
		}
	}
	for _, d := range s.data.Links {
		s.inTurn(func() { s.putLink(ctx, d) })
	}
	return nil
}

// serve serves the contracts, and tells what they are.
func (s *Session) serve(ctx context.Context, conn *lattice.Conn, server *wrpc.Server) (*wrpc.Serving, *ctl.ContractServer, error) {
	reg := wrpc.NewRegistrar(wrpc.Export{Prefix: lattice.RPCPrefix(s.data.Lattice, s.data.ProviderID), Limiter: wrpc.NewLimiter(s.provider.Limits)})
	w := &wit.World{Name: "provider"}
	var errs []error
	for _, c := range s.provider.Contracts {
		errs = append(errs, c.serve(reg))
		w.Exports = append(w.Exports, wit.Extern{Name: c.iface.Name, Interface: c.iface})
	}
	for _, i := range s.provider.Imports {
		w.Imports = append(w.Imports, wit.Extern{Name: i.Name, Interface: i})
	}
	for _, list := range [][]wit.Extern{w.Imports, w.Exports} {
		slices.SortFunc(list, func(a, b wit.Extern) int { return strings.Compare(a.Name, b.Name) })
	}
	text, err := wit.Print(w)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, nil, err
	}
	serving, err := reg.Serve(ctx, server)
	if err != nil {
		return nil, nil, err
	}
	digest := sha256.Sum256([]byte(text))
	told := ctl.Contract{Digest: "sha256:" + hex.EncodeToString(digest[:]), WIT: text}
	for _, x := range w.Exports {
		told.Exports = append(told.Exports, x.Name)
	}
	contract, err := ctl.ServeContract(conn, s.data.Lattice, s.data.ProviderID, told)
	if err != nil {
		return serving, nil, err
	}
	return serving, contract, nil
}

// end lets calls that run end, and then the provider.
func (s *Session) end(ctx context.Context, serving *wrpc.Serving) error {
	defer close(s.drained)
	drain := s.provider.Drain
	if drain <= 0 {
		drain = DefaultDrain
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	var errs []error
	if serving != nil {
		errs = append(errs, serving.Drain(ctx))
	}
	s.inTurn(func() {
		s.over = true
		if s.provider.Shutdown != nil {
			errs = append(errs, s.provider.Shutdown(ctx))
		}
	})
	return errors.Join(errs...)
}
