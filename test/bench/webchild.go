package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/providers/httpserver"
	"github.com/lathhost/lath/test/harness"
)

// webLattice is the lattice of the web servers, apart from others on the same NATS.
const webLattice = "bench-web"

// webHost is a process with HTTP servers in it: a handler of net/http's, and two
// hosts with a component each, of which the first has the built-in server.
type webHost struct {
	url     string
	dir     string
	runtime *component.Runtime
	images  *oci.Client
	control *ctl.Client
	ref     string
	servers chan *httpserver.Server
	closers []func() error
}

// webChild serves until its input ends. For each line of it, it tells the bytes that
// the process holds.
func webChild(ctx context.Context, args []string, in io.Reader, out io.Writer) (err error) {
	w := &webHost{url: args[0], servers: make(chan *httpserver.Server, 1)}
	defer func() {
		for len(w.closers) > 0 {
			last := len(w.closers) - 1
			err = errors.Join(err, w.closers[last]())
			w.closers = w.closers[:last]
		}
	}()
	site, err := w.start(ctx)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	if err := enc.Encode(site); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := enc.Encode(held()); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (w *webHost) later(f func() error) { w.closers = append(w.closers, f) }

func (w *webHost) start(ctx context.Context) (*webSite, error) {
	site := &webSite{}
	var err error
	if site.Plain, err = w.plain(ctx); err != nil {
		return nil, err
	}
	if err := w.open(ctx); err != nil {
		return nil, err
	}
	near, err := w.host(ctx, []provider.Builtin{harness.HTTPServer(func(_ string, s *httpserver.Server) { w.servers <- s })})
	if err != nil {
		return nil, err
	}
	far, err := w.host(ctx, nil)
	if err != nil {
		return nil, err
	}
	for id, on := range map[string]string{"near": near, "far": far} {
		if _, err := w.control.ScaleComponent(ctx, on, ctl.ScaleComponent{ComponentID: id, ComponentRef: w.ref, MaxInstances: 64}); err != nil {
			return nil, err
		}
	}
	if err := w.control.StartProvider(ctx, near, ctl.StartProvider{ProviderID: "web", ProviderRef: provider.Scheme + "http-server"}); err != nil {
		return nil, err
	}
	server := <-w.servers
	if site.Near, err = w.link(ctx, server, "near", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	site.Far, err = w.link(ctx, server, "far", "127.0.0.2:0")
	return site, err
}

// plain serves what the component does, by Go alone.
func (w *webHost) plain(ctx context.Context) (address string, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, hello)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	w.later(func() error {
		if err := server.Close(); err != nil {
			return err
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return l.Addr().String(), nil
}

// open makes what the hosts share.
func (w *webHost) open(ctx context.Context) (err error) {
	if w.dir, err = os.MkdirTemp("", "lath-bench-"); err != nil {
		return err
	}
	w.later(func() error { return os.RemoveAll(w.dir) })
	if w.runtime, err = component.New(ctx, component.Config{}); err != nil {
		return err
	}
	w.later(func() error { return w.runtime.Close(context.Background()) })
	if w.images, err = oci.New(oci.Config{AllowFile: true}); err != nil {
		return err
	}
	w.later(func() error { w.images.Close(); return nil })
	conn, err := w.connect(ctx)
	if err != nil {
		return err
	}
	if w.control, err = ctl.NewClient(ctl.ClientConfig{Conn: conn, Lattice: webLattice}); err != nil {
		return err
	}
	wasm, err := examples.Component("http-hello")
	if err != nil {
		return err
	}
	path := filepath.Join(w.dir, "http-hello.wasm")
	if err = os.WriteFile(path, wasm, 0o600); err == nil {
		w.ref, err = oci.FileReference(path)
	}
	return err
}

func (w *webHost) connect(ctx context.Context) (*lattice.Conn, error) {
	conn, err := lattice.Connect(ctx, lattice.ConnConfig{URL: w.url})
	if err == nil {
		w.later(func() error { conn.Close(); return nil })
	}
	return conn, err
}

// host starts a host, and returns its id.
func (w *webHost) host(ctx context.Context, builtins []provider.Builtin) (string, error) {
	id, err := lattice.NewIdentity("")
	if err != nil {
		return "", err
	}
	conn, err := w.connect(ctx)
	if err != nil {
		return "", err
	}
	h, err := host.New(host.Config{Lattice: webLattice, Identity: id, Conn: conn, Runtime: w.runtime, Images: w.images, Builtins: builtins, Log: zap.NewNop()})
	if err != nil {
		return "", err
	}
	run, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(run) }()
	w.later(func() error { stop(); return <-ended })
	select {
	case <-h.Ready():
		return id.ID, nil
	case err := <-ended:
		ended <- err
		return "", err
	}
}

// link has the server answer at an address by a component, and waits until it does.
func (w *webHost) link(ctx context.Context, server *httpserver.Server, target, address string) (string, error) {
	name := "to-" + target
	if err := w.control.PutConfig(ctx, name, map[string]string{"address": address}); err != nil {
		return "", err
	}
	err := w.control.PutLink(ctx, lattice.Link{SourceID: "web", Target: target, Name: name, WITNamespace: "wasi", WITPackage: "http",
		Interfaces: []string{"incoming-handler"}, SourceConfig: []string{name}})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if at := server.Address(address); at != nil {
			if resp, err := http.Get("http://" + at.String()); err == nil { //nolint:noctx // it answers at once
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					return at.String(), nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
