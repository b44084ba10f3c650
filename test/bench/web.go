package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Groups of bars.
const (
	webGroup      = "HTTP hello over TCP: 16 connections, 16 bytes, http-hello.wasm, an instance for each; client and server share the processors"
	keyvalueGroup = "HTTP and key-value over TCP: 16 connections, one increment and up to 16 bytes for each request, http-counter.wasm, an instance for each"
	idleGroup     = "connections that wait for their next request"
)

// The bars of HTTP.
const (
	webShare      = 0.6 // of what a net/http handler serves
	webLate       = 3.0 // times its p99
	webNATSShare  = 0.2 // of what the built-in server serves in process
	keyvalueShare = 0.4 // of what a net/http handler serves
	externalShare = 0.2 // of what is served with the store in process
	externalLate  = 1 / externalShare
	idleConnBytes = 64 << 10
)

const (
	webClients = 16
	hello      = "Hello from Lath\n"
	// leastWeb is how long a server is asked in one round at least: fewer requests
	// have no p99.
	leastWeb = 300 * time.Millisecond
)

// webSite is where a child's servers are.
type webSite struct {
	Plain    string // a net/http handler
	Near     string // a component in the same process
	Far      string // the same component on another host of the same process, over NATS
	External string // the same as Near, by a server that is a process of its own

	Counter         string // a component with a store in the same process
	ExternalCounter string // with a store that is a process of its own
}

// webNames are the rows about rates.
var webNames = map[string][]string{
	webGroup:      {"the built-in server", "its p99", "to another host over NATS", "by a server that is an external provider, examples/provider-http, over NATS"},
	keyvalueGroup: {"in process, in memory", "by an external provider, examples/provider-keyvalue, over NATS", "its p99"},
}

// web measures HTTP servers, which are in a process of their own.
func (s *sandbox) web(ctx context.Context) error {
	const idle = "of the built-in server"
	wanted, rates := s.wants(idleGroup, idle), false
	for group, names := range webNames {
		rates = rates || slices.ContainsFunc(names, func(name string) bool { return s.wants(group, name) })
	}
	if !wanted && !rates {
		return nil
	}
	args := []string{"web", s.b.url}
	if rates {
		programs, err := buildPrograms(ctx, s.b, "examples/provider-http", "examples/provider-keyvalue")
		if err != nil {
			return err
		}
		args = append(args, programs...)
	}
	c, err := startChild(ctx, args...)
	if err != nil {
		return err
	}
	var site webSite
	if err = c.read(&site); err == nil && rates {
		err = s.webRates(ctx, site)
	}
	if err == nil && wanted {
		err = s.idleConns(ctx, site, c, idle)
	}
	return errors.Join(err, c.close())
}

// served is what came of asking one server in all rounds.
type served struct {
	address string
	load    *load

	rates, late, messages []float64
}

// webRates asks the servers by turns.
func (s *sandbox) webRates(ctx context.Context, site webSite) error {
	request := []byte("GET / HTTP/1.1\r\nHost: site.example\r\n\r\n")
	greets := &load{request: request, response: []byte(hello), clients: webClients}
	counts := &load{request: request, prefix: []byte("/: "), clients: webClients}
	plain, near, far, external := &served{address: site.Plain, load: greets}, &served{address: site.Near, load: greets},
		&served{address: site.Far, load: greets}, &served{address: site.External, load: greets}
	count, countExternal := &served{address: site.Counter, load: counts}, &served{address: site.ExternalCounter, load: counts}
	for range s.rounds {
		for _, to := range []*served{plain, near, far, external, count, countExternal} {
			if err := s.ask(ctx, to); err != nil {
				return err
			}
		}
	}
	names, kv := webNames[webGroup], webNames[keyvalueGroup]
	s.bars = append(s.bars,
		near.atLeast(webGroup, names[0], webShare, plain, "a net/http handler's"), near.lateness(webGroup, names[1], webLate, plain),
		far.atLeast(webGroup, names[2], webNATSShare, near, "in process"), external.atLeast(webGroup, names[3], webNATSShare, near, "in process"),
		count.atLeast(keyvalueGroup, kv[0], keyvalueShare, plain, "a net/http handler's"),
		countExternal.atLeast(keyvalueGroup, kv[1], externalShare, count, "in process"), countExternal.lateness(keyvalueGroup, kv[2], externalLate, count))
	return nil
}

// ask puts a server under load for one round.
func (s *sandbox) ask(ctx context.Context, to *served) error {
	before, _, err := s.b.nats.Messages()
	if err != nil {
		return err
	}
	got, err := to.load.run(ctx, to.address, max(s.slice, leastWeb))
	if err != nil {
		return err
	}
	after, _, err := s.b.nats.Messages()
	to.rates, to.late = append(to.rates, got.perSecond), append(to.late, float64(got.p99))
	to.messages = append(to.messages, float64(after-before)/float64(got.requests))
	return err
}

// atLeast is the bar of a rate: a share of another one in the same rounds.
func (s *served) atLeast(group, name string, share float64, of *served, what string) bar {
	shares := make([]float64, len(s.rates))
	for i := range shares {
		shares[i] = s.rates[i] / of.rates[i]
	}
	median, got := spreadOf(s.rates).Median, spreadOf(shares).Median
	note := fmt.Sprintf("%s × %s %s", number(got), what, number(math.Trunc(spreadOf(of.rates).Median)))
	if messages := spreadOf(s.messages).Median; messages >= 1 {
		note += fmt.Sprintf("; %s messages to NATS for each", number(messages))
	}
	return bar{Group: group, Name: name, Value: median, Bar: median * share / got, Unit: unitPerSec, All: s.rates, Note: note}
}

// lateness is the bar of a p99, beside another one.
func (s *served) lateness(group, name string, most float64, beside *served) bar {
	late, other := spreadOf(s.late).Median, spreadOf(beside.late).Median
	return bar{Group: group, Name: name, Value: late / other, Bar: most, Alone: other, Beside: late}
}

// idleConns opens many connections, each of which asks once before and once after
// all are there, and has the child tell what they cost it.
func (s *sandbox) idleConns(ctx context.Context, site webSite, c *child, name string) error {
	l := &load{request: []byte("GET / HTTP/1.1\r\nHost: site.example\r\n\r\n"), response: []byte(hello)}
	ctx, cancel := context.WithTimeout(ctx, 10*patience)
	defer cancel()
	held := func() (n float64, err error) {
		if _, err = c.in.Write([]byte("\n")); err == nil {
			err = c.read(&n)
		}
		return n, err
	}
	before, err := held()
	if err != nil {
		return err
	}
	conns := make([]*client, s.scale(10_000))
	for i := range conns {
		k, err := l.dial(ctx, site.Near)
		if err == nil {
			defer k.close()
			err = k.ask()
		}
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		conns[i] = k
	}
	with, err := held()
	if err != nil {
		return err
	}
	for i, k := range conns {
		if err := k.ask(); err != nil {
			return fmt.Errorf("connection %d, after all: %w", i, err)
		}
	}
	s.bars = append(s.bars, bar{Group: idleGroup, Name: name, Value: max(0, with-before) / float64(len(conns)), Bar: idleConnBytes, Unit: unitBytes,
		Note: fmt.Sprintf("each of %d; all of them are answered again", len(conns))})
	return nil
}
