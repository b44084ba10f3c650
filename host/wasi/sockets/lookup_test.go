//go:build linux || darwin

package sockets_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/lathhost/lath/host/wasi/sockets"
	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

// zone is what a name server knows: addresses by name. "fails" and "mute" are
// names that it cannot look up, and never answers.
type zone map[string][]netip.Addr

// asking is a resolver of its own for each look-up, which asks one server.
type asking struct{ server net.Addr }

func (a asking) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "udp4", a.server.String())
		if err == nil {
			context.AfterFunc(ctx, func() { c.Close() })
		}
		return c, err
	}}
	return r.LookupNetIP(ctx, network, host)
}

// resolver starts a name server for a test and returns a resolver that asks it.
func (z zone) resolver(t *testing.T) sockets.Resolver {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	var serving errgroup.Group
	serving.Go(func() error {
		b := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return nil
			}
			if answer := z.answer(b[:n]); answer != nil {
				_, _ = c.WriteTo(answer, from)
			}
		}
	})
	t.Cleanup(func() {
		c.Close()
		_ = serving.Wait()
	})
	return asking{c.LocalAddr()}
}

// answer writes a reply (RFC 1035, section 4) to a query of one question.
func (z zone) answer(query []byte) []byte {
	var labels []string
	at := 12
	for query[at] != 0 {
		n := int(query[at])
		labels = append(labels, string(query[at+1:at+1+n]))
		at += 1 + n
	}
	name := strings.ToLower(strings.Join(labels, "."))
	question := query[12 : at+5]
	kind := binary.BigEndian.Uint16(query[at+1:])
	ips, known := z[name]
	rcode := byte(3)
	switch {
	case name == "mute.example":
		return nil
	case name == "fails.example":
		rcode = 2
	case known:
		rcode = 0
	}
	var records []byte
	count := 0
	for _, ip := range ips {
		if (kind == 1) != ip.Is4() {
			continue
		}
		count++
		records = append(records, 0xc0, 12)
		records = binary.BigEndian.AppendUint16(records, kind)
		records = append(records, 0, 1, 0, 0, 0, 60)
		records = binary.BigEndian.AppendUint16(records, uint16(len(ip.AsSlice())))
		records = append(records, ip.AsSlice()...)
	}
	reply := []byte{query[0], query[1], 0x81, 0x80 | rcode, 0, 1, 0, byte(count), 0, 0, 0, 0}
	return append(append(reply, question...), records...)
}

func (w *world) resolve(name string) (all []netip.Addr, _ error) {
	s, err := w.ResolveAddresses(w.ctx(), w.net, name)
	if err != nil {
		return nil, err
	}
	defer s.Drop()
	for {
		w.block(s)
		a, err := s.ResolveNextAddress(w.ctx())
		if err != nil || !a.OK {
			_, again := s.ResolveNextAddress(w.ctx())
			require.Equal(w.t, err, again, "it stays so")
			return all, err
		}
		all = append(all, addrPort(contract.IPSocketAddress{
			Tag:  contract.IPSocketAddressTag(a.Value.Tag),
			IPv4: contract.IPv4SocketAddress{Address: a.Value.IPv4}, IPv6: contract.IPv6SocketAddress{Address: a.Value.IPv6},
		}).Addr())
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	ip := netip.MustParseAddr
	z := zone{
		"two.example": {ip("93.184.216.34"), ip("2606:2800:220:1::1")}, "db.example": {ip("127.0.0.1")}, "empty.example": nil,
		"mapped.example": {ip("::ffff:93.184.216.34")},
	}
	w := grantWith(t, z.resolver(t), "*.example")
	for _, name := range []string{"two.example", "TWO.Example."} {
		got, err := w.resolve(name)
		require.NoError(t, err)
		require.ElementsMatch(t, z["two.example"], got)
	}
	got, err := w.resolve("mapped.example")
	require.NoError(t, err)
	require.Equal(t, []netip.Addr{ip("93.184.216.34")}, got)

	for name, want := range map[string]contract.ErrorCode{
		"none.example": contract.ErrorCodeNameUnresolvable, "empty.example": contract.ErrorCodeNameUnresolvable,
		"fails.example": contract.ErrorCodeTemporaryResolverFailure,
		"":              contract.ErrorCodeInvalidArgument, " ": contract.ErrorCodeInvalidArgument, "a.b<&>": contract.ErrorCodeInvalidArgument,
		"127.0.0.1:80": contract.ErrorCodeInvalidArgument, "[::]:80": contract.ErrorCodeInvalidArgument, "[127.0.0.1]": contract.ErrorCodeInvalidArgument,
		"http://two.example/": contract.ErrorCodeInvalidArgument, "bücher.example": contract.ErrorCodeInvalidArgument,
		"fe80::1%lo": contract.ErrorCodeInvalidArgument, "0x7f.1": contract.ErrorCodeInvalidArgument,
	} {
		_, err := w.resolve(name)
		code(t, want, err)
	}
	require.Empty(t, w.said())
}

func TestLookupOfAddressesAsksNobody(t *testing.T) {
	t.Parallel()
	w := grant(t)
	for text, want := range map[string]string{
		"0.0.0.0": "0.0.0.0", "127.0.0.1": "127.0.0.1", "::": "::", "[::1]": "::1", "DEAD:beef::0": "dead:beef::", "::ffff:10.0.0.1": "10.0.0.1",
	} {
		got, err := w.resolve(text)
		require.NoError(t, err)
		require.Equal(t, []netip.Addr{netip.MustParseAddr(want)}, got)
	}
}

func TestLookupOfLocalhost(t *testing.T) {
	t.Parallel()
	w := grant(t, "localhost")
	got, err := w.resolve("localhost")
	require.NoError(t, err)
	require.Contains(t, got, loopback[v4])
	l, a := w.listener(v4)
	defer l.Drop()
	e, err := w.connect(w.tcp(v4), a)
	require.NoError(t, err)
	e.drop()
}

func TestLookupIsGranted(t *testing.T) {
	t.Parallel()
	w := grantWith(t, zone{}.resolver(t), "example.org:443")
	_, err := w.resolve("example.com")
	code(t, contract.ErrorCodeAccessDenied, err)
	require.Equal(t, []string{"wasi:sockets: the name example.com is not granted; grant it by --allow-net example.com"}, w.said())
}

func TestANameAllowsItsPublicAddresses(t *testing.T) {
	t.Parallel()
	z := zone{"db.example": {netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("8.8.8.8")}}
	w := grantWith(t, z.resolver(t), "*.example:80")
	try := func(a string) error {
		s := w.tcp(v4)
		defer s.Drop()
		return s.StartConnect(w.ctx(), w.net, at(a))
	}
	code(t, contract.ErrorCodeAccessDenied, try("8.8.8.8:80"))
	_, err := w.resolve("db.example")
	require.NoError(t, err)
	w.said()

	// The name is known now. No packet leaves a machine without a network.
	require.NoError(t, try("8.8.8.8:80"))
	code(t, contract.ErrorCodeAccessDenied, try("8.8.8.8:81"))
	code(t, contract.ErrorCodeAccessDenied, try("8.8.4.4:80"))
	code(t, contract.ErrorCodeAccessDenied, try("127.0.0.1:80"))
	require.Equal(t, []string{
		"wasi:sockets: tcp 8.8.8.8:81 of db.example is not granted: the rules for the name are for other ports; grant it by --allow-net db.example:81",
		"wasi:sockets: tcp 8.8.4.4:80 is not granted; grant it by --allow-net 8.8.4.4:80",
		"wasi:sockets: tcp 127.0.0.1:80 is not granted: db.example resolves to a loopback address; grant it by --allow-net 127.0.0.1:80",
	}, w.said())
}

func TestLookupEndsWithItsStream(t *testing.T) {
	t.Parallel()
	w := grantWith(t, zone{}.resolver(t), "*.example")
	var all []contract.ResolveAddressStream
	for {
		s, err := w.ResolveAddresses(w.ctx(), w.net, "mute.example")
		if err != nil {
			code(t, contract.ErrorCodeTemporaryResolverFailure, err)
			break
		}
		_, err = s.ResolveNextAddress(w.ctx())
		code(t, contract.ErrorCodeWouldBlock, err)
		require.False(t, w.ready(s))
		all = append(all, s)
	}
	require.Len(t, all, 64)
	for _, s := range all {
		s.Drop()
	}
	s, err := w.ResolveAddresses(w.ctx(), w.net, "mute.example")
	require.NoError(t, err)
	s.Drop()
}
