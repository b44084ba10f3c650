package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

// Groups of bars.
const (
	commandsGroup = "commands through one host, 16 at a time, each with an id whose outcome is stored"
	fleetGroup    = "hosts of one process, another process being their NATS server"
	linksGroup    = "start of a host, until it answers and knows all links"
)

// The bars of lattices.
const (
	commandsBar  = 500 // a second
	commandBar   = 100 * time.Millisecond
	seeBar       = time.Second
	hostBytesBar = 2 << 20
	hostSendBar  = 1000 // bytes a second
	newHostBar   = 5 * time.Second
)

// How lattices are measured.
const (
	commanders  = 16
	idleTime    = 5 * time.Second
	fleetRounds = 5
)

// askedFleet is what the child is to measure.
type askedFleet struct {
	asked
	URL string
	// Hosts, Commands, and Sources with ten links each beside one with Links.
	Hosts, Commands, Sources, Links int
}

// fleet measures lattices of many hosts, and of many links, in a process of their
// own.
func (s *sandbox) fleet(ctx context.Context) error {
	q := askedFleet{asked: asked{Rounds: min(s.rounds, fleetRounds)}, URL: s.b.url, Hosts: s.scale(100), Commands: 20 * s.scale(100),
		Sources: s.scale(1000), Links: s.scale(3000)}
	if s.match != nil {
		q.Row = s.match.String()
	}
	c, err := startChild(ctx, "fleet")
	if err != nil {
		return err
	}
	var bars []bar
	if err = json.NewEncoder(c.in).Encode(q); err == nil {
		err = c.read(&bars)
	}
	s.bars = append(s.bars, bars...)
	return errors.Join(err, c.close())
}

// fleet is what the child has.
type fleet struct {
	askedFleet
	*sandbox
	dir     string
	runtime *component.Runtime
	images  *oci.Client
	ref     string
}

func fleetChild(ctx context.Context, _ []string, in io.Reader, out io.Writer) (err error) {
	f := &fleet{sandbox: &sandbox{}}
	if err := json.NewDecoder(in).Decode(&f.askedFleet); err != nil {
		return err
	}
	if f.Row != "" {
		if f.match, err = regexp.Compile(f.Row); err != nil {
			return err
		}
	}
	if f.dir, err = os.MkdirTemp("", "lath-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(f.dir)) }()
	if f.runtime, err = component.New(ctx, component.Config{}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.runtime.Close(context.Background())) }()
	if f.images, err = oci.New(oci.Config{AllowFile: true}); err != nil {
		return err
	}
	defer f.images.Close()
	wasm, err := examples.Component("chain")
	if err != nil {
		return err
	}
	path := filepath.Join(f.dir, "chain.wasm")
	if err := os.WriteFile(path, wasm, 0o600); err != nil {
		return err
	}
	if f.ref, err = oci.FileReference(path); err != nil {
		return err
	}
	if err := errors.Join(f.commands(ctx), f.many(ctx), f.start(ctx)); err != nil {
		return err
	}
	return tell(out, f.bars)
}

// member is a host that runs in the child.
type member struct {
	*host.Host
	id   string
	conn *lattice.Conn
	stop context.CancelFunc
	done chan error
}

// join starts a host.
func (f *fleet) join(ctx context.Context, name string) (*member, error) {
	id, err := lattice.NewIdentity("")
	if err != nil {
		return nil, err
	}
	m := &member{id: id.ID, done: make(chan error, 1)}
	if m.conn, err = lattice.Connect(ctx, lattice.ConnConfig{URL: f.URL}); err != nil {
		return nil, err
	}
	m.Host, err = host.New(host.Config{Lattice: name, Identity: id, Conn: m.conn, Runtime: f.runtime, Images: f.images, Restore: true, Log: zap.NewNop()})
	if err != nil {
		m.conn.Close()
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.stop = stop
	go func() { m.done <- m.Run(run) }()
	select {
	case <-m.Ready():
		return m, nil
	case err := <-m.done:
		stop()
		m.conn.Close()
		return nil, fmt.Errorf("host ended: %w", err)
	}
}

// leave stops hosts, together.
func leave(hosts []*member) error {
	var all sync.WaitGroup
	errs := make([]error, len(hosts))
	for i, m := range hosts {
		all.Go(func() {
			m.stop()
			errs[i] = <-m.done
			m.conn.Close()
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// client speaks to a lattice by a connection of its own.
func (f *fleet) client(ctx context.Context, name string) (*ctl.Client, *lattice.Conn, error) {
	conn, err := lattice.Connect(ctx, lattice.ConnConfig{URL: f.URL})
	if err != nil {
		return nil, nil, err
	}
	c, err := ctl.NewClient(ctl.ClientConfig{Conn: conn, Lattice: name, Timeout: time.Minute})
	return c, conn, err
}

// commands measures how many commands one host takes a second, and how long each
// waits for its answer: scales of components that run, each of them stored.
func (f *fleet) commands(ctx context.Context) (err error) {
	if !f.wants(commandsGroup, "a second") && !f.wants(commandsGroup, "p99") {
		return nil
	}
	const name = "commands"
	m, err := f.join(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, leave([]*member{m})) }()
	c, conn, err := f.client(ctx, name)
	if err != nil {
		return err
	}
	defer conn.Close()
	send := func(id, count int) error {
		_, err := c.ScaleComponent(ctx, m.id, ctl.ScaleComponent{ComponentID: fmt.Sprint("c", id), ComponentRef: f.ref, MaxInstances: uint32(count)})
		return err
	}
	var perSecond, p99s []float64
	for range f.Rounds {
		took := make([][]time.Duration, commanders)
		errs := make([]error, commanders)
		var all sync.WaitGroup
		began := time.Now()
		for i := range commanders {
			all.Go(func() {
				for k := 0; k < f.Commands/commanders && errs[i] == nil; k++ {
					asked := time.Now()
					errs[i] = send(i, 1+k%8)
					took[i] = append(took[i], time.Since(asked))
				}
			})
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		each := slices.Concat(took...)
		perSecond = append(perSecond, float64(len(each))/time.Since(began).Seconds())
		p99s = append(p99s, p99(each))
	}
	f.bars = append(f.bars, bar{Group: commandsGroup, Name: "a second", Value: slices.Min(perSecond), Bar: commandsBar, Unit: unitPerSec},
		bar{Group: commandsGroup, Name: "p99", Value: slices.Max(p99s), Bar: float64(commandBar), All: p99s})
	return nil
}

// many measures a lattice of many hosts that do nothing.
func (f *fleet) many(ctx context.Context) (err error) {
	what := fmt.Sprintf("%d hosts: ", f.Hosts)
	if !f.wants(fleetGroup, what) {
		return nil
	}
	const name = "fleet"
	before := held()
	var hosts []*member
	defer func() { err = errors.Join(err, leave(hosts)) }()
	for range f.Hosts {
		m, err := f.join(ctx, name)
		if err != nil {
			return err
		}
		hosts = append(hosts, m)
	}
	add := func(name, unit string, value, limit float64, note string) {
		f.bars = append(f.bars, bar{Group: fleetGroup, Name: what + name, Value: value, Bar: limit, Unit: unit, Note: note})
	}
	sent, got := traffic(hosts)
	processor := processorTime()
	time.Sleep(idleTime)
	sentNow, gotNow := traffic(hosts)
	each := float64(f.Hosts) * idleTime.Seconds()
	processor = processorTime() - processor
	add("sent, each, a second, idle", unitBytes, float64(sentNow.bytes-sent.bytes)/each, hostSendBar,
		fmt.Sprintf("%s messages; received %s messages, %s", number(float64(sentNow.messages-sent.messages)/each),
			number(float64(gotNow.messages-got.messages)/each), size(float64(gotNow.bytes-got.bytes)/each)))
	add("memory, each, idle", unitBytes, float64(held()-before)/float64(f.Hosts), hostBytesBar,
		fmt.Sprintf("all of them use %s of one core", percent(float64(processor)/float64(idleTime))))
	seen, err := f.seeLinks(ctx, name, hosts)
	if err != nil {
		return err
	}
	f.bars = append(f.bars, bar{Group: fleetGroup, Name: what + "until all see a link", Value: slices.Max(seen), Bar: float64(seeBar), All: seen})
	return nil
}

func percent(share float64) string { return number(100*share) + " %" }

// seeLinks puts links, one after the other, and measures how long each takes to
// reach all hosts.
func (f *fleet) seeLinks(ctx context.Context, name string, hosts []*member) (seen []float64, err error) {
	c, conn, err := f.client(ctx, name)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for k := range f.Rounds {
		l := benchLink(fmt.Sprint("new", k), 0)
		began := time.Now()
		if err := c.PutLink(ctx, l); err != nil {
			return nil, err
		}
		for _, m := range hosts {
			for !slices.ContainsFunc(m.Links(), l.Equal) {
				if time.Since(began) > patience {
					return nil, fmt.Errorf("%w: a host does not see a link", errWrong)
				}
				time.Sleep(time.Millisecond)
			}
		}
		seen = append(seen, float64(time.Since(began)))
	}
	return seen, nil
}

func benchLink(source string, k int) lattice.Link {
	return lattice.Link{SourceID: source, Target: fmt.Sprint("target-", k), Name: fmt.Sprint("link-", k), WITNamespace: "wasi", WITPackage: "keyvalue",
		Interfaces: []string{"store", "atomics"}, SourceConfig: []string{}, TargetConfig: []string{}}
}

// start measures how long a host takes to join a lattice with many links.
func (f *fleet) start(ctx context.Context) error {
	what := fmt.Sprintf("10 links for each of %d sources, and %d on one", f.Sources, f.Links)
	if !f.wants(linksGroup, what) {
		return nil
	}
	const name = "links"
	first, err := f.join(ctx, name) // makes the buckets
	if err != nil {
		return err
	}
	if err := errors.Join(f.storeLinks(ctx, name, first.conn), leave([]*member{first})); err != nil {
		return err
	}
	want := 10*f.Sources + f.Links
	var took []float64
	for range f.Rounds {
		began := time.Now()
		m, err := f.join(ctx, name)
		if err != nil {
			return err
		}
		took = append(took, float64(time.Since(began)))
		got := len(m.Links())
		if err := leave([]*member{m}); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%w: a new host knows %d of %d links", errWrong, got, want)
		}
	}
	f.bars = append(f.bars, bar{Group: linksGroup, Name: what, Value: slices.Max(took), Bar: float64(newHostBar), All: took})
	return f.oneMore(ctx, name, what)
}

// oneMore measures how long another link takes to reach some hosts that know many.
func (f *fleet) oneMore(ctx context.Context, name, what string) (err error) {
	var hosts []*member
	defer func() { err = errors.Join(err, leave(hosts)) }()
	for range min(f.Hosts, 10) {
		m, err := f.join(ctx, name)
		if err != nil {
			return err
		}
		hosts = append(hosts, m)
	}
	seen, err := f.seeLinks(ctx, name, hosts)
	if err != nil {
		return err
	}
	f.bars = append(f.bars, bar{Group: linksGroup, Name: fmt.Sprintf("%s: until %d hosts see one more", what, len(hosts)),
		Value: slices.Max(seen), Bar: float64(seeBar), All: seen})
	return nil
}

// storeLinks writes specs as hosts store them.
func (f *fleet) storeLinks(ctx context.Context, name string, conn *lattice.Conn) error {
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	kv, err := js.KeyValue(ctx, lattice.LatticeBucket(name))
	if err != nil {
		return err
	}
	store := func(source string, count int) error {
		spec := struct {
			URL   string         `json:"url"`
			Links []lattice.Link `json:"links"`
		}{}
		for k := range count {
			spec.Links = append(spec.Links, benchLink(source, k))
		}
		data, err := json.Marshal(spec)
		if err != nil {
			return err
		}
		_, err = kv.Put(ctx, lattice.SpecKey(source), data)
		return err
	}
	for k := range f.Sources {
		if err := store("source-"+strconv.Itoa(k), 10); err != nil {
			return err
		}
	}
	return store("one", f.Links)
}

// amount is what went over connections.
type amount struct{ messages, bytes uint64 }

func traffic(hosts []*member) (sent, got amount) {
	for _, m := range hosts {
		s := m.conn.Stats()
		sent.messages, sent.bytes = sent.messages+s.OutMsgs, sent.bytes+s.OutBytes
		got.messages, got.bytes = got.messages+s.InMsgs, got.bytes+s.InBytes
	}
	return sent, got
}

// held is what of this process's memory is in use.
func held() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
