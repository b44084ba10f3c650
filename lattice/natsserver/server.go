package natsserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Defaults of Config.
const (
	DefaultHost         = "127.0.0.1"
	DefaultPort         = 4222
	DefaultMaxPayload   = 8 << 20
	DefaultStartTimeout = 10 * time.Second
)

// RandomPort asks the system for a free port.
const RandomPort = -1

// writeDeadline is how long the server waits for a client that does not read
// before it cuts the client off.
const writeDeadline = 10 * time.Second

// A client that is silent for pingInterval is pinged, and cut off at the third
// ping to come after two that it did not answer. So whoever is paused or cut off
// has left all queue groups after four intervals at most: within 5 seconds.
const (
	pingInterval = 1100 * time.Millisecond
	pingsMissed  = 2
)

// Config says how to run the server. StoreDir is required.
type Config struct {
	// StoreDir holds JetStream's files; it is made if missing and locked while
	// the server runs. Two servers on one directory would destroy it.
	StoreDir string
	// Host is the address to listen on; default DefaultHost, this machine only.
	// The server has no authentication.
	Host string
	// Port to listen on: 0 is DefaultPort, RandomPort any free one.
	Port int
	// MaxPayload is the largest message in bytes; default DefaultMaxPayload.
	MaxPayload int32
	// Name of the server; default chosen by NATS.
	Name string
	// Cluster, if set, makes the server one of a cluster, under a Name that must be
	// its own and always the same. JetStream answers once more than half of the
	// servers are up, which Start does not wait for.
	Cluster *Cluster
	// ConfigFile is a configuration as nats-server -c reads it: accounts, TLS, leaf
	// nodes, clusters. What it says counts more than the fields above; JetStream is
	// on in any case, and the server logs to Log.
	ConfigFile string
	// StartTimeout bounds Start; default DefaultStartTimeout.
	StartTimeout time.Duration
	// Log gets the server's messages; nil drops them.
	Log Logger
}

// Logger receives what the server has to say. Methods are called concurrently.
type Logger interface {
	Info(msg string)
	Warn(msg string)
	Error(msg string)
}

// Server is a running NATS server.
type Server struct {
	ns     *server.Server
	url    string
	unlock func() error
	once   sync.Once
	done   chan struct{}
	err    error
}

// Start runs a server until Shutdown and returns when it takes connections. A
// port in use, a store that cannot be opened or is in use, ctx ending and
// StartTimeout are errors, and leave nothing running.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	opts, err := cfg.options(ctx)
	if err != nil {
		return nil, fmt.Errorf("start NATS server: %w", err)
	}
	unlock, err := lockStore(opts.StoreDir)
	if err != nil {
		return nil, err
	}
	var s *Server
	if err = checkStore(opts.StoreDir, opts.Cluster.Port != 0); err == nil {
		s, err = start(ctx, cfg, opts)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start NATS server: %w", err), unlock())
	}
	s.unlock = unlock
	return s, nil
}

func (cfg Config) withDefaults() (Config, error) {
	if cfg.StoreDir == "" {
		return cfg, errors.New("start NATS server: no store directory given")
	}
	dir, err := filepath.Abs(cfg.StoreDir)
	if err != nil {
		return cfg, fmt.Errorf("start NATS server: store directory: %w", err)
	}
	cfg.StoreDir = dir
	if cfg.Host == "" {
		cfg.Host = DefaultHost
	}
	if cfg.Port == 0 {
		cfg.Port = DefaultPort
	}
	if cfg.MaxPayload <= 0 {
		cfg.MaxPayload = DefaultMaxPayload
	}
	if cfg.StartTimeout <= 0 {
		cfg.StartTimeout = DefaultStartTimeout
	}
	return cfg, nil
}

// lockStore makes the directory and claims it for this process. The lock is the
// system's, so that it goes with the process however that ends.
func lockStore(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("start NATS server: store: %w", err)
	}
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start NATS server: store: %w", err)
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(
			fmt.Errorf("start NATS server: store %s is in use by another server: %w", dir, err), f.Close())
	}
	return f.Close, nil
}

// options are those of nats-server.
func (cfg Config) options(ctx context.Context) (*server.Options, error) {
	opts := &server.Options{}
	if cfg.ConfigFile != "" {
		var err error
		if opts, err = server.ProcessConfigFile(cfg.ConfigFile); err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
	}
	opts.Host = cmp.Or(opts.Host, cfg.Host)
	opts.Port = cmp.Or(opts.Port, cfg.Port)
	opts.ServerName = cmp.Or(opts.ServerName, cfg.Name)
	opts.MaxPayload = cmp.Or(opts.MaxPayload, cfg.MaxPayload)
	opts.WriteDeadline = cmp.Or(opts.WriteDeadline, writeDeadline)
	opts.PingInterval = cmp.Or(opts.PingInterval, pingInterval)
	opts.MaxPingsOut = cmp.Or(opts.MaxPingsOut, pingsMissed)
	opts.StoreDir = cmp.Or(opts.StoreDir, cfg.StoreDir)
	opts.JetStream, opts.NoSigs = true, true
	// Callers log for themselves; the file options of NATS stay unused.
	opts.NoLog, opts.LogFile, opts.Syslog, opts.PidFile, opts.PortsFileDir = true, "", false, "", ""
	if cfg.Cluster == nil {
		return opts, nil
	}
	if opts.ServerName == "" {
		return nil, errors.New("a server of a cluster needs a name of its own")
	}
	cluster, err := cfg.Cluster.options(ctx, cfg.Host)
	if err != nil {
		return nil, err
	}
	return opts, cluster.apply(opts)
}

func start(ctx context.Context, cfg Config, opts *server.Options) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.StartTimeout)
	defer cancel()
	ns, err := server.NewServer(opts)
	if err != nil {
		return nil, err
	}
	log := &logger{out: cfg.Log, fatal: make(chan error, 1)}
	ns.SetLoggerV2(log, false, false, false)
	// Start returns once the listeners run, or early after a fatal message.
	started := make(chan struct{})
	go func() {
		defer close(started)
		ns.Start()
	}()
	err = ctx.Err()
	if err == nil {
		err = waitReady(ctx, ns, log.fatal, started)
	}
	if err != nil {
		ns.Shutdown()
		<-started
		ns.WaitForShutdown()
		return nil, err
	}
	return &Server{ns: ns, url: ns.ClientURL(), done: make(chan struct{})}, nil
}

func waitReady(ctx context.Context, ns *server.Server, fatal <-chan error, started <-chan struct{}) error {
	for {
		select {
		case err := <-fatal:
			return err
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		case <-started:
			if err := afterStart(ns, fatal); err != nil {
				return err
			}
			started = nil
		default:
		}
		// ReadyForConnections waits no longer than told, and returns at once when
		// the server is ready.
		if ns.ReadyForConnections(25 * time.Millisecond) {
			return nil
		}
	}
}

// afterStart reports what made Start return without a running server.
func afterStart(ns *server.Server, fatal <-chan error) error {
	select {
	case err := <-fatal:
		return err
	default:
	}
	if !ns.Running() {
		return errors.New("it stopped at once")
	}
	if !ns.JetStreamEnabled() {
		return errors.New("JetStream did not start")
	}
	return nil
}

// URL is the address for clients, such as nats://127.0.0.1:4222.
func (s *Server) URL() string { return s.url }

// Cluster is the name of the cluster that the server is of, by its Config or its
// configuration file; empty for a server that runs alone.
func (s *Server) Cluster() string {
	if s.ns.ClusterAddr() == nil {
		return ""
	}
	return s.ns.ClusterName()
}

// Messages is how many messages the server has taken in from clients, and how many it
// has handed to them, since it started.
func (s *Server) Messages() (in, out int64, err error) {
	v, err := s.ns.Varz(nil)
	if err != nil {
		return 0, 0, fmt.Errorf("statistics of the NATS server: %w", err)
	}
	return v.InMsgs, v.OutMsgs, nil
}

// Done is closed when Shutdown has ended the server.
func (s *Server) Done() <-chan struct{} { return s.done }

// Shutdown ends the server, waits until its files are written and closed, and
// frees the store. Calls after the first wait for the same end. If ctx ends
// before, the server goes on ending and Shutdown reports ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.once.Do(func() {
		go func() {
			defer close(s.done)
			s.ns.Shutdown()
			s.ns.WaitForShutdown()
			s.err = s.unlock()
		}()
	})
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return fmt.Errorf("shut down NATS server: %w", ctx.Err())
	}
}
