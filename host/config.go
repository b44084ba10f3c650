package host

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/grant"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/host/process"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/host/provider/external"
	"github.com/lathhost/lath/host/secrets"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
)

// Defaults of [Config].
const (
	DefaultHeartbeat = 30 * time.Second
	DefaultDrain     = 10 * time.Second
	DefaultMaxTime   = 10 * time.Minute // v1's --max-execution-time-ms
	DefaultLogRate   = 256 << 10        // bytes a second
)

// Config says what a host is. Lattice, Identity, Conn, Runtime and Images are
// required; they stay the caller's to close, after Run has returned.
type Config struct {
	Lattice  string
	Identity *lattice.Identity
	// Conn is the connection to NATS, made by lattice.Connect: commands, events and
	// what is stored.
	Conn *lattice.Conn
	// RPCConn is the one for calls, the pulses by which they are steered, and
	// providers, where that is another.
	// Default: Conn.
	RPCConn *lattice.Conn
	// Replicas is how many servers of a NATS cluster keep what is stored; 0 lets
	// the cluster decide, see state.Options.
	Replicas int
	// StoreWait bounds how long Run waits for JetStream at the start, where a
	// cluster has too few servers yet. Default: state.DefaultWait.
	StoreWait time.Duration
	// JSDomain is the JetStream domain of the lattice's data, for leaf nodes.
	JSDomain string
	Runtime  *component.Runtime
	Images   *oci.Client
	// Builtins are the providers that are compiled in.
	Builtins []provider.Builtin
	// Providers is the NATS user that providers which are processes connect as;
	// what else it says of the connection they are not told. It may be empty where
	// the server wants none, and should be one that may do less than the host.
	Providers lattice.Auth
	// ProgramDir is where the programs of providers are kept that come from
	// registries and archives. Empty: there are none.
	ProgramDir string
	// ProviderDir is where built-in providers keep files, each in a folder of its
	// own. Empty: those that need one do not start.
	ProviderDir string
	// ProviderTimes are those of providers which are processes, ProviderLimits
	// what each process may take of the machine.
	ProviderTimes  external.Times
	ProviderLimits process.Limits
	// Labels are the host's own; hostcore.* are added.
	Labels map[string]string
	// Version is the host's semantic version.
	Version string
	// Heartbeat is how often the inventory is published. Default 30 s.
	Heartbeat time.Duration
	// Drain bounds how long calls may go on after the host was told to stop.
	// Default 10 s.
	Drain time.Duration
	// MaxTime bounds one call into a component. Default 10 min.
	MaxTime time.Duration
	// MaxWait bounds how long a call waits for an instance of a component whose
	// instances are all taken, before its caller is told "busy". Default:
	// workload.DefaultMaxWait.
	MaxWait time.Duration
	// LinkTime bounds one call along a link, where its caller has no less time
	// left. Default 30 s.
	LinkTime time.Duration
	// Limits are those of each component; zero fields mean the defaults.
	Limits component.Limits
	// LogRate bounds what each component may write to the log, in bytes a
	// second, over all its instances; what is more is left out, and counted
	// there. Default: [DefaultLogRate].
	LogRate uint64
	// Debug has the backtraces of traps name source files and lines, where a
	// component has them: see [component.LinkConfig]. It costs time and memory
	// when one starts, and nothing after.
	Debug bool
	// Restore starts again, under the same identity, what commands had started on
	// this host and not stopped.
	Restore bool
	// Grants say what components may have of this machine; nobody in the lattice
	// can change them. Nil grants nothing.
	Grants *grant.Policy
	// Secrets are where the host looks for secrets, beside its environment.
	Secrets secrets.Places
	// Now is the wall clock that the host tells others, with events, commands, beats
	// and providers; default time.Now. The host decides nothing by it: what has passed
	// it measures, and the validity of tokens is for the machine's own clock.
	Now func() time.Time
	// Log is required.
	Log *zap.Logger
}

func (c Config) withDefaults() (Config, error) {
	var errs []error
	need := func(is bool, name string) {
		if !is {
			errs = append(errs, fmt.Errorf("%s is required", name))
		}
	}
	need(c.Identity != nil, "Identity")
	need(c.Conn != nil, "Conn")
	need(c.Runtime != nil, "Runtime")
	need(c.Images != nil, "Images")
	need(c.Log != nil, "Log")
	errs = append(errs, lattice.ValidLattice(c.Lattice))
	if err := errors.Join(errs...); err != nil {
		return c, fmt.Errorf("host: %w", err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.RPCConn == nil {
		c.RPCConn = c.Conn
	}
	if c.Heartbeat <= 0 {
		c.Heartbeat = DefaultHeartbeat
	}
	if c.Drain <= 0 {
		c.Drain = DefaultDrain
	}
	if c.MaxTime <= 0 {
		c.MaxTime = DefaultMaxTime
	}
	if c.LinkTime <= 0 {
		c.LinkTime = wrpc.DefaultTimeout
	}
	if c.LogRate == 0 {
		c.LogRate = DefaultLogRate
	}
	if c.Version == "" {
		c.Version = "0.0.0-dev"
	}
	labels := coreLabels()
	maps.Copy(labels, c.Labels)
	c.Labels = labels
	return c, nil
}

// coreLabels are v1's built-in labels, in the words that v1 uses.
func coreLabels() map[string]string {
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	system, family := runtime.GOOS, "unix"
	switch runtime.GOOS {
	case "darwin":
		system = "macos"
	case "windows":
		family = "windows"
	}
	return map[string]string{"hostcore.arch": arch, "hostcore.os": system, "hostcore.osfamily": family}
}
