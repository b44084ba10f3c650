package sockets

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi/egress"
	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

const (
	// maxSockets bounds the open sockets of a component's instances together.
	maxSockets = 1000
	// maxLookups bounds their name look-ups under way.
	maxLookups = 64
	// socketBytes is what a socket and its streams hold at most: 64 KiB to be
	// written, as much that was, and twice 32 KiB that were read; or a datagram
	// and the room for the next.
	socketBytes = 192 << 10
)

// flag grants a rule, in the words of refusals.
const flag = "--allow-net"

// Resolver finds the addresses of a name; a [net.Resolver] does.
type Resolver interface {
	// LookupNetIP returns the addresses of host for network "ip". It watches
	// ctx. That a name is not there is a [net.DNSError].
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Sockets carries out wasi:sockets for the instances of one component. It is
// safe for concurrent use.
type Sockets struct {
	rules    *egress.Rules
	refused  func(why string)
	resolver Resolver
	names    *names
	open     limit
	lookups  limit
}

var (
	_ contract.InstanceNetwork = (*Sockets)(nil)
	_ contract.IPNameLookup    = (*Sockets)(nil)
	_ contract.TCPCreateSocket = (*Sockets)(nil)
	_ contract.UDPCreateSocket = (*Sockets)(nil)
)

// New makes the sockets of a component, with nothing open yet. refused is told
// what was refused and which grant is missing, on guests' goroutines: the code
// that the guest gets has no room for words. nil: nobody is told.
func New(rules *egress.Rules, refused func(why string)) *Sockets {
	return NewWithResolver(rules, refused, systemResolver{})
}

// NewWithResolver is [New] with a resolver of the caller's.
func NewWithResolver(rules *egress.Rules, refused func(why string), resolver Resolver) *Sockets {
	if refused == nil {
		refused = func(string) {}
	}
	return &Sockets{
		rules: rules, refused: refused, resolver: resolver, names: newNames(),
		open: limit{max: maxSockets}, lookups: limit{max: maxLookups},
	}
}

// InstanceNetwork implements the contract.
func (*Sockets) InstanceNetwork(context.Context) (contract.Network, error) { return network{}, nil }

// network is the resource of that name. All that is granted is granted by the
// rules.
type network struct{}

// Drop implements the contract.
func (network) Drop() {}

// CreateTCPSocket implements the contract.
func (s *Sockets) CreateTCPSocket(ctx context.Context, family contract.IPAddressFamily) (contract.TCPSocket, error) {
	if err := s.rules.Proto(egress.TCP); err != nil {
		return nil, s.deny(err)
	}
	return s.createTCP(ctx, family)
}

// CreateUDPSocket implements the contract.
func (s *Sockets) CreateUDPSocket(ctx context.Context, family contract.IPAddressFamily) (contract.UDPSocket, error) {
	if err := s.rules.Proto(egress.UDP); err != nil {
		return nil, s.deny(err)
	}
	return s.createUDP(ctx, family)
}

// deny tells of a refusal and returns its code.
func (s *Sockets) deny(err error) error {
	s.refused("wasi:sockets: " + egress.Words(err, flag))
	return contract.ErrorCodeAccessDenied
}

// reach checks whether a peer may be reached, under any name that it was found
// by. The error is for deny.
func (s *Sockets) reach(proto egress.Proto, peer netip.AddrPort) error {
	err := s.rules.Addr(proto, peer, "")
	if err == nil {
		return nil
	}
	for _, name := range s.names.of(peer.Addr()) {
		named := s.rules.Addr(proto, peer, name)
		if named == nil {
			return nil
		}
		err = named // it says more
	}
	return err
}

// reserve takes the room of one socket; done gives it back and may be called
// on any goroutine, once.
func (s *Sockets) reserve(ctx context.Context) (done func(), _ error) {
	if !s.open.take() {
		return nil, contract.ErrorCodeNewSocketLimit
	}
	budget := component.HostBudgetOf(ctx)
	if budget.Take(socketBytes) != nil {
		s.open.give()
		return nil, contract.ErrorCodeOutOfMemory
	}
	return func() {
		budget.Give(socketBytes)
		s.open.give()
	}, nil
}

// limit bounds how many of something there are.
type limit struct {
	max int64
	n   atomic.Int64
}

func (l *limit) take() bool {
	if l.n.Add(1) > l.max {
		l.n.Add(-1)
		return false
	}
	return true
}

func (l *limit) give() { l.n.Add(-1) }

// errNotOurs is a resource of another implementation: a fault of the host's.
var errNotOurs = errors.New("a network that this host did not make")

func checkNetwork(n contract.Network) error {
	if _, ok := n.(network); !ok {
		return errNotOurs
	}
	return nil
}
