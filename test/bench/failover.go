package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/beat"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/wrpc"
)

const (
	failoverGroup = "one of two host processes ends under load: until the last failed call has ended, p99"
	updateGroup   = "a component is updated on two hosts under load: failed calls"
	failoverBar   = 5 * time.Second
	updates       = 10
	updateCalls   = 10 // answered with each update

	// failoverLattices run beside each other, since a round is mostly waiting.
	failoverLattices = 4
	failoverCallers  = 4
	failoverPause    = 5 * time.Millisecond // of a caller between two calls
	failoverWait     = time.Minute          // bounds every wait for a host
	calmAfter        = 1500 * time.Millisecond
	calmCalls        = 100 // answered in that time, or nobody would know
)

// failover measures what callers see of hosts that end without a word: two real
// processes in each of some lattices, one of which is killed, or stopped by a
// signal, while its component is called.
func (s *sandbox) failover(ctx context.Context) error {
	names := []string{"SIGKILL", "SIGSTOP", "update"}
	if !slices.ContainsFunc(names[:2], func(n string) bool { return s.wants(failoverGroup, n) }) && !s.wants(updateGroup, names[2]) {
		return nil
	}
	programs, err := buildPrograms(ctx, s.b, "cmd/lath")
	if err != nil {
		return err
	}
	count := min(failoverLattices, s.failovers)
	var mu sync.Mutex
	times, all := map[string][]float64{}, map[string]tally{}
	rounds := atomic.Int64{}
	var g errgroup.Group
	for i := range count {
		g.Go(func() error {
			d, err := newDuel(ctx, s.b, programs[0], fmt.Sprintf("failover%d", i))
			if err != nil {
				return errors.Join(err, d.close())
			}
			for err == nil && rounds.Add(1) <= int64(s.failovers) {
				for _, name := range names[:2] {
					var took time.Duration
					var n tally
					if took, n, err = d.round(ctx, name); err != nil {
						err = fmt.Errorf("%s: %w", name, err)
						break
					}
					mu.Lock()
					times[name] = append(times[name], float64(took))
					all[name] = all[name].plus(n)
					mu.Unlock()
				}
			}
			if err == nil && i == 0 {
				var n tally
				n, err = d.updates(ctx)
				mu.Lock()
				all[names[2]] = n
				mu.Unlock()
			}
			return errors.Join(err, d.close())
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("failover: %w", err)
	}
	for _, name := range names[:2] {
		took := slices.Sorted(slices.Values(times[name]))
		s.bars = append(s.bars, bar{Group: failoverGroup, Name: name, Value: took[(len(took)*99+99)/100-1], Bar: float64(failoverBar),
			Note: fmt.Sprintf("%d times: p50 %s, most %s; %s", len(took), duration(took[(len(took)-1)/2]), duration(took[len(took)-1]), all[name])})
	}
	s.bars = append(s.bars, bar{Group: updateGroup, Name: fmt.Sprintf("%d updates", 2*updates), Value: float64(all[names[2]].failed), Unit: unitCalls,
		Note: all[names[2]].String()})
	return nil
}

// tally counts calls.
type tally struct{ answered, failed int }

func (t tally) plus(o tally) tally { return tally{t.answered + o.answered, t.failed + o.failed} }

// String is for people.
func (t tally) String() string {
	return fmt.Sprintf("%d of %d calls failed", t.failed, t.answered+t.failed)
}

// buildPrograms builds programs of this module, which are measured as their users run
// them, and returns where they are.
func buildPrograms(ctx context.Context, b *bed, folders ...string) (programs []string, err error) {
	dir, err := os.MkdirTemp("", "lath-bench-")
	if err != nil {
		return nil, err
	}
	b.later(func() error { return os.RemoveAll(dir) })
	for _, folder := range folders {
		program := filepath.Join(dir, filepath.Base(folder))
		if _, err := output(ctx, "", []string{"CGO_ENABLED=0"}, "go", "build", "-o", program, "github.com/lathhost/lath/"+folder); err != nil {
			return nil, err
		}
		programs = append(programs, program)
	}
	return programs, nil
}

// duel is a lattice of two host processes that run the same component, and its
// caller, who steers as hosts do.
type duel struct {
	name, program, url, dir string
	images                  [2]string
	conn                    *lattice.Conn
	control                 *ctl.Client
	client                  *wrpc.Client
	peers                   *beat.Listener
	caller                  *wrpc.Caller
	hosts                   [2]*process
	turn                    int
}

// process is a host that runs by itself.
type process struct {
	seed, id, state string
	cmd             *exec.Cmd
}

func newDuel(ctx context.Context, b *bed, program, name string) (d *duel, err error) {
	d = &duel{name: name, program: program, url: b.url}
	if d.dir, err = os.MkdirTemp("", "lath-bench-"); err != nil {
		return d, err
	}
	if d.conn, err = lattice.Connect(ctx, lattice.ConnConfig{URL: b.url, Name: name}); err != nil {
		return d, err
	}
	if d.control, err = ctl.NewClient(ctl.ClientConfig{Conn: d.conn, Lattice: name}); err != nil {
		return d, err
	}
	if d.client, err = wrpc.NewClient(d.conn, wrpc.ClientConfig{}); err != nil {
		return d, err
	}
	d.peers, err = beat.Listen(ctx, beat.ListenerConfig{Conn: d.conn, Lattice: name,
		OnLost: func(p beat.Peer) { d.client.Lost(name, p.ID, p.Inbox, p.IDs()) }})
	if err != nil {
		return d, err
	}
	d.caller = wrpc.NewCaller(d.client, name, d.peers)
	wasm, err := examples.Component("types")
	if err != nil {
		return d, err
	}
	for i := range d.images { // the same twice, so that there is something to update to
		path := filepath.Join(d.dir, fmt.Sprintf("types%d.wasm", i))
		if err := os.WriteFile(path, wasm, 0o600); err != nil {
			return d, err
		}
		if d.images[i], err = oci.FileReference(path); err != nil {
			return d, err
		}
	}
	for i := range d.hosts {
		id, err := lattice.NewIdentity("")
		if err != nil {
			return d, err
		}
		d.hosts[i] = &process{seed: id.Seed(), id: id.ID, state: filepath.Join(d.dir, fmt.Sprint("state", i))}
		if err := d.start(ctx, d.hosts[i]); err != nil {
			return d, err
		}
		if err := d.await(ctx, "starts", func() bool { return d.state(d.hosts[i]) == beat.Ready.String() }); err != nil {
			return d, err
		}
		if err := d.scale(ctx, d.hosts[i], 0); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d *duel) close() error {
	var errs []error
	for _, p := range d.hosts {
		if p != nil && p.cmd != nil {
			_ = p.cmd.Process.Kill() // also one that is stopped
			_ = p.cmd.Wait()         // "signal: killed"
		}
	}
	if d.peers != nil {
		errs = append(errs, d.peers.Close())
	}
	if d.client != nil {
		errs = append(errs, d.client.Close())
	}
	if d.conn != nil {
		d.conn.Close()
	}
	return errors.Join(append(errs, os.RemoveAll(d.dir))...)
}

func (d *duel) start(ctx context.Context, p *process) error {
	return startHost(ctx, d.program, d.url, d.name, d.dir, p)
}

// startHost starts a host process, which finds what it ran before.
func startHost(ctx context.Context, program, url, name, dir string, p *process) error {
	p.cmd = exec.CommandContext(ctx, program, "host", "--nats-url", url, "--lattice", name, "--state-dir", p.state,
		"--cache-dir", filepath.Join(dir, "cache"), "--allow-file-load", "--restore", "--log-level", "error")
	p.cmd.Env = append(os.Environ(), "LATH_HOST_SEED="+p.seed)
	// What it says of the connections that it finds broken afterwards is no news.
	return p.cmd.Start()
}

// scale starts the component, or updates it to another image.
func (d *duel) scale(ctx context.Context, p *process, image int) error {
	_, err := d.control.ScaleComponent(ctx, p.id, ctl.ScaleComponent{ComponentID: typesID, ComponentRef: d.images[image], MaxInstances: 16, AllowUpdate: true})
	if err != nil {
		return err
	}
	return d.await(ctx, "runs "+d.images[image], func() bool {
		inv, err := d.control.Inventory(ctx, p.id)
		return err == nil && len(inv.Components) == 1 && inv.Components[0].ImageRef == d.images[image] && d.runs(p)
	})
}

// state is what the caller thinks of a host; "" if it has not heard it.
func (d *duel) state(p *process) string {
	for _, peer := range d.peers.Peers() {
		if peer.ID == p.id {
			return peer.State.String()
		}
	}
	return ""
}

// runs reports whether a host answers and has said that it runs the component.
func (d *duel) runs(p *process) bool {
	for _, peer := range d.peers.Peers() {
		if peer.ID == p.id {
			return peer.State == beat.Ready && slices.Contains(peer.IDs(), typesID)
		}
	}
	return false
}

func (d *duel) await(ctx context.Context, what string, check func() bool) error {
	if err := await(ctx, what, check); err != nil {
		return fmt.Errorf("lattice %s: %w", d.name, err)
	}
	return nil
}

// await waits for what a host process is to do.
func await(ctx context.Context, what string, check func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, failoverWait)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !check() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("a host does not do what was waited for: it %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// round ends one of the hosts by a signal under load, measures, and brings it back.
func (d *duel) round(ctx context.Context, signal string) (took time.Duration, calls tally, err error) {
	p := d.hosts[d.turn%2]
	d.turn++
	l := d.load(ctx)
	defer l.end()
	if err := l.calm(ctx); err != nil {
		return 0, tally{}, err
	}
	ended := l.begin()
	if signal == "SIGKILL" {
		err = p.cmd.Process.Kill()
	} else {
		err = suspend(p.cmd.Process)
	}
	if err != nil {
		return 0, tally{}, err
	}
	if err := d.await(ctx, "is unreachable", func() bool { return d.state(p) == beat.Unreachable.String() }); err != nil {
		return 0, tally{}, err
	}
	if err := l.calm(ctx); err != nil {
		return 0, tally{}, err
	}
	l.end()
	took, calls = l.last.Sub(ended), l.calls
	if l.wrong != nil {
		return 0, tally{}, l.wrong
	}
	if signal == "SIGKILL" {
		_ = p.cmd.Wait() // "signal: killed"
		err = d.start(ctx, p)
	} else {
		err = resume(p.cmd.Process)
	}
	if err != nil {
		return 0, tally{}, err
	}
	return took, calls, d.await(ctx, "comes back", func() bool { return d.runs(p) })
}

// updates counts the calls that fail while both hosts are updated.
func (d *duel) updates(ctx context.Context) (calls tally, err error) {
	l := d.load(ctx)
	defer l.end()
	for i := range updates {
		for _, p := range d.hosts {
			before := l.answered()
			if err := d.scale(ctx, p, (i+1)%2); err != nil {
				return tally{}, err
			}
			if err := d.await(ctx, "answers calls", func() bool { return l.answered() >= before+updateCalls }); err != nil {
				return tally{}, err
			}
		}
	}
	l.end()
	return l.calls, l.wrong
}

// pressure is those who call the component all the time.
type pressure struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu    sync.Mutex
	calls tally
	wrong error     // an answer that is none
	last  time.Time // of the last failure, or of the beginning
	since int       // calls answered after that
}

func (d *duel) load(ctx context.Context) *pressure {
	ctx, stop := context.WithCancel(ctx)
	l := &pressure{stop: stop, last: time.Now()}
	p := payloads[0]
	target := wrpc.Target{Instance: valuesInterface, Func: lattice.FunctionName(p.fn)}
	for range failoverCallers {
		l.done.Go(func() {
			tick := time.NewTicker(failoverPause)
			defer tick.Stop()
			for ctx.Err() == nil {
				out, _, err := d.caller.Call(context.WithoutCancel(ctx), typesID, target, wrpc.Meta{SourceID: "bench"}, p.params)
				l.note(err, err == nil && string(out) != string(p.params))
				<-tick.C
			}
		})
	}
	return l
}

func (l *pressure) note(err error, wrong bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && !wrong {
		l.calls.answered++
		l.since++
		return
	}
	if wrong || !errors.Is(err, wrpc.ErrUnreachable) {
		l.wrong = errors.Join(l.wrong, errWrong, err)
	}
	l.calls.failed++
	l.last, l.since = time.Now(), 0
}

// begin begins to wait for calm anew, and says when.
func (l *pressure) begin() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.since = time.Now(), 0
	return l.last
}

// answered is how many calls were answered.
func (l *pressure) answered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls.answered
}

// calm waits until no call has failed for a while, and enough were answered.
func (l *pressure) calm(ctx context.Context) error {
	began := time.Now()
	for {
		l.mu.Lock()
		quiet, answered, wrong := time.Since(l.last), l.since, l.wrong
		l.mu.Unlock()
		if quiet >= calmAfter && answered >= calmCalls {
			return nil
		}
		if time.Since(began) > failoverWait {
			return errors.Join(fmt.Errorf("calls go on failing, or are not made: %d were answered since one failed %s ago", answered, quiet), wrong)
		}
		select {
		case <-time.After(max(calmAfter-quiet, failoverPause)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *pressure) end() {
	l.stop()
	l.done.Wait()
}
