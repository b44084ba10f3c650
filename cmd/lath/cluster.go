package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice/natsserver"
)

// clusterFlags make the NATS server of up one of a cluster. They are called what
// they are called in nats-server.
type clusterFlags struct {
	name, addr, advertise string
	routes                []string
	wait                  time.Duration
}

func (f *clusterFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.name, "cluster", "", "name of the NATS cluster that the server is to be one of, with --routes")
	fromEnv(flags, "cluster", "LATH_CLUSTER")
	flags.StringSliceVar(&f.routes, "routes", nil, "addresses of the cluster's servers, nats://HOST:6222, which may name this one too; 3 or 5 together")
	fromEnv(flags, "routes", "LATH_ROUTES")
	flags.StringVar(&f.addr, "cluster-addr", "", "where this server listens for the others, [nats://USER:PASSWORD@]HOST:PORT (default: the host of --listen, port 6222)")
	fromEnv(flags, "cluster-addr", "LATH_CLUSTER_ADDR")
	flags.StringVar(&f.advertise, "cluster-advertise", "", "how the others reach this server, HOST:PORT, if not at --cluster-addr")
	fromEnv(flags, "cluster-advertise", "LATH_CLUSTER_ADVERTISE")
	flags.DurationVar(&f.wait, "cluster-wait", time.Minute, "how long to wait at the start for more than half of the cluster's servers")
	fromEnv(flags, "cluster-wait", "LATH_CLUSTER_WAIT")
}

// check finds what cannot be a cluster.
func (f *clusterFlags) check(ctx context.Context, listen string) error {
	c := f.config()
	if c == nil {
		if len(f.routes) > 0 || f.addr != "" || f.advertise != "" {
			return usagef("--routes, --cluster-addr and --cluster-advertise go with the name of a --cluster")
		}
		return nil
	}
	if f.wait <= 0 {
		return usagef("--cluster-wait %s: want a time", f.wait)
	}
	if _, err := c.Size(ctx, listen); err != nil {
		return usagef("--cluster %s: %w", f.name, err)
	}
	return nil
}

// config is nil for a server that runs alone.
func (f *clusterFlags) config() *natsserver.Cluster {
	if f.name == "" {
		return nil
	}
	return &natsserver.Cluster{Name: f.name, Addr: f.addr, Advertise: f.advertise, Routes: f.routes}
}

// startTime is how much longer a start takes that waits for other servers.
func (f *clusterFlags) startTime() time.Duration {
	if f.name == "" {
		return 0
	}
	return f.wait
}

// explainStore says what to type where a store is not for this way of running.
func explainStore(err error, store string) error {
	switch {
	case errors.Is(err, natsserver.ErrStandaloneStore):
		return fmt.Errorf(`%w. Carry what it holds over:
  lath up              (as before, alone), then:
  lath lattice export lattice.ndjson
  lath down
  lath up --cluster … --store DIR   with an empty DIR, on each of the machines, then on one of them:
  lath lattice import lattice.ndjson
and restart the hosts that are to find their work again. Afterwards %s may go`, err, store)
	case errors.Is(err, natsserver.ErrClusterStore):
		return fmt.Errorf("%w: start it with its --cluster and --routes, or choose another --store. Are the other servers gone for good: "+
			"copy the store, remove jetstream/$SYS from the copy, and start that one alone", err)
	}
	return err
}
