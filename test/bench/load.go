package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// load is what clients do to an HTTP server: each asks for one page over and over
// on a connection of its own. It parses no more of a response than it must, so
// that most of the processors' time is the server's.
type load struct {
	request  []byte
	response []byte // its body
	// prefix, where it is set, is what the bodies begin with instead, which end with
	// the line.
	prefix  []byte
	clients int
}

// loaded is what came of a load.
type loaded struct {
	requests  int
	perSecond float64
	p99       time.Duration
}

// run puts the load on a server for some time.
func (l *load) run(ctx context.Context, address string, slice time.Duration) (loaded, error) {
	clients := make([]*client, l.clients)
	for i := range clients {
		c, err := l.dial(ctx, address)
		if err != nil {
			return loaded{}, err
		}
		defer c.close()
		if clients[i] = c; i == 0 {
			if err := c.ask(); err != nil { // what is made when first needed
				return loaded{}, err
			}
		}
	}
	var over atomic.Bool
	var all sync.WaitGroup
	errs := make([]error, len(clients))
	began := time.Now()
	for i, c := range clients {
		all.Go(func() {
			for errs[i] == nil && !over.Load() {
				errs[i] = c.timed()
			}
		})
	}
	timer := time.AfterFunc(slice, func() { over.Store(true) })
	defer timer.Stop()
	all.Wait()
	took := time.Since(began)
	if err := errors.Join(errs...); err != nil {
		return loaded{}, err
	}
	var times []time.Duration
	for _, c := range clients {
		times = append(times, c.times...)
	}
	slices.Sort(times)
	return loaded{requests: len(times), perSecond: float64(len(times)) / took.Seconds(), p99: times[(len(times)-1)*99/100]}, nil
}

// client is one connection.
type client struct {
	*load
	conn  net.Conn
	in    *bufio.Reader
	body  []byte
	times []time.Duration
}

func (l *load) dial(ctx context.Context, address string) (*client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(patience)
	if d, ok := ctx.Deadline(); ok {
		deadline = d
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &client{load: l, conn: conn, in: bufio.NewReader(conn), body: make([]byte, max(len(l.response), maxPrefixed))}, nil
}

// close ends the connection, of which nothing more is wanted.
func (c *client) close() { _ = c.conn.Close() }

func (c *client) timed() error {
	began := time.Now()
	err := c.ask()
	c.times = append(c.times, time.Since(began))
	return err
}

// ask sends a request and checks its response.
func (c *client) ask() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	status, err := c.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("%w: %.80q", errWrong, status)
	}
	length, chunked, err := c.header()
	if err != nil {
		return err
	}
	n := 0
	switch {
	case chunked:
		n, err = c.chunks()
	case length <= len(c.body):
		n, err = io.ReadFull(c.in, c.body[:length])
	default:
		return fmt.Errorf("%w: a body of %d bytes", errWrong, length)
	}
	if err != nil {
		return err
	}
	if body := c.body[:n]; !c.right(body) {
		return fmt.Errorf("%w: %.80q", errWrong, body)
	}
	return nil
}

// maxPrefixed bounds a body of which only the prefix is known, in bytes.
const maxPrefixed = 64

// right says whether a body is the one that is wanted.
func (l *load) right(body []byte) bool {
	if l.prefix == nil {
		return bytes.Equal(body, l.response)
	}
	return bytes.HasPrefix(body, l.prefix) && bytes.HasSuffix(body, []byte("\n"))
}

// header reads how long the body is: so many bytes, or in chunks.
func (c *client) header() (length int, chunked bool, err error) {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil || len(line) <= len("\r\n") {
			return length, chunked, err
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, err
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = bytes.Equal(value, []byte("chunked"))
		}
	}
}

// chunks reads a body in chunks, without trailers.
func (c *client) chunks() (n int, err error) {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return n, err
		}
		size, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 31)
		if err != nil || int(size) > len(c.body)-n {
			return n, fmt.Errorf("%w: a chunk of %.20q", errWrong, line)
		}
		if _, err := io.ReadFull(c.in, c.body[n:n+int(size)]); err != nil {
			return n, err
		}
		n += int(size)
		if _, err := c.in.Discard(len("\r\n")); err != nil || size == 0 {
			return n, err
		}
	}
}
