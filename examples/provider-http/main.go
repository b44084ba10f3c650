// Program provider-http is a capability provider in Go: an HTTP server that a host runs
// as a process of its own. Each link that starts at it is an address at which a
// component answers, called over NATS, as wasmCloud v1's http-server does. A host's
// built-in http-server does more, and calls components of its host directly.
//
//	go build -o provider-http ./examples/provider-http
//	lath start provider web ./provider-http           # hosts with --allow-file-load
//	lath config put site address=127.0.0.1:8000
//	lath link put web hello --interface wasi:http/incoming-handler --source-config site
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/lathhost/lath/providers/sdk"
	"github.com/lathhost/lath/wit"
	wrpchttp "github.com/lathhost/lath/wit/wrpc/http"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	w := &web{servers: map[string]*http.Server{}}
	err := sdk.Run(ctx, os.Stdin, sdk.Provider{
		Imports:  []*wit.Interface{wrpchttp.IncomingHandlerInterface},
		Init:     func(_ context.Context, s *sdk.Session) error { w.session = s; return nil },
		LinkPut:  w.open,
		LinkGone: func(ctx context.Context, l sdk.Link) { _ = w.shut(ctx, l.Name+" "+l.Target) },
		Shutdown: w.shutAll,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// web is one server for each link. Its methods are called one at a time.
type web struct {
	session *sdk.Session
	servers map[string]*http.Server
	serving sync.WaitGroup
}

// Bounds of requests.
const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	drainTime  = 10 * time.Second
)

// open listens where a link says.
func (w *web) open(ctx context.Context, l sdk.Link) error {
	if !l.IsSource {
		return errors.New("this provider answers no calls")
	}
	to, err := w.session.HTTP(l)
	if err != nil {
		return err
	}
	at, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.Config["address"])
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{Transport: to, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime}
	w.servers[l.Name+" "+l.Target] = server
	w.serving.Go(func() { _ = server.Serve(at) }) // until it is shut
	return nil
}

// shut ends a link's server, once its requests have been answered.
func (w *web) shut(ctx context.Context, link string) error {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	server := w.servers[link]
	delete(w.servers, link)
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

func (w *web) shutAll(ctx context.Context) error {
	var errs []error
	for link := range w.servers {
		errs = append(errs, w.shut(ctx, link))
	}
	w.serving.Wait()
	return errors.Join(errs...)
}
