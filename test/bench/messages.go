package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

const (
	messagesGroup = "messages of 1 to 5 bytes through JetStream to ping-pong.wasm, 64 at a time; its host is killed when half are handled, and comes back"

	messagesLattice = "messages"
	messagesAtOnce  = 64
	messagesWait    = 5 * time.Minute
	// messagesPatience is how long messages may take after the host has come back.
	messagesPatience = 2 * time.Minute
	// publishedAtOnce bounds how many messages wait for the stream to take them.
	publishedAtOnce = 1000
)

// messages counts what becomes of messages whose only consumer is killed.
func (s *sandbox) messages(ctx context.Context) error {
	count := s.scale(100_000)
	name := fmt.Sprintf("lost of %d", count)
	if !s.wants(messagesGroup, name) {
		return nil
	}
	programs, err := buildPrograms(ctx, s.b, "cmd/lath")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, messagesWait)
	defer cancel()
	m := &mailbox{program: programs[0], url: s.b.url, count: count, got: map[int]int{}, half: make(chan struct{}), all: make(chan struct{})}
	got, err := m.run(ctx)
	if err = errors.Join(err, m.close()); err != nil {
		return fmt.Errorf("messages: %w", err)
	}
	s.bars = append(s.bars, bar{Group: messagesGroup, Name: name, Value: float64(count - got.handled), Unit: unitCalls,
		Note: fmt.Sprintf("%d delivered again, %d handled twice; %s messages/s until the host died", got.redelivered, got.twice, number(math.Trunc(got.perSecond)))})
	return nil
}

// mailbox is a lattice of one host process that handles messages, and who counts its
// answers.
type mailbox struct {
	program, url, dir string
	count             int
	conn              *lattice.Conn
	control           *ctl.Client
	js                jetstream.JetStream
	host              *process

	mu        sync.Mutex
	got       map[int]int // how often each message was answered
	half, all chan struct{}
}

// delivered is what became of messages.
type delivered struct {
	handled, twice int
	redelivered    uint64
	perSecond      float64
}

func (m *mailbox) close() error {
	if m.host != nil && m.host.cmd != nil {
		_ = m.host.cmd.Process.Kill()
		_ = m.host.cmd.Wait() // "signal: killed"
	}
	if m.conn != nil {
		m.conn.Close()
	}
	return os.RemoveAll(m.dir)
}

func (m *mailbox) run(ctx context.Context) (d delivered, err error) {
	if err := m.open(ctx); err != nil {
		return d, err
	}
	began := time.Now()
	published := make(chan error, 1)
	go func() { published <- m.publish() }()
	if err := wait(ctx, m.half); err != nil {
		return d, errors.Join(err, m.progress())
	}
	d.perSecond = float64(m.count/2) / time.Since(began).Seconds()
	if err := m.host.cmd.Process.Kill(); err != nil {
		return d, err
	}
	_ = m.host.cmd.Wait() // "signal: killed"
	if err := startHost(ctx, m.program, m.url, messagesLattice, m.dir, m.host); err != nil {
		return d, err
	}
	if err := <-published; err != nil {
		return d, err
	}
	late, cancel := context.WithTimeout(ctx, messagesPatience)
	defer cancel()
	if err := wait(late, m.all); err != nil && ctx.Err() != nil {
		return d, errors.Join(err, m.progress())
	} // else what has not come by now is lost
	m.mu.Lock()
	for _, n := range m.got {
		d.handled++
		if n > 1 {
			d.twice++
		}
	}
	m.mu.Unlock()
	deliveries, err := m.deliveries(ctx)
	if deliveries > uint64(m.count) {
		d.redelivered = deliveries - uint64(m.count)
	}
	return d, err
}

func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// progress is an error that says how far it got.
func (m *mailbox) progress() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Errorf("%d of %d were handled", len(m.got), m.count)
}

// open starts the host and what handles messages on it.
func (m *mailbox) open(ctx context.Context) (err error) {
	if m.dir, err = os.MkdirTemp("", "lath-bench-"); err != nil {
		return err
	}
	if m.conn, err = lattice.Connect(ctx, lattice.ConnConfig{URL: m.url, Name: messagesLattice}); err != nil {
		return err
	}
	if m.control, err = ctl.NewClient(ctl.ClientConfig{Conn: m.conn, Lattice: messagesLattice}); err != nil {
		return err
	}
	if m.js, err = jetstream.New(m.conn); err != nil {
		return err
	}
	sub, err := m.conn.Subscribe("pong", m.answered)
	if err != nil {
		return err
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	id, err := lattice.NewIdentity("")
	if err != nil {
		return err
	}
	m.host = &process{seed: id.Seed(), id: id.ID, state: filepath.Join(m.dir, "state")}
	if err := startHost(ctx, m.program, m.url, messagesLattice, m.dir, m.host); err != nil {
		return err
	}
	if err := await(ctx, "starts", func() bool { _, err := m.control.Inventory(ctx, id.ID); return err == nil }); err != nil {
		return err
	}
	return m.handle(ctx)
}

// answered counts an answer: a component's is sent before its message is acknowledged.
func (m *mailbox) answered(msg *nats.Msg) {
	n, err := strconv.Atoi(strings.TrimPrefix(string(msg.Data), "pong: "))
	if err != nil || n < 0 || n >= m.count {
		return // of somebody else: what is missing is missed
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.got[n]++; m.got[n] > 1 {
		return
	}
	if len(m.got) == (m.count+1)/2 {
		close(m.half)
	}
	if len(m.got) == m.count {
		close(m.all)
	}
}

// handle has a component handle what is published, and answer by another provider.
func (m *mailbox) handle(ctx context.Context) error {
	wasm, err := examples.Component("ping-pong")
	if err != nil {
		return err
	}
	path := filepath.Join(m.dir, "ping-pong.wasm")
	if err := os.WriteFile(path, wasm, 0o600); err != nil {
		return err
	}
	ref, err := oci.FileReference(path)
	if err != nil {
		return err
	}
	if err := m.control.PutConfig(ctx, "jobs", map[string]string{"subscriptions": "jobs.>", "timeout_ms": "2000", "max_in_flight": strconv.Itoa(messagesAtOnce)}); err != nil {
		return err
	}
	if _, err := m.control.ScaleComponent(ctx, m.host.id, ctl.ScaleComponent{ComponentID: "ping-pong", ComponentRef: ref, MaxInstances: messagesAtOnce}); err != nil {
		return err
	}
	for id, builtin := range map[string]string{"streams": "messaging-jetstream", "plain": "messaging-nats"} {
		if err := m.control.StartProvider(ctx, m.host.id, ctl.StartProvider{ProviderID: id, ProviderRef: provider.Scheme + builtin}); err != nil {
			return err
		}
	}
	for _, l := range []lattice.Link{
		{SourceID: "ping-pong", Target: "plain", Interfaces: []string{"consumer"}},
		{SourceID: "streams", Target: "ping-pong", Interfaces: []string{"handler"}, SourceConfig: []string{"jobs"}},
	} {
		l.WITNamespace, l.WITPackage = "wasmcloud", "messaging"
		if err := m.control.PutLink(ctx, l); err != nil {
			return err
		}
	}
	return await(ctx, "takes messages", func() bool { _, err := m.deliveries(ctx); return err == nil })
}

// deliveries is how often messages were delivered.
func (m *mailbox) deliveries(ctx context.Context) (uint64, error) {
	stream, err := m.js.StreamNameBySubject(ctx, "jobs.>")
	if err != nil {
		return 0, err
	}
	c, err := m.js.Consumer(ctx, stream, "streams-default-ping-pong")
	if err != nil {
		return 0, err
	}
	return c.CachedInfo().Delivered.Consumer, nil
}

// publish has the stream take all messages.
func (m *mailbox) publish() error {
	waiting := make([]jetstream.PubAckFuture, 0, publishedAtOnce)
	for i := range m.count {
		f, err := m.js.PublishAsync("jobs."+strconv.Itoa(i%10), []byte(strconv.Itoa(i)))
		if err != nil {
			return err
		}
		if waiting = append(waiting, f); len(waiting) < publishedAtOnce && i < m.count-1 {
			continue
		}
		for _, f := range waiting {
			select {
			case <-f.Ok():
			case err := <-f.Err():
				return err
			}
		}
		waiting = waiting[:0]
	}
	return nil
}
