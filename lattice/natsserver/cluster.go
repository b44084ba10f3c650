package natsserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// DefaultClusterPort is where servers of a cluster find each other.
const DefaultClusterPort = 6222

// Servers of a cluster try each other out this often, and take one that leaves
// two of it unanswered for gone.
const (
	routePing    = 2 * time.Second
	routeMissing = 2
)

// lookupWait bounds the question whether a route's name is this machine's.
const lookupWait = 2 * time.Second

// Errors of a store that must not be started as it was asked for.
var (
	// ErrStandaloneStore: the store is of a server that ran alone. Started as part
	// of a cluster, NATS would take its streams for left over, and delete them.
	ErrStandaloneStore = errors.New("the store is of a server that ran alone")
	// ErrClusterStore: the store is of a server of a cluster. Started alone it would
	// go a way of its own, that the others do not know of.
	ErrClusterStore = errors.New("the store is of a server of a cluster")
)

// Cluster says of which NATS cluster a server is. All fields but Addr and
// Advertise are required.
type Cluster struct {
	// Name is the same on all servers.
	Name string
	// Addr is where this server listens for the others, HOST:PORT, or with the
	// user and password that all have to give, nats://USER:PASSWORD@HOST:PORT.
	// Default: Config.Host and DefaultClusterPort.
	Addr string
	// Advertise is how the others reach this server, HOST:PORT, where that is not
	// where it listens.
	Advertise string
	// Routes are the URLs of the servers, of which this one may be one:
	// nats://HOST:PORT. Together with this one there are 3 or 5.
	Routes []string
}

// clusterOptions is a Cluster that has been read.
type clusterOptions struct {
	opts   server.ClusterOpts
	routes []*url.URL
	size   int
}

// Size is how many servers the cluster has, or why there is no such cluster.
// host is Config.Host, empty for the default. It may look host names up.
func (c *Cluster) Size(ctx context.Context, host string) (int, error) {
	read, err := c.options(ctx, host)
	if err != nil {
		return 0, err
	}
	return read.size, nil
}

func (c *Cluster) options(ctx context.Context, host string) (*clusterOptions, error) {
	if c.Name == "" || strings.ContainsAny(c.Name, " \t\r\n.*>") {
		return nil, fmt.Errorf("cluster name %q: want one word without dots and wildcards", c.Name)
	}
	own, err := c.addr(host)
	if err != nil {
		return nil, err
	}
	read := &clusterOptions{opts: server.ClusterOpts{
		Name: c.Name, Host: own.Hostname(), Advertise: c.Advertise, PingInterval: routePing, MaxPingsOut: routeMissing,
	}}
	read.opts.Port, _ = strconv.Atoi(own.Port())
	if own.User != nil {
		read.opts.Username = own.User.Username()
		read.opts.Password, _ = own.User.Password()
	}
	if err := checkAdvertise(c.Advertise); err != nil {
		return nil, err
	}
	others := map[string]struct{}{}
	for _, s := range c.Routes {
		u, err := parseRoute(s, "cluster route")
		if err != nil {
			return nil, err
		}
		if u.User == nil {
			u.User = own.User // the servers of a cluster have one password
		}
		read.routes = append(read.routes, u)
		if !c.isSelf(ctx, u, own) {
			others[u.Host] = struct{}{}
		}
	}
	read.size = 1 + len(others)
	return read, checkSize(read.size)
}

// addr is where the server listens for others.
func (c *Cluster) addr(host string) (*url.URL, error) {
	addr := c.Addr
	if addr == "" {
		if host == "" {
			host = DefaultHost
		}
		addr = net.JoinHostPort(host, strconv.Itoa(DefaultClusterPort))
	}
	return parseRoute(addr, "cluster address")
}

// parseRoute reads the address of a server; its port is there then.
func parseRoute(s, what string) (*url.URL, error) {
	full := strings.TrimSpace(s)
	if !strings.Contains(full, "://") {
		full = "nats://" + full
	}
	u, err := url.Parse(full)
	if err != nil {
		return nil, fmt.Errorf("%s: not a URL such as nats://10.0.0.7:%d", what, DefaultClusterPort) // the error would repeat a password
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(DefaultClusterPort))
	}
	port, err := strconv.Atoi(u.Port())
	switch {
	case u.Scheme != "nats" && u.Scheme != "nats-route" && u.Scheme != "tls":
		return nil, fmt.Errorf("%s %s: scheme %q, want nats", what, u.Redacted(), u.Scheme)
	case u.Hostname() == "" || u.Path != "" || u.RawQuery != "":
		return nil, fmt.Errorf("%s %s: want nats://HOST:PORT", what, u.Redacted())
	case err != nil || port < 1 || port > 65535:
		return nil, fmt.Errorf("%s %s: want a port from 1 to 65535", what, u.Redacted())
	}
	if _, has := u.User.Password(); u.User != nil && !has {
		return nil, fmt.Errorf("%s %s: a user goes with a password", what, u.Redacted())
	}
	return u, nil
}

func checkAdvertise(addr string) error {
	if addr == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if n, bad := strconv.Atoi(port); err != nil || host == "" || bad != nil || n < 1 || n > 65535 {
		return fmt.Errorf("advertised cluster address %q: want HOST:PORT", addr)
	}
	return nil
}

// checkSize refuses clusters that lose what they store with one of them, or that
// are no safer than a smaller one.
func checkSize(n int) error {
	switch n {
	case 3, 5:
		return nil
	case 1:
		return errors.New("a cluster of 1 server: name the others as routes; there are 3 or 5 together")
	case 2:
		return errors.New("a cluster of 2 servers stops when either of them does, since one of two is no majority: it is safer with 3, or simpler with 1 server that the other machines join")
	case 4:
		return errors.New("a cluster of 4 servers bears the loss of one, as 3 do, since two of four are no majority: have 3 or 5")
	default:
		return fmt.Errorf("a cluster of %d servers: each write waits for more than half of them: have 3 or 5, that the other machines join", n)
	}
}

// isSelf says whether a route leads to the server that listens at own.
func (c *Cluster) isSelf(ctx context.Context, route, own *url.URL) bool {
	if c.Advertise != "" && route.Host == c.Advertise || route.Host == own.Host {
		return true
	}
	if route.Port() != own.Port() {
		return false
	}
	host := route.Hostname()
	if name, err := os.Hostname(); err == nil && host == name {
		return true
	}
	ips := []string{host}
	if net.ParseIP(host) == nil {
		ctx, cancel := context.WithTimeout(ctx, lookupWait)
		defer cancel()
		ips, _ = net.DefaultResolver.LookupHost(ctx, host) // unknown: another machine's, which is not up yet
	}
	mine := localIPs()
	return slices.ContainsFunc(ips, func(ip string) bool {
		is := net.ParseIP(ip)
		return is != nil && (is.IsLoopback() || slices.ContainsFunc(mine, is.Equal))
	})
}

func localIPs() []net.IP {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var ips []net.IP
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			ips = append(ips, n.IP)
		}
	}
	return ips
}

// isLoopback says whether only this machine can connect to a host.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// apply makes opts those of a server of the cluster.
func (c *clusterOptions) apply(opts *server.Options) error {
	if opts.Cluster.Port != 0 || opts.Cluster.Name != "" {
		return errors.New("the configuration file has a cluster, and another one is asked for: give one of them")
	}
	opts.Cluster, opts.Routes = c.opts, c.routes
	// Clients are told where else to connect. An address that only its own machine
	// can reach means another server on every other machine.
	far := slices.ContainsFunc(c.routes, func(u *url.URL) bool { return !isLoopback(u.Hostname()) })
	opts.Cluster.NoAdvertise = far && isLoopback(opts.Host)
	return nil
}

// checkStore refuses a store that was made in the other way of running: see the
// errors. dir is Options.StoreDir.
func checkStore(dir string, clustered bool) error {
	root := filepath.Join(dir, server.JetStreamStoreDir)
	accounts, err := os.ReadDir(root)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	streams, meta := false, false
	for _, a := range accounts {
		if list, err := os.ReadDir(filepath.Join(root, a.Name(), "streams")); err == nil && len(list) > 0 {
			streams = true
		}
		if _, err := os.Stat(filepath.Join(root, a.Name(), "_js_", "_meta_")); err == nil {
			meta = true
		}
	}
	switch {
	case clustered && streams && !meta:
		return fmt.Errorf("store %s: %w, and would lose its streams in a cluster", dir, ErrStandaloneStore)
	case !clustered && meta:
		return fmt.Errorf("store %s: %w", dir, ErrClusterStore)
	}
	return nil
}
