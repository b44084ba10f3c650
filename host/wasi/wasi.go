package wasi

import (
	"context"
	goio "io"
	"sync"

	bindcli "github.com/lathhost/lath/host/bind/wasi/cli"
	bindclocks "github.com/lathhost/lath/host/bind/wasi/clocks"
	bindconfig "github.com/lathhost/lath/host/bind/wasi/config"
	bindfilesystem "github.com/lathhost/lath/host/bind/wasi/filesystem"
	bindhttp "github.com/lathhost/lath/host/bind/wasi/http"
	bindio "github.com/lathhost/lath/host/bind/wasi/io"
	bindlogging "github.com/lathhost/lath/host/bind/wasi/logging"
	bindrandom "github.com/lathhost/lath/host/bind/wasi/random"
	bindsockets "github.com/lathhost/lath/host/bind/wasi/sockets"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi/cli"
	"github.com/lathhost/lath/host/wasi/clocks"
	"github.com/lathhost/lath/host/wasi/config"
	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/filesystem"
	"github.com/lathhost/lath/host/wasi/http"
	"github.com/lathhost/lath/host/wasi/io"
	"github.com/lathhost/lath/host/wasi/logging"
	"github.com/lathhost/lath/host/wasi/random"
	"github.com/lathhost/lath/host/wasi/sockets"
	contractlogging "github.com/lathhost/lath/wit/wasi/logging"
)

// The streams that a line can come from: see [Config].
const (
	Stdout = cli.Stdout
	Stderr = cli.Stderr
	// Log are messages of wasi:logging, where [Config] has no Log.
	Log = "log"
	// Host are the host's own words to the component's author: what was
	// refused and why.
	Host = "host"
)

// Config says what one component finds. The zero value is usable: no
// arguments, an empty environment, empty input, and output that is dropped.
// Its functions are called on guests' goroutines, by many at a time, and must
// not block.
type Config struct {
	// Args are the arguments, the program's name first.
	Args []string
	// Env are the environment variables by name.
	Env map[string]string
	// Cwd is the directory to start in. Default: none.
	Cwd string
	// Stdin is standard input, shared by all instances: a byte goes to one of
	// them. A goroutine reads from it while a guest waits for input, and stays
	// until that Read returns. Default: empty.
	Stdin goio.Reader
	// Line takes what the component writes to [Stdout] and [Stderr], and the
	// other streams named above, line by line: without line ends, at most
	// 8 KiB, valid UTF-8, no control characters but tab. Default: dropped.
	Line func(stream, line string)
	// Stdout and Stderr, where they are not nil, take the bytes of that stream
	// instead of Line, as they are and without a limit. They may block: a guest
	// that writes faster waits. Each is written to by one goroutine at a time
	// and never closed; the end of [WithRun] waits until everything is written.
	Stdout, Stderr goio.Writer
	// Terminals says which of the standard streams are terminals.
	Terminals cli.Terminals
	// Log takes messages of wasi:logging, which may have several lines, at
	// most 64 KiB, else like a line. Default: they go to Line.
	Log func(level contractlogging.Level, context, message string)
	// ConfigValues returns the settings of wasi:config/store as they are now;
	// it is asked on every call of the guest's, and the map must not be
	// written to afterwards. Default: no settings.
	ConfigValues func() map[string]string
	// HTTPLinked says which requests of wasi:http go by a link, whatever is granted.
	// Default: none.
	HTTPLinked http.Linked

	Grants
}

// Grants are what of its host's world a component may reach. The zero value
// grants nothing: what a guest asks for is refused in words that name the
// grant.
type Grants struct {
	// Dirs are the directories that the guest finds opened. One that is not
	// there stops the guest: [filesystem.Check] tells before.
	Dirs []filesystem.Dir
	// Sockets are the places that wasi:sockets may reach, and those that it may
	// listen on: see [egress.Rules.Addr] and [egress.Rules.Listen].
	Sockets *egress.Rules
	// HTTP are the servers that wasi:http may send requests to, Outbound is the way
	// that those go.
	HTTP     *egress.Rules
	Outbound http.Outbound
}

// WithRun returns a context for one instance, from its making to its last
// call. Lines of output that a guest wrote in pieces, to streams opened one
// after another, become whole under it; end hands out the last line if it has
// no line end. Without it, a line ends with the stream that it was written to.
// The instance's limits on open files count under it.
func WithRun(ctx context.Context) (_ context.Context, end func()) {
	return cli.WithRun(filesystem.WithInstance(ctx))
}

// IsRunKey says whether a key of a context's values is one of [WithRun]'s. A
// context that answers such keys itself can call WithRun when it is first asked.
func IsRunKey(key any) bool { return cli.IsRunKey(key) || filesystem.IsInstanceKey(key) }

// LastLines returns the last lines that the guest of a context of [WithRun]
// wrote to [Stderr], at most 20 and 4 KiB; see [Config].Line for what is in
// them. It returns nil where Config has a Stderr.
func LastLines(ctx context.Context) []string { return cli.LastLines(ctx) }

// Interfaces returns all interfaces, for [component.LinkConfig]. They serve any
// number of instances at a time.
func Interfaces(cfg Config) []component.HostInterface {
	if cfg.Line == nil {
		cfg.Line = func(string, string) {}
	}
	var all []component.HostInterface
	for _, part := range [][]component.HostInterface{
		ioInterfaces(), clockInterfaces(), randomInterfaces(), cliInterfaces(cfg), operatorInterfaces(cfg), grantedInterfaces(cfg), httpInterfaces(cfg),
	} {
		all = append(all, part...)
	}
	return all
}

func ioInterfaces() []component.HostInterface {
	return []component.HostInterface{bindio.Error(), bindio.Poll(io.Poll{}), bindio.Streams()}
}

func clockInterfaces() []component.HostInterface {
	return []component.HostInterface{bindclocks.MonotonicClock(clocks.NewMonotonic()), bindclocks.WallClock(clocks.Wall{})}
}

func randomInterfaces() []component.HostInterface {
	return []component.HostInterface{
		bindrandom.Random(random.Secure{}), bindrandom.Insecure(random.Insecure{}), bindrandom.InsecureSeed(random.Insecure{}),
	}
}

func cliInterfaces(cfg Config) []component.HostInterface {
	out := cli.NewOutput(cli.Sinks{Line: cfg.Line, Stdout: cfg.Stdout, Stderr: cfg.Stderr})
	return []component.HostInterface{
		bindcli.Environment(cli.NewEnvironment(cfg.Args, cfg.Env, cfg.Cwd)), bindcli.Exit(cli.Exit{}),
		bindcli.Stdin(cli.NewStdin(cfg.Stdin)), bindcli.Stdout(out), bindcli.Stderr(out),
		bindcli.TerminalInput(), bindcli.TerminalOutput(),
		bindcli.TerminalStdin(cfg.Terminals), bindcli.TerminalStdout(cfg.Terminals), bindcli.TerminalStderr(cfg.Terminals),
	}
}

// operatorInterfaces join a component with whoever runs it. Older guests import
// wasi:logging without a version.
func operatorInterfaces(cfg Config) []component.HostInterface {
	log := cfg.Log
	if log == nil {
		log = logLines(cfg.Line)
	}
	versioned := bindlogging.Logging(logging.New(log))
	unversioned := versioned
	unversioned.Name = "wasi:logging/logging"
	return []component.HostInterface{versioned, unversioned, bindconfig.Store(config.Store{Values: cfg.ConfigValues})}
}

// grantedInterfaces reach what is granted of files and the network. What they
// refuse is said once per component, not once per try.
func grantedInterfaces(cfg Config) []component.HostInterface {
	refused := once(func(why string) { cfg.Line(Host, why) })
	net, files := sockets.New(cfg.Sockets, refused), filesystem.New(cfg.Dirs, refused)
	return []component.HostInterface{
		bindfilesystem.Preopens(files), bindfilesystem.Types(files),
		bindsockets.InstanceNetwork(net), bindsockets.Network(), bindsockets.IPNameLookup(net),
		bindsockets.TCP(), bindsockets.TCPCreateSocket(net), bindsockets.UDP(), bindsockets.UDPCreateSocket(net),
	}
}

// httpInterfaces keep connections of their own, for the component's instances
// alone, until the template is closed.
func httpInterfaces(cfg Config) []component.HostInterface {
	refused := once(func(why string) { cfg.Line(Host, why) })
	web := http.New(http.Config{Rules: cfg.HTTP, Outbound: cfg.Outbound, Linked: cfg.HTTPLinked, Refused: refused})
	types, outgoing := bindhttp.Types(web), bindhttp.OutgoingHandler(web)
	outgoing.Idle = web.CloseIdle
	return []component.HostInterface{types, outgoing}
}

// maxSaid bounds the texts of [once], which guests have a part in.
const maxSaid = 100

// once passes each text on once, and after [maxSaid] of them none any more.
func once(say func(string)) func(string) {
	var mu sync.Mutex
	said := map[string]bool{}
	return func(text string) {
		mu.Lock()
		fresh := !said[text] && len(said) < maxSaid
		if fresh {
			said[text] = true
		}
		mu.Unlock()
		if fresh {
			say(text)
		}
	}
}
