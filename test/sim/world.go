package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// Machine is what all hosts of all lattices share: compiled code and images. Close
// it after the last run.
type Machine struct {
	dir     string
	runtime *component.Runtime
	images  *oci.Client
	refs    []string // of images that are the same but for their name
}

// NewMachine makes a machine with its files in a folder.
func NewMachine(ctx context.Context, dir string) (*Machine, error) {
	m := &Machine{dir: dir}
	wasm, err := examples.Component("counter")
	if err != nil {
		return nil, err
	}
	for i := range images {
		path := filepath.Join(dir, fmt.Sprintf("counter-%d.wasm", i))
		if err := os.WriteFile(path, wasm, 0o600); err != nil {
			return nil, err
		}
		ref, err := oci.FileReference(path)
		if err != nil {
			return nil, err
		}
		m.refs = append(m.refs, ref)
	}
	if m.images, err = oci.New(oci.Config{AllowFile: true, CacheDir: filepath.Join(dir, "oci")}); err != nil {
		return nil, err
	}
	if m.runtime, err = component.New(ctx, component.Config{CacheDir: filepath.Join(dir, "code")}); err != nil {
		m.images.Close()
		return nil, err
	}
	return m, nil
}

// Close frees what the machine holds.
func (m *Machine) Close() error {
	m.images.Close()
	return m.runtime.Close(context.Background())
}

// world is one lattice, and what the model knows of it.
type world struct {
	m       *Machine
	dir     string
	log     *zap.Logger
	servers *servers
	ledger  *ledger
	nodes   []*node

	conn    *nats.Conn // the schedule's own, which no fault but NATS's touches
	control *ctl.Client
	caller  *wrpc.Client
	calling sync.WaitGroup
	room    chan struct{} // of calls

	haste time.Time // until then nobody need answer
	// linger is for how long a command that got no answer may still take effect: a
	// host works on it until its requests to JetStream have timed out. patience bounds
	// every wait for something that has to happen; servers of a cluster take their time
	// to choose a leader.
	linger, patience time.Duration
	drain            time.Duration // of hosts

	mu       sync.Mutex
	commands int
	links    map[ctl.DeleteLink]*register[string]
	configs  map[string]*register[string]
	calls    []call
	fired    map[string]int // by tick
	ticked   int            // as of the last check
	wrong    []string       // violations that show at once
	shakenAt time.Time
	// unsettled: the servers of the cluster are not all there and agreed.
	unsettled bool
	stats     Stats
}

// newWorld starts NATS servers and hosts.
func newWorld(ctx context.Context, m *Machine, cfg Config) (w *world, err error) {
	w = &world{m: m, log: cfg.Log, linger: 12 * time.Second, patience: 30 * time.Second, drain: 2 * time.Second, ledger: newLedger(), links: map[ctl.DeleteLink]*register[string]{}, configs: map[string]*register[string]{}, fired: map[string]int{},
		room: make(chan struct{}, maxCalls)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.dir, err = os.MkdirTemp(m.dir, "nats-"); err != nil {
		return w, err
	}
	if cfg.Servers > 1 {
		w.linger, w.patience, w.drain = time.Minute, 2*time.Minute, 20*time.Second
	}
	if w.servers, err = newServers(ctx, w.dir, cfg.Servers); err != nil {
		return w, err
	}
	if w.conn, err = lattice.Connect(ctx, lattice.ConnConfig{URL: w.servers.url(), Name: "sim", OnDisconnect: func(error) { w.shaken() }}); err != nil {
		return w, err
	}
	if w.control, err = ctl.NewClient(ctl.ClientConfig{Conn: w.conn, Lattice: harness.Name}); err != nil {
		return w, err
	}
	if w.caller, err = wrpc.NewClient(w.conn, wrpc.ClientConfig{}); err != nil {
		return w, err
	}
	if _, err = w.conn.Subscribe(lattice.AllEvents(harness.Name), w.hear); err != nil {
		return w, err
	}
	for i := range cfg.Hosts {
		n := &node{w: w, number: i, places: map[string]*place{}, labels: map[string]*register[string]{}, lost: map[string]pending{}}
		n.clock.set(skewOf(i * 599)) // of three hosts -600, -1 and 598 seconds
		if n.identity, err = lattice.NewIdentity(""); err != nil {
			return w, err
		}
		if err = n.start(ctx); err != nil {
			return w, err
		}
		w.nodes = append(w.nodes, n)
	}
	return w, w.control.PutConfig(ctx, base, map[string]string{"is": "there"})
}

// close ends everything.
func (w *world) close() error {
	w.calling.Wait()
	var errs []error
	for _, n := range w.nodes {
		if n.up {
			n.resume()
			errs = append(errs, n.leave())
		}
	}
	if w.caller != nil {
		errs = append(errs, w.caller.Close())
	}
	if w.conn != nil {
		w.conn.Close()
	}
	if w.servers != nil {
		errs = append(errs, w.servers.close(context.Background()))
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}

// shaken notes that whatever is on its way may be lost.
func (w *world) shaken() {
	for _, n := range w.nodes {
		n.shaken()
	}
}

// fault notes that requests may get no answer from now on.
func (w *world) fault() {
	w.haste = time.Now().Add(200 * time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shakenAt = time.Now()
	w.stats.Faults++
}

// calm reports whether nothing has happened lately that excuses a failure. mu is
// held.
func (w *world) calm() bool { return !w.unsettled && time.Since(w.shakenAt) > w.linger }

// ask bounds a request: nobody waits long for hosts that cannot answer.
func (w *world) ask(ctx context.Context, to ...*node) (context.Context, context.CancelFunc) {
	wait := 10 * time.Second
	if len(to) == 0 {
		to = w.nodes
	}
	if w.servers.faulty() > 0 {
		wait = 300 * time.Millisecond
	}
	for _, n := range to {
		if n.paused || time.Now().Before(w.haste) {
			wait = 60 * time.Millisecond
		}
	}
	return context.WithTimeout(ctx, wait)
}

// violated notes what must not be. mu is held.
func (w *world) violated(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// until waits for something that has to happen soon.
func (w *world) until(ctx context.Context, what string, is func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, w.patience)
	defer cancel()
	for pause := time.Millisecond; !is(); pause = min(2*pause, 50*time.Millisecond) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("not in %s: %s", w.patience, what)
		case <-time.After(pause):
		}
	}
	return nil
}
