// Package resolve looks names up for guests: whom the system is told to ask,
// for no longer than somebody waits. It knows no rules.
package resolve

import (
	"context"
	"net"
)

// Dial connects to a DNS server; a [net.Dialer] does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// New makes a resolver for one look-up, which ends with its context, and so does
// all that it began: one resolver for all would let look-ups of the same name
// share one that ends with none of them, one in C ends when it likes, and one
// in Go waits for a server that is silent unless its connection is closed. nil
// is the system's own dial.
func New(dial Dial) *net.Resolver {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = c.Close() })
		}
		return c, err
	}}
}
