package egress_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/egress"
)

func rules(t testing.TB, texts ...string) *egress.Rules {
	t.Helper()
	r, err := egress.Parse(texts)
	require.NoError(t, err)
	return r
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                        "a name has 1 to 253 letters, not 0",
		"https://example.org":     `begins with neither tcp:// nor udp:// but "https://"`,
		"://example.org":          "begins with neither",
		"example.org:0":           `"0" is not a port from 1 to 65535`,
		"example.org:65536":       `"65536" is not a port`,
		"example.org:":            `"" is not a port`,
		"example.org:http":        `"http" is not a port`,
		"example.org:90-80":       "ports 90-80 run backwards",
		"example.org:1-2-3":       `"2-3" is not a port`,
		"example.org:-1":          `"" is not a port`,
		"bücher.example":          "names are written in ASCII: xn--…",
		"exa mple.org":            `a name has no " "`,
		"example..org":            "a part of a name has 1 to 63 letters, not 0",
		"-a.org":                  "neither begins nor ends with a hyphen",
		"a-.org":                  "neither begins nor ends with a hyphen",
		"*.":                      "a name has 1 to 253 letters, not 0",
		"*example.org":            `a name has no "*"`,
		"a.*.org":                 `a name has no "*"`,
		"127.1":                   "it is neither a name nor an address",
		"0x7f.0x1":                "it is neither a name nor an address",
		"2130706433":              "it is neither a name nor an address",
		"99999999999999999999":    "it is neither a name nor an address",
		"127.0.0.01":              "it is neither a name nor an address",
		"fe80::1%eth0":            "addresses with a zone are not supported",
		"[fe80::1%eth0]:80":       "addresses with a zone are not supported",
		"fe80::%eth0/64":          "is no network",
		"[::1":                    "a bracket is not closed",
		"[::1]80":                 "only a port can follow a bracket",
		"[127.0.0.1]:80":          "only IPv6 stands in brackets",
		"[example.org]:80":        "only IPv6 stands in brackets",
		"[::g]:80":                `"::g" is no address`,
		"1:2:3":                   `"1:2:3" is no address`,
		"10.0.0.5/8":              `"10.0.0.5/8" has bits set after its first 8: is 10.0.0.0/8 meant?`,
		"10.0.0.0/33":             "is no network",
		"10.0.0.0/":               "is no network",
		"example.org/24":          "is no network",
		"::ffff:0:0/95":           `mixes IPv4 and IPv6`,
		strings.Repeat("a", 64):   "a part of a name has 1 to 63 letters, not 64",
		strings.Repeat("a.", 128): "a name has 1 to 253 letters, not 255",
	} {
		_, err := egress.Parse([]string{"ok.example", text})
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "rule ", text)
	}
}

func TestStringsAreAsWritten(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"TCP://Example.org.:80", "*"}, rules(t, " TCP://Example.org.:80\n", "*").Strings())
	require.Empty(t, (*egress.Rules)(nil).Strings())
	require.True(t, (*egress.Rules)(nil).Empty())
	require.True(t, rules(t).Empty())
	require.False(t, rules(t, "*").Empty())
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rules   string
		allowed string
		denied  string
	}{
		{"example.org", "example.org EXAMPLE.ORG example.org.", "www.example.org example.com aexample.org org"},
		{"Example.ORG.:443", "example.org", "www.example.org"},
		{"*.example.org", "www.example.org a.b.example.org WWW.Example.Org.", "example.org notexample.org example.org.evil.com"},
		{"*", "example.org a_b.example localhost", "bücher.example a..b 127.1 -a"},
		{"udp://example.org", "", "example.org"},
		{"tcp://example.org", "example.org", ""},
		{"10.0.0.0/8", "10.1.2.3 ::ffff:10.1.2.3", "11.0.0.1 example.org fe80::1%lo"},
		{"localhost", "localhost 127.0.0.1 ::1", "a.localhost 0.0.0.0 ::"},
		{"xn--bcher-kva.example", "XN--bcher-kva.example", "bücher.example"},
	} {
		r := rules(t, c.rules)
		for name := range strings.FieldsSeq(c.allowed) {
			require.NoError(t, r.Name(egress.TCP, name), "%s by %s", name, c.rules)
			require.NoError(t, r.Name("", name), "%s by %s", name, c.rules)
		}
		for name := range strings.FieldsSeq(c.denied) {
			require.ErrorIs(t, r.Name(egress.TCP, name), egress.ErrDenied, "%s by %s", name, c.rules)
		}
	}
	require.NoError(t, rules(t, "udp://example.org").Name("", "example.org"))
	require.ErrorIs(t, (*egress.Rules)(nil).Name(egress.TCP, "example.org"), egress.ErrDenied)
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rules   string
		name    string
		allowed string
		denied  string
	}{
		{rules: "93.184.216.34", allowed: "93.184.216.34:80 [::ffff:93.184.216.34]:1", denied: "93.184.216.35:80"},
		{rules: "::ffff:93.184.216.34", allowed: "93.184.216.34:80"},
		{rules: "10.0.0.0/8:5432", allowed: "10.1.2.3:5432 [::ffff:10.1.2.3]:5432 [64:ff9b::10.1.2.3]:5432", denied: "10.1.2.3:5433 11.0.0.1:5432"},
		{rules: "::ffff:10.0.0.0/104:5432", allowed: "10.1.2.3:5432", denied: "10.1.2.3:5433 11.0.0.1:5432"},
		{rules: "[::1]:80", allowed: "[::1]:80", denied: "[::1]:81 [::2]:80 127.0.0.1:80"},
		{rules: "fd00::/8:53", allowed: "[fd00::1]:53", denied: "[fd00::1]:54 [fc00::1]:53"},
		{rules: "[fd00::/8]:53", allowed: "[fd00::1]:53", denied: "[fd00::1]:54"},
		{rules: "::1", allowed: "[::1]:1"},
		{rules: "1.1.1.1:80-90", allowed: "1.1.1.1:80 1.1.1.1:85 1.1.1.1:90", denied: "1.1.1.1:79 1.1.1.1:91 1.1.1.1:0"},
		{rules: "udp://1.1.1.1:53", denied: "1.1.1.1:53"},
		{rules: "*:443", allowed: "1.1.1.1:443 [2606:4700::1]:443", denied: "1.1.1.1:80 10.0.0.1:443 [fd00::1]:443"},
		{rules: "0.0.0.0/0", allowed: "1.1.1.1:443 127.0.0.1:1 0.0.0.0:1", denied: "[2606:4700::1]:443"},
		{rules: "::/0", allowed: "[2606:4700::1]:443 [::1]:1", denied: "1.1.1.1:443 [::ffff:1.1.1.1]:443"},
		{rules: "example.org:443", name: "example.org", allowed: "1.1.1.1:443 [64:ff9b::1.1.1.1]:443 [2002:101:101::]:443",
			denied: "1.1.1.1:80 10.0.0.1:443 [::1]:443 [64:ff9b::10.0.0.1]:443 [2002:a00:1::]:443"},
		{rules: "example.org:443", denied: "1.1.1.1:443"},
		{rules: "example.org:443", name: "evil.org", denied: "1.1.1.1:443"},
		{rules: "*.example.org", name: "A.Example.Org.", allowed: "1.1.1.1:443", denied: "127.0.0.1:443"},
		{rules: "localhost:80", name: "localhost", allowed: "127.0.0.1:80 127.9.9.9:80 [::1]:80", denied: "127.0.0.1:81 10.0.0.1:80"},
		{rules: "localhost", allowed: "127.0.0.1:80 [::1]:80 [::ffff:127.0.0.1]:80", denied: "0.0.0.0:80 [::]:80"},
		{rules: "*.localhost", name: "a.localhost", denied: "127.0.0.1:80"},
		{rules: "*", name: "any.example", denied: "[fe80::1%25eth0]:80"},
		{rules: "fe80::/10", allowed: "[fe80::1]:80", denied: "[fe80::1%25eth0]:80"},
	} {
		r := rules(t, c.rules)
		for addr := range strings.FieldsSeq(c.allowed) {
			require.NoError(t, r.Addr(egress.TCP, netip.MustParseAddrPort(addr), c.name), "%s by %s", addr, c.rules)
		}
		for addr := range strings.FieldsSeq(c.denied) {
			require.ErrorIs(t, r.Addr(egress.TCP, netip.MustParseAddrPort(addr), c.name), egress.ErrDenied, "%s by %s", addr, c.rules)
		}
	}
	require.ErrorIs(t, rules(t, "*", "0.0.0.0/0", "::/0").Addr(egress.TCP, netip.AddrPort{}, "a.example"), egress.ErrDenied)
}

func TestPrivateAddressesNeedARuleThatNamesThem(t *testing.T) {
	t.Parallel()
	all := rules(t, "*")
	for text := range strings.FieldsSeq(`
		0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.255 168.63.129.16 169.254.169.254
		172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1
		203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
		:: ::1 ::2 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1
		2001::1 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe::1 2002:c0a8:101::1
		3fff::1 5f00::1 4000::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1`) {
		ip := netip.MustParseAddr(text)
		addr := netip.AddrPortFrom(ip, 80)
		require.ErrorIs(t, all.Addr(egress.TCP, addr, "name.example"), egress.ErrDenied, text)
		require.NoError(t, rules(t, text).Addr(egress.TCP, addr, ""), text)
		require.NoError(t, rules(t, netip.PrefixFrom(ip, ip.BitLen()).String()+":80").Addr(egress.TCP, addr, "name.example"), text)
	}
	for text := range strings.FieldsSeq(`
		1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.0.0.1 128.0.0.1 169.253.0.1 172.15.0.1 172.32.0.1
		192.0.1.1 192.167.1.1 198.17.0.1 198.20.0.1 223.255.255.255
		2001:200::1 2606:4700::1111 2a00::1 64:ff9b::8.8.8.8 2002:808:808::1`) {
		require.NoError(t, all.Addr(egress.TCP, netip.AddrPortFrom(netip.MustParseAddr(text), 80), ""), text)
	}
}

func TestListening(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rules, allowed, denied string }{
		{"127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8081 127.0.0.1:0 127.0.0.2:8080 0.0.0.0:8080 [::1]:8080"},
		{"127.0.0.1", "127.0.0.1:8080 127.0.0.1:0", "0.0.0.0:0"},
		{"localhost:8080", "127.0.0.1:8080 [::1]:8080", "0.0.0.0:8080 [::]:8080 10.0.0.1:8080"},
		{"0.0.0.0:8080", "0.0.0.0:8080", "0.0.0.0:8081 [::]:8080 127.0.0.1:8080"},
		{"[::]:8080", "[::]:8080", "0.0.0.0:8080 [::1]:8080"},
		{"10.0.0.1/32", "10.0.0.1:1", ""},
		{"127.0.0.0/8", "", "127.0.0.1:8080 0.0.0.0:8080"},
		{"0.0.0.0/0", "", "127.0.0.1:8080 0.0.0.0:8080 1.1.1.1:80"},
		{"*", "", "1.1.1.1:80 127.0.0.1:80 0.0.0.0:80"},
		{"udp://127.0.0.1:53", "", "127.0.0.1:53"},
	} {
		r := rules(t, c.rules)
		for addr := range strings.FieldsSeq(c.allowed) {
			require.NoError(t, r.Listen(egress.TCP, netip.MustParseAddrPort(addr)), "%s by %s", addr, c.rules)
		}
		for addr := range strings.FieldsSeq(c.denied) {
			require.ErrorIs(t, r.Listen(egress.TCP, netip.MustParseAddrPort(addr)), egress.ErrDenied, "%s by %s", addr, c.rules)
		}
	}
}

func TestRefusalsNameTheGrant(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddrPort
	none, r := (*egress.Rules)(nil), rules(t, "db.internal:5432", "example.org:443", "udp://10.0.0.1", "127.0.0.0/8")
	for _, c := range []struct {
		err  error
		want string
	}{
		{r.Addr(egress.TCP, addr("10.0.0.5:5432"), "db.internal"),
			"tcp 10.0.0.5:5432 is not granted: db.internal resolves to a private address; grant it by --allow-net 10.0.0.5:5432"},
		{none.Addr(egress.TCP, addr("10.0.0.5:5432"), ""),
			"tcp 10.0.0.5:5432 is not granted: it is a private address; grant it by --allow-net 10.0.0.5:5432"},
		{none.Addr(egress.TCP, addr("[2606:4700::1]:443"), ""),
			"tcp [2606:4700::1]:443 is not granted; grant it by --allow-net [2606:4700::1]:443"},
		{none.Addr(egress.UDP, addr("1.1.1.1:53"), ""), "udp 1.1.1.1:53 is not granted; grant it by --allow-net udp://1.1.1.1:53"},
		{r.Addr(egress.TCP, addr("1.1.1.1:80"), "Example.org"),
			"tcp 1.1.1.1:80 of example.org is not granted: the rules for the name are for other ports; grant it by --allow-net example.org:80"},
		{r.Addr(egress.TCP, addr("1.1.1.1:80"), "example.com"), "tcp 1.1.1.1:80 of example.com is not granted; grant it by --allow-net example.com:80"},
		{r.Addr(egress.TCP, addr("[fe80::1%25eth0]:80"), ""), "tcp [fe80::1]:80 is not granted: addresses with a zone are not supported"},
		{none.Name(egress.TCP, "Example.com"), "the name example.com is not granted; grant it by --allow-net example.com"},
		{none.Name("", "10.0.0.1"), "the address \"10.0.0.1\" is not granted; grant it by --allow-net 10.0.0.1"},
		{none.Name("", "a\nb"), `the name "a\nb" is not granted: a name has no "\n"`},
		{none.Name("", strings.Repeat("ä", 200)), "…"},
		{none.Proto(egress.TCP), "tcp is not granted; grant it by --allow-net HOST:PORT"},
		{rules(t, "tcp://*").Proto(egress.UDP), "udp is not granted; grant it by --allow-net udp://HOST:PORT"},
		{none.Listen(egress.TCP, addr("0.0.0.0:80")), "to listen on tcp 0.0.0.0:80 is not granted; grant it by --allow-net 0.0.0.0:80"},
		{r.Listen(egress.TCP, addr("127.0.0.1:80")),
			"to listen on tcp 127.0.0.1:80 is not granted: the rule 127.0.0.0/8 is for peers; grant it by --allow-net 127.0.0.1:80"},
	} {
		require.ErrorIs(t, c.err, egress.ErrDenied)
		require.Contains(t, egress.Words(c.err, "--allow-net"), c.want)
	}
	require.NoError(t, r.Proto(egress.TCP))
	require.Equal(t, "udp is not granted; grant it by a rule udp://HOST:PORT", none.Proto(egress.UDP).Error())
	require.Equal(t, context.Canceled.Error(), egress.Words(context.Canceled, "--allow-net"))
}

func TestARuleThatARefusalNamesIsEnough(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"10.0.0.5:1", "[::1]:80", "8.8.8.8:53", "[64:ff9b::1]:2"} {
		for _, proto := range []egress.Proto{egress.TCP, egress.UDP} {
			var denied *egress.DeniedError
			addr := netip.MustParseAddrPort(text)
			require.ErrorAs(t, rules(t).Addr(proto, addr, ""), &denied)
			require.NoError(t, rules(t, denied.Rule).Addr(proto, addr, ""))
			require.ErrorAs(t, rules(t).Listen(proto, addr), &denied)
			require.NoError(t, rules(t, denied.Rule).Listen(proto, addr))
			require.ErrorAs(t, rules(t).Name(proto, addr.Addr().String()), &denied)
			require.NoError(t, rules(t, denied.Rule).Name(proto, addr.Addr().String()))
		}
	}
}

// What a name resolves to counts when it is dialled, not before.
func TestControlRefusesTheAddressThatIsDialled(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	dial := func(name string, texts ...string) error {
		d := net.Dialer{ControlContext: rules(t, texts...).Control(name)}
		c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		if err == nil {
			require.NoError(t, c.Close())
		}
		return err
	}
	require.ErrorIs(t, dial("rebound.example", "rebound.example", "*"), egress.ErrDenied)
	require.ErrorContains(t, dial("rebound.example", "rebound.example"), "rebound.example resolves to a loopback address")
	require.NoError(t, dial("rebound.example", "localhost"))
	require.NoError(t, dial("", l.Addr().String()))
	for _, c := range [][2]string{{"unix", "/tmp/socket"}, {"tcp", "nonsense"}, {"udp", "1.1.1.1:53"}} {
		require.ErrorIs(t, rules(t, "tcp://*").Control("")(t.Context(), c[0], c[1], nil), egress.ErrDenied)
	}
}

func TestServers(t *testing.T) {
	t.Parallel()
	r := rules(t, "example.org:80", "*.example.com", "10.0.0.0/8", "udp://udp.example.org")
	for server, port := range map[string]uint16{"Example.org.": 80, "a.example.com": 1, "10.1.2.3": 443} {
		require.NoError(t, r.Server(egress.TCP, server, port), server)
	}
	for server, port := range map[string]uint16{"example.org": 81, "example.com": 1, "11.1.2.3": 443, "udp.example.org": 1, "": 80, "a b": 80} {
		require.ErrorIs(t, r.Server(egress.TCP, server, port), egress.ErrDenied, server)
	}
	require.EqualError(t, r.Server(egress.TCP, "example.org", 81), "tcp example.org:81 is not granted; grant it by a rule example.org:81")
	require.ErrorIs(t, (*egress.Rules)(nil).Server(egress.TCP, "example.org", 80), egress.ErrDenied)
}
