package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
)

// openServer starts the NATS server of up.
func (n *node) openServer(ctx context.Context, identity *lattice.Identity) error {
	f := n.flags
	port := f.port
	if port == 0 {
		port = natsserver.RandomPort
	}
	cfg := natsserver.Config{
		StoreDir: f.store, Host: f.listen, Port: port, ConfigFile: f.natsConfig, Log: natsLog{n.log.Named("nats-server")},
		Cluster: f.cluster.config(),
	}
	if cfg.Cluster != nil {
		cfg.Name = identity.ID // the same after every restart
		f.replicas = lattice.ClusterReplicas
	}
	server, err := natsserver.Start(ctx, cfg)
	switch {
	case errors.Is(err, natsserver.ErrStandaloneStore), errors.Is(err, natsserver.ErrClusterStore):
		return explainStore(err, f.store)
	case err != nil:
		return fmt.Errorf("%w; choose another with --port or --listen, or join a server that runs with: lath host --nats-url URL", err)
	}
	n.url = server.URL()
	n.closers = append(n.closers, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWait)
		defer cancel()
		return server.Shutdown(ctx)
	})
	return nil
}

// connect makes the host's connections to NATS.
func (n *node) connect(ctx context.Context, identity *lattice.Identity) error {
	f := n.flags
	cfg := n.connConfig(identity)
	var err error
	if n.conn, err = lattice.Connect(ctx, cfg); err != nil {
		if !f.embedded {
			err = fmt.Errorf("%w; name a server with --nats-url, or start one here with: lath up", err)
		}
		return err
	}
	n.closers = append(n.closers, func() error { n.conn.Close(); return nil })
	n.rpcConn = n.conn
	if !separateRPC(&cfg, f.rpcURL, f.rpcAuth) {
		return nil
	}
	cfg.Name, cfg.OnServers = cfg.Name+" calls", nil
	n.rpcURL = cfg.URL
	if n.rpcConn, err = lattice.Connect(ctx, cfg); err != nil {
		return fmt.Errorf("for calls: %w; see --rpc-nats-url", err)
	}
	n.closers = append(n.closers, func() error { n.rpcConn.Close(); return nil })
	return nil
}

func (n *node) connConfig(identity *lattice.Identity) lattice.ConnConfig {
	f, log := n.flags, n.log.Named("nats")
	inbox := f.inboxPrefix
	if inbox == "" {
		inbox = lattice.InboxPrefix(f.lattice, identity.ID)
	}
	return lattice.ConnConfig{
		URL: n.url, Auth: f.auth, Name: "lath host " + identity.Name, Wait: f.connectTimeout, InboxPrefix: inbox,
		OnDisconnect: func(err error) {
			if err != nil { // nil: closed by us
				log.Warn("connection lost", zap.Error(err))
			}
		},
		OnReconnect: func(url string) { log.Info("connected again", zap.String("url", url)) },
		OnServers: func(conn *lattice.Conn) {
			if err := n.info.setServers(lattice.Servers(conn, n.url)); err != nil {
				log.Warn("servers not noted", zap.Error(err))
			}
		},
		OnError: func(subject string, err error) { log.Warn("error", zap.String("subject", subject), zap.Error(err)) },
	}
}

// infoFile is host.json while the host runs: the servers in it are those that are
// known.
type infoFile struct {
	mu   sync.Mutex
	dir  stateDir
	info *hostInfo // nil: not written yet, or removed
}

func (f *infoFile) write(dir stateDir, info hostInfo) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dir, f.info = dir, &info
	return dir.writeInfo(info)
}

func (f *infoFile) setServers(urls string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.info == nil || f.info.NATSURL == urls {
		return nil
	}
	f.info.NATSURL = urls
	return f.dir.writeInfo(*f.info)
}

func (f *infoFile) remove() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.info = nil
	return f.dir.removeInfo()
}
