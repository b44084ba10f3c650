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
	"github.com/lathhost/lath/test/harness"
)

// webLattice is the lattice of the web servers, apart from others on the same NATS.
const webLattice = "bench-web"

// webHost is a process with HTTP servers in it: a handler of net/http's, and two
// hosts with a component each, of which the first has the built-in server.
type webHost struct {
	url string
	dir string
	// programs are those of a server and a store that are processes of their own, if
	// there are any.
	programs []string
	runtime  *component.Runtime
	images   *oci.Client
	control  *ctl.Client
	servers  chan harness.Listener
	closers  []func() error
}

// webChild serves until its input ends. For each line of it, it tells the bytes that
// the process holds.
func webChild(ctx context.Context, args []string, in io.Reader, out io.Writer) (err error) {
	w := &webHost{url: args[0], programs: args[1:], servers: make(chan harness.Listener, 1)}
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
	near, err := w.host(ctx, []provider.Builtin{harness.HTTPServer(func(_ string, s harness.Listener) { w.servers <- s }), harness.Builtin("keyvalue-memory", nil)})
	if err != nil {
		return nil, err
	}
	far, err := w.host(ctx, nil)
	if err != nil {
		return nil, err
	}
	for id, on := range map[string]string{"near": near, "far": far} {
		if err := w.component(ctx, on, id, "http-hello"); err != nil {
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
	if site.Far, err = w.link(ctx, server, "far", "127.0.0.2:0"); err != nil || len(w.programs) == 0 {
		return site, err
	}
	if site.External, err = w.external(ctx, near); err != nil {
		return nil, err
	}
	if site.Counter, err = w.counter(ctx, near, server, "counter", provider.Scheme+"keyvalue-memory", "127.0.0.3:0"); err != nil {
		return nil, err
	}
	ref, err := oci.FileReference(w.programs[1])
	if err != nil {
		return nil, err
	}
	site.ExternalCounter, err = w.counter(ctx, near, server, "external-counter", ref, "127.0.0.4:0")
	return site, err
}

// component starts an example.
func (w *webHost) component(ctx context.Context, on, id, example string) error {
	wasm, err := examples.Component(example)
	if err != nil {
		return err
	}
	path := filepath.Join(w.dir, example+".wasm")
	if err := os.WriteFile(path, wasm, 0o600); err != nil {
		return err
	}
	ref, err := oci.FileReference(path)
	if err != nil {
		return err
	}
	_, err = w.control.ScaleComponent(ctx, on, ctl.ScaleComponent{ComponentID: id, ComponentRef: ref, MaxInstances: 64})
	return err
}

// counter starts a component that counts its requests in a store, and links it.
func (w *webHost) counter(ctx context.Context, on string, server harness.Listener, id, store, address string) (string, error) {
	if err := w.component(ctx, on, id, "http-counter"); err != nil {
		return "", err
	}
	if err := w.control.StartProvider(ctx, on, ctl.StartProvider{ProviderID: id + "-store", ProviderRef: store}); err != nil {
		return "", err
	}
	err := w.control.PutLink(ctx, lattice.Link{SourceID: id, Target: id + "-store", WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"store", "atomics"}})
	if err != nil {
		return "", err
	}
	return w.link(ctx, server, id, address)
}

// external starts a server that is a process of its own, for the component that is
// served in process, too.
func (w *webHost) external(ctx context.Context, on string) (string, error) {
	ref, err := oci.FileReference(w.programs[0])
	if err != nil {
		return "", err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := l.Addr().String() // which nobody else takes meanwhile, it is hoped
	if err := l.Close(); err != nil {
		return "", err
	}
	if err := w.control.StartProvider(ctx, on, ctl.StartProvider{ProviderID: "external-web", ProviderRef: ref}); err != nil {
		return "", err
	}
	return w.linkFrom(ctx, "external-web", "near", address, func() string { return address })
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
	w.control, err = ctl.NewClient(ctl.ClientConfig{Conn: conn, Lattice: webLattice})
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
	h, err := host.New(host.Config{Lattice: webLattice, Identity: id, Conn: conn, Runtime: w.runtime, Images: w.images, ProgramDir: w.dir, Builtins: builtins, Log: zap.NewNop()})
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
func (w *webHost) link(ctx context.Context, server harness.Listener, target, address string) (string, error) {
	return w.linkFrom(ctx, "web", target, address, func() string {
		if at := server.Address(address); at != nil {
			return at.String()
		}
		return ""
	})
}

// linkFrom links a server to a component, and waits until it answers where it is.
func (w *webHost) linkFrom(ctx context.Context, source, target, address string, where func() string) (string, error) {
	name := source + "-to-" + target
	if err := w.control.PutConfig(ctx, name, map[string]string{"address": address}); err != nil {
		return "", err
	}
	err := w.control.PutLink(ctx, lattice.Link{SourceID: source, Target: target, Name: name, WITNamespace: "wasi", WITPackage: "http",
		Interfaces: []string{"incoming-handler"}, SourceConfig: []string{name}})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if at := where(); at != "" {
			if resp, err := http.Get("http://" + at); err == nil { //nolint:noctx // it answers at once
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					return at, nil
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
