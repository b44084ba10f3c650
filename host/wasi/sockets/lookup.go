package sockets

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/internal/resolve"
	"github.com/lathhost/lath/host/wasi/io"
	"github.com/lathhost/lath/wit"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

const (
	// lookupTime is the most that a look-up takes.
	lookupTime = 30 * time.Second
	// maxAddresses is the most addresses of a name.
	maxAddresses = 256
	// lookupBytes is what a look-up is charged for them.
	lookupBytes = 8 << 10
)

// systemResolver asks whom the system is told to ask.
type systemResolver struct{}

// LookupNetIP implements [Resolver]. It ends with its context.
func (systemResolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return resolve.New(nil).LookupNetIP(ctx, network, host)
}

// ResolveAddresses implements the contract. An address in text, IPv6 also in
// brackets, is its own answer and asks nobody. Names are ASCII. All addresses
// of a name are answered, also those that may not be reached: the refusal of a
// connection says more than a name without addresses.
func (s *Sockets) ResolveAddresses(ctx context.Context, n contract.Network, name string) (contract.ResolveAddressStream, error) {
	if err := checkNetwork(n); err != nil {
		return nil, err
	}
	if ip, ok := literal(name); ok {
		return &addresses{stream: answered(ip)}, nil
	}
	canonical, err := egress.CanonicalName(name)
	if err != nil {
		return nil, contract.ErrorCodeInvalidArgument
	}
	if err := s.rules.Name("", canonical); err != nil {
		return nil, s.deny(err)
	}
	budget := component.HostBudgetOf(ctx)
	if budget.Take(lookupBytes) != nil {
		return nil, contract.ErrorCodeOutOfMemory
	}
	if !s.lookups.take() {
		budget.Give(lookupBytes)
		return nil, contract.ErrorCodeTemporaryResolverFailure
	}
	return &addresses{stream: s.lookup(canonical), budget: budget}, nil
}

// literal reads a name that is an address.
func literal(name string) (netip.Addr, bool) {
	text := name
	if inner, ok := strings.CutPrefix(name, "["); ok && strings.HasSuffix(name, "]") {
		text = strings.TrimSuffix(inner, "]")
	}
	ip, err := netip.ParseAddr(text)
	return ip.Unmap(), err == nil && ip.Zone() == "" && (text == name || ip.Is6())
}

func answered(ip netip.Addr) *ahead[[]netip.Addr] {
	return &ahead[[]netip.Addr]{kept: &got[[]netip.Addr]{thing: []netip.Addr{ip}}, stop: func() {}}
}

// lookup starts to look up a name, in the room that the caller took.
func (s *Sockets) lookup(name string) *ahead[[]netip.Addr] {
	// It lives as long as the stream, not as the call that began it.
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	a := &ahead[[]netip.Addr]{stop: cancel, wait: func() ([]netip.Addr, error) {
		defer s.lookups.give()
		defer cancel()
		ips, err := s.resolver.LookupNetIP(ctx, "ip", name)
		if err != nil {
			return nil, lookupCode(err)
		}
		ips = ips[:min(len(ips), maxAddresses)]
		for i, ip := range ips {
			ips[i] = ip.Unmap()
		}
		s.names.remember(name, ips)
		return ips, nil
	}}
	a.start()
	return a
}

func lookupCode(err error) error {
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case ok && dns.IsNotFound:
		return contract.ErrorCodeNameUnresolvable
	case ok && !dns.IsTimeout && !dns.IsTemporary:
		return contract.ErrorCodePermanentResolverFailure
	}
	return contract.ErrorCodeTemporaryResolverFailure
}

// addresses is the resource resolve-address-stream.
type addresses struct {
	stream *ahead[[]netip.Addr]
	next   int
	budget *component.HostBudget // nil: nothing was charged
}

// ResolveNextAddress implements the contract. A failure stays one.
func (a *addresses) ResolveNextAddress(context.Context) (wit.Option[contract.IPAddress], error) {
	ips, err, ok := a.stream.peek()
	if !ok {
		err = contract.ErrorCodeWouldBlock
	}
	if err != nil || a.next == len(ips) {
		return wit.None[contract.IPAddress](), err
	}
	a.next++
	return wit.Some(ipFor(ips[a.next-1])), nil
}

// Subscribe implements the contract.
func (a *addresses) Subscribe(context.Context) (wasiio.Pollable, error) {
	return io.NewPollable(a.stream), nil
}

// Drop implements the contract: it ends a look-up that is under way.
func (a *addresses) Drop() {
	a.stream.close()
	a.budget.Give(lookupBytes)
}
