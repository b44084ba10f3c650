package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/cmd/builtin"
	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/lattice"
)

// node is a host in this process with all that it stands on. Parts are started
// in order and closed in reverse.
type node struct {
	flags  *hostFlags
	dir    stateDir
	memory memoryLimits
	log    *zap.Logger

	url, rpcURL   string // rpcURL is empty where calls go the same way
	conn, rpcConn *lattice.Conn
	info          infoFile
	closers       []func() error
}

// shutdownWait bounds the end of what the host stands on.
const shutdownWait = 10 * time.Second

// run starts everything, calls ready, and returns when the host has ended.
func (n *node) run(ctx context.Context, ready func(hostInfo) error) (err error) {
	release, err := n.dir.lock()
	if errors.Is(err, errLocked) {
		return n.explainLock()
	}
	if err != nil {
		return err
	}
	// Last of all: who finds the lock free may take the host for gone.
	defer release()
	defer func() { err = errors.Join(err, n.close()) }()
	h, identity, err := n.open(ctx)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-h.Ready():
	}
	info := hostInfo{PID: os.Getpid(), HostID: identity.ID, Name: identity.Name, Lattice: n.flags.lattice,
		NATSURL: lattice.Servers(n.conn, n.url), RPCURL: n.rpcURL, StateDir: string(n.dir), Started: time.Now().UTC()}
	err = n.info.write(n.dir, info)
	n.closers = append(n.closers, n.info.remove)
	if err == nil {
		info.NATSURL = lattice.PublicURL(info.NATSURL)
		err = ready(info)
	}
	if err != nil {
		// It runs, and can be driven and stopped all the same.
		n.log.Error("host is ready, but could not say so", zap.Error(err))
	}
	return <-ended
}

// open starts what the host stands on and makes the host.
func (n *node) open(ctx context.Context) (*host.Host, *lattice.Identity, error) {
	f := n.flags
	identity, err := n.dir.identity(f.seed)
	if err != nil {
		return nil, nil, err
	}
	if n.url = f.natsURL; f.embedded {
		if err := n.openServer(ctx, identity); err != nil {
			return nil, nil, err
		}
	}
	if err := n.connect(ctx, identity); err != nil {
		return nil, nil, err
	}

	rt, err := component.New(ctx, component.Config{CacheDir: n.cachePath("compiled"), MemoryLimit: n.memory.total,
		Warn: func(err error) { n.log.Warn("compiled code", zap.Error(err)) }})
	if err != nil {
		return nil, nil, err
	}
	n.closers = append(n.closers, func() error { return rt.Close(context.WithoutCancel(ctx)) })
	images, err := oci.New(f.registries.config(n.cachePath("oci")))
	if err != nil {
		return nil, nil, err
	}
	n.closers = append(n.closers, func() error { images.Close(); return nil })

	policy, err := f.policy()
	if err != nil {
		return nil, nil, err
	}
	places, err := f.secrets.places(n.dir)
	if err != nil {
		return nil, nil, err
	}
	labels := envLabels()
	maps.Copy(labels, f.labels)
	h, err := host.New(host.Config{
		Lattice: f.lattice, Identity: identity, Conn: n.conn, RPCConn: n.rpcConn, JSDomain: f.jsDomain,
		Replicas: f.replicas, StoreWait: f.cluster.startTime(), Restore: f.restore, Runtime: rt, Images: images, Builtins: builtin.Providers(), ProviderDir: n.dir.path("providers"), ProgramDir: n.cachePath("programs"), Providers: f.providerAuth(), ProviderLimits: f.providerLimits,
		Labels: labels, Version: buildVersion(), Drain: f.drain, MaxWait: f.maxWait, Limits: component.Limits{Memory: n.memory.each}, Debug: f.debug, Grants: policy, Secrets: places, Log: n.log,
	})
	return h, identity, err
}

// cachePath is a directory in the cache; empty, without one: nothing is kept.
func (n *node) cachePath(name string) string {
	if n.flags.cacheDir == "" {
		return ""
	}
	return filepath.Join(n.flags.cacheDir, name)
}

func (n *node) close() error {
	var errs []error
	for _, closer := range slices.Backward(n.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}

func (n *node) explainLock() error {
	who := "another host"
	if info, err := n.dir.readInfo(); err == nil && info != nil {
		who = fmt.Sprintf("host %s (process %d)", info.Name, info.PID)
	}
	return fmt.Errorf("state directory %s is in use by %s: stop it with \"lath down\", or give this one its own --state-dir", n.dir, who)
}
