package egress_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/egress"
)

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"example.org", "*.example.org:443", "*", "*:80-90", "udp://[::1]:53", "10.0.0.0/8:5432", "[fd00::/8]:1", "::ffff:10.0.0.0/104",
		"localhost:8080", "tcp://0.0.0.0/0", "fe80::1%eth0", "127.1", "xn--bcher-kva.example.", "a]:[b", "::1:80", "//", "1/2:3/4",
	} {
		f.Add(text, "example.org", []byte{10, 0, 0, 1}, uint16(80))
	}
	f.Fuzz(func(t *testing.T, text, name string, ip []byte, port uint16) {
		r, err := egress.Parse([]string{text})
		if err != nil {
			return
		}
		again, err := egress.Parse(r.Strings())
		require.NoError(t, err)
		addr, ok := netip.AddrFromSlice(ip)
		if !ok {
			return
		}
		to := netip.AddrPortFrom(addr, port)
		for _, proto := range []egress.Proto{egress.TCP, egress.UDP} {
			reach := r.Addr(proto, to, name)
			require.Equal(t, reach, again.Addr(proto, to, name))
			require.Equal(t, reach, r.Addr(proto, netip.AddrPortFrom(addr.Unmap(), port), name), "mapped or not is the same")
			if r.Addr(proto, to, "") == nil {
				require.NoError(t, reach, "a name takes nothing away")
			}
			if r.Listen(proto, to) == nil {
				require.NoError(t, reach, "who may listen may connect")
			}
			if reach == nil && port != 0 {
				require.NoError(t, r.Proto(proto))
			}
		}
		if r.Name("", name) != nil {
			require.Equal(t, r.Addr(egress.TCP, to, "") == nil, r.Addr(egress.TCP, to, name) == nil, "a name that is not allowed gives nothing")
		}
	})
}
