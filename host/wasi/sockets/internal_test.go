package sockets

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNamesAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNames()
		ip := netip.MustParseAddr("1.1.1.1")
		n.remember("a.example", []netip.Addr{ip})
		time.Sleep(nameLife / 2)
		n.remember("b.example", []netip.Addr{ip, ip})
		require.Equal(t, []string{"a.example", "b.example"}, n.of(ip))
		time.Sleep(nameLife / 4)
		n.remember("a.example", []netip.Addr{ip})
		require.Equal(t, []string{"b.example", "a.example"}, n.of(ip), "a renewal, not another")
		time.Sleep(nameLife / 4)
		require.Equal(t, []string{"b.example", "a.example"}, n.of(ip))
		time.Sleep(nameLife / 2)
		require.Equal(t, []string{"a.example"}, n.of(ip))
		time.Sleep(nameLife / 4)
		require.Empty(t, n.of(ip))
		require.Empty(t, n.byAddr)

		for i := range 2 * maxNames {
			n.remember(fmt.Sprint("n", i), []netip.Addr{ip})
		}
		require.Len(t, n.of(ip), maxNames)
		first := ip
		for range maxFindings {
			ip = ip.Next()
			n.remember("many.example", []netip.Addr{ip})
		}
		require.Equal(t, maxFindings, n.order.Len())
		require.Empty(t, n.of(first))
		require.Len(t, n.byAddr, maxFindings)
		for range 3 * maxFindings {
			n.remember("many.example", []netip.Addr{ip})
		}
		require.Len(t, n.byAddr, maxFindings, "renewals push nothing out")
	})
}
