//go:build linux || darwin

package sockets_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

func family(a contract.IPSocketAddress) contract.IPAddressFamily {
	return contract.IPAddressFamily(a.Tag)
}

// Each refusal is a code to the guest and words that name the grant.
func TestRefusals(t *testing.T) {
	t.Parallel()
	bind := func(a string) func(w *world) error {
		return func(w *world) error {
			s, err := w.CreateTCPSocket(w.ctx(), family(at(a)))
			if err != nil {
				return err
			}
			defer s.Drop()
			return w.bind(s, at(a))
		}
	}
	connect := func(a string) func(w *world) error {
		return func(w *world) error {
			s, err := w.CreateTCPSocket(w.ctx(), family(at(a)))
			if err != nil {
				return err
			}
			defer s.Drop()
			_, err = w.connect(s, at(a))
			return err
		}
	}
	for _, c := range []struct {
		rules []string
		try   func(w *world) error
		words string
	}{
		{nil, connect("127.0.0.1:80"), "tcp is not granted; grant it by --allow-net HOST:PORT"},
		{[]string{"udp://*"}, connect("127.0.0.1:80"), "tcp is not granted; grant it by --allow-net HOST:PORT"},
		{[]string{"*"}, connect("127.0.0.1:80"), "tcp 127.0.0.1:80 is not granted: it is a loopback address; grant it by --allow-net 127.0.0.1:80"},
		{[]string{"*:443"}, connect("1.1.1.1:80"), "tcp 1.1.1.1:80 is not granted; grant it by --allow-net 1.1.1.1:80"},
		{[]string{"*"}, connect("[::1]:80"), "tcp [::1]:80 is not granted: it is a loopback address; grant it by --allow-net [::1]:80"},
		{[]string{"*"}, connect("169.254.169.254:80"), "tcp 169.254.169.254:80 is not granted: it is a link-local address; grant it by --allow-net 169.254.169.254:80"},
		{[]string{"127.0.0.0/8"}, bind("127.0.0.1:8080"),
			"to listen on tcp 127.0.0.1:8080 is not granted: the rule 127.0.0.0/8 is for peers; grant it by --allow-net 127.0.0.1:8080"},
		{[]string{"127.0.0.1"}, bind("0.0.0.0:8080"), "to listen on tcp 0.0.0.0:8080 is not granted; grant it by --allow-net 0.0.0.0:8080"},
		{[]string{"udp://127.0.0.1:1"}, func(w *world) error {
			s, err := w.CreateUDPSocket(w.ctx(), v4)
			require.NoError(t, err)
			defer s.Drop()
			return w.bindUDP(s, at("127.0.0.1:53"))
		}, "to listen on udp 127.0.0.1:53 is not granted; grant it by --allow-net udp://127.0.0.1:53"},
		{[]string{"udp://127.0.0.1:1"}, func(w *world) error {
			s := w.udp(v4)
			defer s.Drop()
			_, err := s.Stream(w.ctx(), wit.Some(at("127.0.0.1:53")))
			return err
		}, "udp 127.0.0.1:53 is not granted: it is a loopback address; grant it by --allow-net udp://127.0.0.1:53"},
		{[]string{"tcp://*"}, func(w *world) error {
			_, err := w.CreateUDPSocket(w.ctx(), v4)
			return err
		}, "udp is not granted; grant it by --allow-net udp://HOST:PORT"},
		{[]string{"fe80::/10"}, func(w *world) error {
			s := w.tcp(v6)
			defer s.Drop()
			a := at("[fe80::1]:80")
			a.IPv6.ScopeID = 2
			_, err := w.connect(s, a)
			return err
		}, "tcp [fe80::1]:80 is not granted: addresses with a zone are not supported"},
	} {
		w := grant(t, c.rules...)
		code(t, contract.ErrorCodeAccessDenied, c.try(w))
		require.Equal(t, []string{"wasi:sockets: " + c.words}, w.said())
	}
}

// A client binds port 0 without a grant to listen, and cannot listen there.
func TestAClientsPlaceIsNotAServers(t *testing.T) {
	t.Parallel()
	w := grant(t, "127.0.0.1:1-1023")
	for _, a := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		s := w.tcp(v4)
		require.NoError(t, w.bind(s, at(a)))
		code(t, contract.ErrorCodeAccessDenied, s.StartListen(w.ctx()))
		require.Len(t, w.said(), 1)
		_, err := w.connect(s, at("127.0.0.1:1")) // it still may connect
		code(t, contract.ErrorCodeConnectionRefused, err)
		s.Drop()
	}
}

func TestWildcardsAreGrantedByName(t *testing.T) {
	t.Parallel()
	w := grant(t, "0.0.0.0")
	l := w.tcp(v4)
	defer l.Drop()
	require.NoError(t, w.bind(l, addr(netip.AddrPortFrom(netip.IPv4Unspecified(), 0))))
	w.listen(l)
	require.Empty(t, w.said())
}
