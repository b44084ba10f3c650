package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/grant"
	"github.com/lathhost/lath/host/process"
	"github.com/lathhost/lath/host/workload"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
)

// hostFlags are those of up and host.
type hostFlags struct {
	lattice, stateDir, cacheDir string
	labels                      map[string]string
	seed                        string
	registries                  registryFlags
	logLevel, logFormat         string
	maxMemory, totalMemory      string
	grants                      string
	drain, connectTimeout       time.Duration
	maxWait                     time.Duration
	detach, debug, restore      bool

	// Of up.
	embedded      bool
	listen, store string
	port          int
	natsConfig    string
	cluster       clusterFlags
	// Of host.
	natsURL, rpcURL string
	replicas        int

	jsDomain       string
	inboxPrefix    string
	auth, rpcAuth  lattice.Auth
	providerCreds  string
	providerLimits process.Limits
	providerMemory string
	secrets        secretPlaces
}

func (c *cli) upCmd() *cobra.Command {
	f := &hostFlags{embedded: true}
	cmd := &cobra.Command{
		Use: "up [flags]", Short: "Start a host with a NATS server in it",
		Long: `Start a host together with the NATS server that its lattice runs on, in one
process. Other hosts join with "lath host --nats-url". The server listens on this
machine only and has no authentication; see --listen and --nats-config.

Components have nothing of this machine but what the file of --grants says, by
component id or the start of one and "*"; of several that match, the longest counts:

  components:
    counter:
      dirs: ["./data::/data:ro"]      # HOST[::GUEST][:ro|:quota=SIZE]
      net: ["tcp://db.internal:5432"] # HOST[:PORT] that sockets may reach
      http: ["api.example.org"]       # servers that it may send requests to
      env: {MODE: fast}
      secrets: ["env:DB_PASSWORD", "vault:secret/counter/*"] # see lath secret --help
      memory: 64MiB
      cpu: 10s                        # of one call, counted as lath run --cpu
      time: 30s                       # of one call, on the clock
      log-rate: 64KiB                 # a second
      pool:                           # instances that are kept between calls
        reuse: pristine               # or sticky (with their state), or fresh (none)
        min: 2                        # made before they are needed
        max: 50                       # kept at most (default: as many as calls may run)
        idle: 5m                      # how long one that nobody needs (default 1m)
    "*": {memory: 32MiB}

The servers of 3 or 5 machines form a cluster with --cluster and --routes: what the
lattice stores is kept by three of them, and any one may be lost. Other machines
join as before, with the addresses of several servers. A server that ran alone is
not started as one of a cluster in place, since NATS would drop what it stores: see
lath lattice export.

It runs until a signal or "lath down": it then takes no more calls, finishes those
that run, and leaves. A second signal ends it at once.`,
		Example: "  lath up\n  lath up --detach --port 4333 --label zone=lab\n  lath up --grants grants.yaml\n" +
			"  lath up --listen 10.0.0.1 --cluster home --routes nats://10.0.0.1:6222,nats://10.0.0.2:6222,nats://10.0.0.3:6222",
		Args: nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runHost(cmd.Context(), f) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", natsserver.DefaultHost, "address that the NATS server listens on")
	fromEnv(flags, "listen", "LATH_LISTEN")
	flags.IntVarP(&f.port, "port", "p", natsserver.DefaultPort, "port of the NATS server; 0: any free one")
	fromEnv(flags, "port", "LATH_PORT", "WASMCLOUD_NATS_PORT")
	flags.StringVar(&f.store, "store", "", "directory of JetStream's files (default: nats in the state directory)")
	fromEnv(flags, "store", "LATH_STORE")
	flags.StringVar(&f.natsConfig, "nats-config", "", "configuration file of the NATS server, as nats-server -c takes it: accounts, TLS, leaf nodes; what it says counts more than flags")
	fromEnv(flags, "nats-config", "LATH_NATS_CONFIG")
	f.cluster.add(cmd)
	addAuth(cmd, &f.auth)
	addInboxPrefix(cmd, &f.inboxPrefix, "_INBOX.LATTICE.HOST-ID")
	return cmd
}

func (c *cli) hostCmd() *cobra.Command {
	f := &hostFlags{}
	cmd := &cobra.Command{
		Use: "host [flags]", Short: "Start a host that joins a lattice",
		Long: `Start a host that joins the lattice of a NATS server that runs already: that of
"lath up" on any machine, or any NATS with JetStream.

Components have nothing of this machine but what the file of --grants says: see
lath up --help.

It runs until a signal or "lath down": it then takes no more calls, finishes those
that run, and leaves. A second signal ends it at once.`,
		Example: "  lath host --nats-url nats://10.0.0.7:4222\n  lath host --nats-url tls://nats.example.com --nats-creds host.creds\n  lath host --state-dir /var/lib/lath-2 --detach",
		Args:    nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.natsURL = v1NATSURL(cmd, "nats-url", "WASMCLOUD_NATS", f.natsURL)
			f.rpcURL = v1NATSURL(cmd, "rpc-nats-url", "WASMCLOUD_RPC", f.rpcURL)
			return c.runHost(cmd.Context(), f)
		},
	}
	f.add(cmd)
	addNATSURL(cmd, &f.natsURL)
	addAuth(cmd, &f.auth)
	addRPC(cmd, &f.rpcURL, &f.rpcAuth)
	addInboxPrefix(cmd, &f.inboxPrefix, "_INBOX.LATTICE.HOST-ID")
	cmd.Flags().IntVar(&f.replicas, "replicas", 0, "how many servers of a NATS cluster keep what the lattice stores (default: 3 in a cluster, 1 elsewhere)")
	fromEnv(cmd.Flags(), "replicas", "LATH_REPLICAS")
	cmd.Flags().DurationVar(&f.connectTimeout, "connect-timeout", lattice.DefaultConnectWait, "how long to try to reach NATS at the start")
	return cmd
}

func (f *hostFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	addLattice(cmd, &f.lattice)
	addStateDir(cmd, &f.stateDir)
	addCacheDir(cmd, &f.cacheDir)
	flags.StringToStringVarP(&f.labels, "label", "l", nil, "label of the host, KEY=VALUE; repeatable (env LATH_LABEL_KEY, WASMCLOUD_LABEL_KEY)")
	flags.StringVar(&f.seed, "host-seed", "", "seed of the host's identity, SN…; better given by the environment (default: kept in the state directory)")
	fromEnv(flags, "host-seed", "LATH_HOST_SEED", "WASMCLOUD_HOST_SEED")
	f.registries.add(cmd)
	flags.BoolVar(&f.registries.allowFile, "allow-file-load", false, "allow file:// references")
	fromEnv(flags, "allow-file-load", "LATH_ALLOW_FILE_LOAD", "WASMCLOUD_ALLOW_FILE_LOAD")
	flags.StringVar(&f.maxMemory, "max-memory", "256MiB", "limit of a component's linear memory")
	fromEnv(flags, "max-memory", "LATH_MAX_MEMORY", "WASMCLOUD_MAX_LINEAR_MEMORY")
	flags.StringVar(&f.totalMemory, "total-memory", "", "limit of the linear memory of all components together, instances that wait for calls included; a call beyond is told \"busy\" (default: none)")
	fromEnv(flags, "total-memory", "LATH_TOTAL_MEMORY")
	flags.DurationVar(&f.maxWait, "max-wait", workload.DefaultMaxWait, "how long a call waits for an instance of a component that runs as many calls as it may, before its caller is told \"busy\"")
	fromEnv(flags, "max-wait", "LATH_MAX_WAIT")
	flags.BoolVar(&f.restore, "restore", f.embedded, "start again what ran on this host when it was last stopped")
	fromEnv(flags, "restore", "LATH_RESTORE")
	flags.StringVar(&f.jsDomain, "js-domain", "", "JetStream domain of the lattice's data, where the NATS server is a leaf node")
	fromEnv(flags, "js-domain", "LATH_JS_DOMAIN", "WASMCLOUD_JS_DOMAIN")
	flags.StringVar(&f.grants, "grants", "", "file that says what components may have of this machine: directories, network, environment, limits (default: nothing); read at the start")
	fromEnv(flags, "grants", "LATH_GRANTS")
	flags.StringVar(&f.providerCreds, "provider-creds", "", "credentials file of the NATS user that provider processes connect as (default: the host's own user, as v1 has it)")
	fromEnv(flags, "provider-creds", "LATH_PROVIDER_CREDS")
	flags.StringVar(&f.providerMemory, "provider-max-memory", "", "limit of the data of each provider process, such as 512MiB (Linux; default: none)")
	fromEnv(flags, "provider-max-memory", "LATH_PROVIDER_MAX_MEMORY")
	flags.Uint64Var(&f.providerLimits.Files, "provider-max-files", 0, "limit of the files that each provider process has open (Linux; default: none)")
	fromEnv(flags, "provider-max-files", "LATH_PROVIDER_MAX_FILES")
	f.secrets.add(cmd)
	flags.DurationVar(&f.drain, "drain", host.DefaultDrain, "how long calls may go on when the host is to end")
	fromEnv(flags, "drain", "LATH_DRAIN")
	flags.BoolVar(&f.debug, "debug", false, "log source files and lines of traps, where components have them (DWARF); slower to start components")
	fromEnv(flags, "debug", "LATH_DEBUG")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	fromEnv(flags, "log-level", "LATH_LOG_LEVEL", "WASMCLOUD_LOG_LEVEL")
	flags.StringVar(&f.logFormat, "log-format", "console", "console or json; logs go to standard error")
	fromEnv(flags, "log-format", "LATH_LOG_FORMAT")
	flags.BoolVarP(&f.detach, "detach", "d", false, "run in the background: return when the host is ready")
}

// check finds what is wrong before anything is done, so that a detached host
// fails where it was typed.
func (f *hostFlags) check(ctx context.Context) (m memoryLimits, err error) {
	if err := lattice.ValidLattice(f.lattice); err != nil {
		return m, usagef("--lattice: %w", err)
	}
	if err := lattice.ValidInboxPrefix(f.inboxPrefix); err != nil {
		return m, usagef("--inbox-prefix: %w", err)
	}
	if err := f.cluster.check(ctx, f.listen); err != nil {
		return m, err
	}
	if f.replicas < 0 || f.replicas > maxReplicas {
		return m, usagef("--replicas %d: want 1 to %d", f.replicas, maxReplicas)
	}
	if f.embedded && (f.port < 0 || f.port > 65535) {
		return m, usagef("--port %d: want 0 to 65535", f.port)
	}
	if f.drain < 0 {
		return m, usagef("--drain %s: it is negative", f.drain)
	}
	if _, err := newLogger(io.Discard, f.logLevel, f.logFormat); err != nil {
		return m, err
	}
	if f.providerMemory != "" {
		if f.providerLimits.Memory, err = humanize.ParseBytes(f.providerMemory); err != nil || f.providerLimits.Memory == 0 {
			return m, usagef("--provider-max-memory %q: want a size such as 512MiB", f.providerMemory)
		}
	}
	if _, _, err := f.providerAuth().User(); err != nil {
		return m, usagef("--provider-creds: %w", err)
	}
	if err := f.secrets.check(); err != nil {
		return m, err
	}
	if f.maxWait <= 0 {
		return m, usagef("--max-wait %s: want a time", f.maxWait)
	}
	if m, err = f.memory(); err != nil {
		return m, err
	}
	if _, err := f.policy(); err != nil {
		return m, err
	}
	return m, f.registries.check()
}

// maxReplicas is NATS's.
const maxReplicas = 5

// providerAuth is who provider processes connect as.
func (f *hostFlags) providerAuth() lattice.Auth {
	switch {
	case f.providerCreds != "":
		return lattice.Auth{CredsFile: f.providerCreds}
	case !f.rpcAuth.IsZero():
		return f.rpcAuth
	}
	return f.auth
}

// memoryLimits are in bytes.
type memoryLimits struct {
	each  uint64 // of a component's instance
	total uint64 // of all of them; 0: none
}

func (f *hostFlags) memory() (m memoryLimits, err error) {
	if m.each, err = humanize.ParseBytes(f.maxMemory); err != nil || m.each == 0 {
		return m, usagef("--max-memory %q: want a size such as 64MiB", f.maxMemory)
	}
	if f.totalMemory == "" {
		return m, nil
	}
	if m.total, err = humanize.ParseBytes(f.totalMemory); err != nil || m.total == 0 {
		return m, usagef("--total-memory %q: want a size such as 8GiB", f.totalMemory)
	}
	return m, nil
}

// policy reads the grants; without a file nothing is granted.
func (f *hostFlags) policy() (*grant.Policy, error) {
	if f.grants == "" {
		return nil, nil
	}
	p, err := grant.ReadFile(f.grants)
	if err != nil {
		return nil, fmt.Errorf("--grants: %w", err)
	}
	return p, nil
}

func (c *cli) runHost(ctx context.Context, f *hostFlags) error {
	memory, err := f.check(ctx)
	if err != nil {
		return err
	}
	dir, err := openStateDir(f.stateDir)
	if err != nil {
		return err
	}
	if f.detach {
		return c.detach(ctx, dir, f.cluster.startTime())
	}
	if f.store == "" {
		f.store = filepath.Join(string(dir), "nats")
	}
	log, err := newLogger(c.stderr, f.logLevel, f.logFormat)
	if err != nil {
		return err
	}
	n := &node{flags: f, dir: dir, memory: memory, log: log}
	return n.run(ctx, c.ready)
}

// ready tells what has started.
func (c *cli) ready(info hostInfo) error {
	return c.result(info, func(w io.Writer) {
		fmt.Fprintf(w, "%s (%s) is ready in lattice %s at %s; next: lath start component REF\n",
			info.Name, info.HostID, info.Lattice, info.NATSURL)
	})
}
