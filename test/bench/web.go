package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Groups of bars.
const (
	webGroup  = "HTTP hello over TCP: 16 connections, 16 bytes, http-hello.wasm, an instance for each; client and server share the processors"
	idleGroup = "connections that wait for their next request"
)

// The bars of HTTP.
const (
	webShare      = 0.6 // of what a net/http handler serves
	webLate       = 3.0 // times its p99
	webNATSShare  = 0.2 // of what the built-in server serves in process
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
	Plain string // a net/http handler
	Near  string // a component in the same process
	Far   string // the same component on another host of the same process, over NATS
}

// web measures HTTP servers, which are in a process of their own.
func (s *sandbox) web(ctx context.Context) error {
	names := []string{"the built-in server", "its p99", "to another host over NATS"}
	const idle = "of the built-in server"
	wanted := s.wants(idleGroup, idle)
	for _, name := range names {
		wanted = wanted || s.wants(webGroup, name)
	}
	if !wanted {
		return nil
	}
	c, err := startChild(ctx, "web", s.b.url)
	if err != nil {
		return err
	}
	var site webSite
	if err = c.read(&site); err == nil && s.wants(webGroup, names[0]) || s.wants(webGroup, names[1]) || s.wants(webGroup, names[2]) {
		err = s.webRates(ctx, site, names)
	}
	if err == nil && s.wants(idleGroup, idle) {
		err = s.idleConns(ctx, site, c, idle)
	}
	return errors.Join(err, c.close())
}

// webRates asks the servers by turns.
func (s *sandbox) webRates(ctx context.Context, site webSite, names []string) error {
	l := &load{request: []byte("GET / HTTP/1.1\r\nHost: site.example\r\n\r\n"), response: []byte(hello), clients: webClients}
	addresses := []string{site.Plain, site.Near, site.Far}
	rates, late := make([][]float64, len(addresses)), make([][]float64, len(addresses))
	for range s.rounds {
		for i, address := range addresses {
			got, err := l.run(ctx, address, max(s.slice, leastWeb))
			if err != nil {
				return err
			}
			rates[i], late[i] = append(rates[i], got.perSecond), append(late[i], float64(got.p99))
		}
	}
	share, far := make([]float64, s.rounds), make([]float64, s.rounds)
	for i := range s.rounds {
		share[i], far[i] = rates[1][i]/rates[0][i], rates[2][i]/rates[1][i]
	}
	plain, near := spreadOf(rates[0]).Median, spreadOf(rates[1]).Median
	s.bars = append(s.bars,
		bar{Group: webGroup, Name: names[0], Value: near, Bar: near * webShare / spreadOf(share).Median, Unit: unitPerSec, All: rates[1],
			Note: fmt.Sprintf("%s × a net/http handler's %s", number(spreadOf(share).Median), number(float64(int(plain))))},
		bar{Group: webGroup, Name: names[1], Value: spreadOf(late[1]).Median / spreadOf(late[0]).Median, Bar: webLate,
			Alone: spreadOf(late[0]).Median, Beside: spreadOf(late[1]).Median},
		bar{Group: webGroup, Name: names[2], Value: spreadOf(rates[2]).Median, Bar: spreadOf(rates[2]).Median * webNATSShare / spreadOf(far).Median,
			Unit: unitPerSec, All: rates[2], Note: fmt.Sprintf("%s × in process", number(spreadOf(far).Median))})
	return nil
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
