package harness

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
)

// HTTPServers are the HTTP servers of a host, by their ids, which find free ports
// by themselves: see [HTTPServers.URL].
type HTTPServers struct {
	l       *Lattice
	started chan httpServer
	byID    map[string]Listener
}

// Listener tells where an HTTP server listens for an address of its settings; nil:
// nowhere yet.
type Listener interface{ Address(setting string) net.Addr }

type httpServer struct {
	id string
	Listener
}

// HTTPServers makes the built-in provider "http-server"; pass Offer to
// [Lattice.Host].
func (l *Lattice) HTTPServers() *HTTPServers {
	return &HTTPServers{l: l, started: make(chan httpServer, 16), byID: map[string]Listener{}}
}

// Offer adds the provider to those of a host.
func (s *HTTPServers) Offer(c *host.Config) {
	c.Builtins = append(c.Builtins, HTTPServer(func(id string, server Listener) { s.started <- httpServer{id, server} }))
}

// HTTPServer is the built-in provider "http-server"; started is told of each that
// is started.
func HTTPServer(started func(id string, s Listener)) provider.Builtin {
	return Builtin("http-server", func(id string, caps *provider.Capabilities) {
		if l, ok := caps.Caller.(Listener); ok {
			started(id, l)
		}
	})
}

// Free is an address of settings with a port that is free.
const Free = "127.0.0.1:0"

// URL waits until a provider listens at an address of its settings, and returns
// where that is.
func (s *HTTPServers) URL(id, address string) string {
	s.l.T.Helper()
	var at net.Addr
	s.l.Eventually("the server listens", func() bool {
		for len(s.started) > 0 {
			server := <-s.started
			s.byID[server.id] = server.Listener
		}
		if server := s.byID[id]; server != nil {
			at = server.Address(address)
		}
		return at != nil
	})
	return "http://" + at.String()
}

// LinkHTTP links an HTTP server to a component, with settings of the link, and
// waits until every host knows.
func (l *Lattice) LinkHTTP(source, target string, settings map[string]string) {
	l.T.Helper()
	config := fmt.Sprintf("%s-%s", source, target)
	ctx, cancel := context.WithTimeout(l.T.Context(), Wait)
	defer cancel()
	require.NoError(l.T, l.Control.PutConfig(ctx, config, settings))
	require.NoError(l.T, l.Control.PutLink(ctx, lattice.Link{SourceID: source, Target: target, Name: config, WITNamespace: "wasi", WITPackage: "http",
		Interfaces: []string{"incoming-handler"}, SourceConfig: []string{config}}))
}

// Web is a client without connections of others.
func (l *Lattice) Web() *http.Client {
	t := &http.Transport{DisableCompression: true}
	l.T.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: 2 * time.Minute}
}
