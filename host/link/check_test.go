package link_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
	wasihttp "github.com/lathhost/lath/wit/wasi/http"
	"github.com/lathhost/lath/wit/wasi/keyvalue"
	wrpckeyvalue "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

const shopText = `package acme:shop@1.2.0;

interface stock {
  record item { name: string, count: u32 }
  find: func(name: string) -> option<item>;
  take: func(name: string, count: u32) -> result<u32, string>;
}

interface till {
  resource receipt { total: func() -> u64; }
  pay: func(cents: u64) -> receipt;
}

interface wrap {
  use till.{receipt};
  last: func() -> receipt;
}

interface bell { ring: func(); }
`

// world parses a world over the shop's interfaces; body is what it has.
func world(t testing.TB, text, body string) *wit.World {
	t.Helper()
	w, err := wit.ParseWorld(text + "\nworld w {\n" + body + "\n}\n")
	require.NoError(t, err)
	return w
}

func replaced(t testing.TB, old, now string) string {
	t.Helper()
	require.Contains(t, shopText, old)
	return replaceAll(shopText, old, now)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	shop := func(body string) *wit.World { return world(t, shopText, body) }
	kv := func(imports ...*wit.Interface) *wit.World {
		w := &wit.World{}
		for _, i := range imports {
			w.Imports = append(w.Imports, wit.Extern{Name: i.Name, Interface: i})
		}
		return w
	}
	kvProvider := &wit.World{Exports: []wit.Extern{{Name: wrpckeyvalue.StoreInterface.Name, Interface: wrpckeyvalue.StoreInterface}}}
	const (
		noSource = `source "a" does not run`
		noTarget = `target "b" does not run, or does not tell what it exports`
		ready    = lattice.LinkReady
		pending  = lattice.LinkPending
		refused  = lattice.LinkRefused
	)
	for _, c := range []struct {
		name           string
		ifaces         []string
		source, target *wit.World
		state          lattice.LinkState
		reason         string
	}{
		{"fits", []string{"stock"}, shop("import stock;"), shop("export stock;"), ready, ""},
		{"fits, two", []string{"stock", "bell"}, shop("import stock; import bell;"), shop("export bell; export stock;"), ready, ""},
		{"nothing is known", []string{"stock"}, nil, nil, pending, noSource + "; " + noTarget},
		{"no source", []string{"stock"}, nil, shop("export stock;"), pending, noSource},
		{"no target", []string{"stock"}, shop("import stock;"), nil, pending, noTarget},
		{"not imported", []string{"stock"}, shop("import bell;"), nil, refused,
			`component "a" does not import acme:shop/stock; it imports acme:shop/bell@1.2.0`},
		{"imports nothing", []string{"stock"}, shop("export bell;"), nil, refused,
			`component "a" does not import acme:shop/stock; it imports nothing that a link could carry`},
		{"not exported", []string{"stock"}, nil, shop("export bell;"), refused,
			`target "b" does not export acme:shop/stock; it exports acme:shop/bell@1.2.0`},
		{"exports nothing", []string{"stock"}, shop("import stock;"), shop("import bell;"), refused,
			`target "b" does not export acme:shop/stock; it exports nothing that a link could carry`},
		{"second interface", []string{"bell", "stock"}, shop("import bell; import stock;"), shop("export bell;"), refused,
			`target "b" does not export acme:shop/stock; it exports acme:shop/bell@1.2.0`},
		{"resources, target unknown", []string{"till"}, shop("import till;"), nil, pending, noTarget},
		{"resources", []string{"till"}, shop("import till;"), shop("export till;"), ready, ""},
		{"resources through a component in between", []string{"till"}, shop("import till; export till;"), shop("import till; export till;"), ready, ""},
		{"another resource", []string{"till"}, shop("import till;"), world(t, replaced(t, "pay: func(cents: u64) -> receipt;", "resource bill; pay: func(cents: u64) -> bill;"), "export till;"), refused,
			`acme:shop/till.pay: component "a" wants func(cents: u64) -> receipt, target "b" has func(cents: u64) -> bill`},
		{"another method", []string{"till"}, shop("import till;"), world(t, replaced(t, "total: func() -> u64", "total: func() -> u32"), "export till;"), refused,
			`acme:shop/till.[method]receipt.total: component "a" wants func(self: borrow<receipt>) -> u64, target "b" has func(self: borrow<receipt>) -> u32`},
		{"a resource of two interfaces", []string{"till", "wrap"}, shop("import till; import wrap;"), shop("export till; export wrap;"), ready, ""},
		{"a resource of another interface", []string{"wrap"}, shop("import till; import wrap;"), shop("export till; export wrap;"), ready, ""},
		{"a resource handed on", []string{"wrap"}, shop("import wrap;"), shop("import till; export wrap;"), refused,
			`acme:shop/wrap@1.2.0 carries a resource (receipt) that target "b" does not define but imports (acme:shop/till@1.2.0): a component hands on only its own`},
		{"function is missing", []string{"stock"}, shop("import stock;"), world(t, replaced(t, "  take: func(name: string, count: u32) -> result<u32, string>;\n", ""), "export stock;"), refused,
			`target "b" has no acme:shop/stock@1.2.0.take`},
		{"another parameter", []string{"stock"}, shop("import stock;"), world(t, replaced(t, "take: func(name: string, count: u32)", "take: func(name: string, count: s32)"), "export stock;"), refused,
			`acme:shop/stock.take: component "a" wants func(name: string, count: u32) -> result<u32, string>, target "b" has func(name: string, count: s32) -> result<u32, string>`},
		{"another result", []string{"stock"}, shop("import stock;"), world(t, replaced(t, "-> result<u32, string>", "-> result<u32>"), "export stock;"), refused,
			`acme:shop/stock.take: component "a" wants func(name: string, count: u32) -> result<u32, string>, target "b" has func(name: string, count: u32) -> result<u32>`},
		{"a field more in a record", []string{"stock"}, shop("import stock;"), world(t, replaced(t, "count: u32 }", "count: u32, price: u64 }"), "export stock;"), refused,
			`acme:shop/stock.find: component "a" wants func(name: string) -> option<item>, target "b" has func(name: string) -> option<item>`},
		{"a function more at the target", []string{"bell"}, shop("import bell;"), world(t, replaced(t, "ring: func();", "ring: func(); mute: func();"), "export bell;"), ready, ""},
		{"a compatible version", []string{"stock"}, shop("import stock;"), world(t, replaced(t, "@1.2.0", "@1.3.0"), "export stock;"), ready, ""},
		{"another package", []string{"stock"}, shop("import stock;"), world(t, replaced(t, "acme:shop@1.2.0", "acme:depot@1.2.0"), "export stock;"), refused,
			`target "b" does not export acme:shop/stock; it exports acme:depot/stock@1.2.0`},
	} {
		l := lattice.Link{SourceID: "a", Target: "b", Name: "default", WITNamespace: "acme", WITPackage: "shop", Interfaces: c.ifaces}
		got := link.Check(l, c.source, c.target)
		require.Equal(t, c.state, got.State, c.name)
		require.Equal(t, c.reason, got.Reason, c.name)
		require.Equal(t, l, got.Link, c.name)
	}

	outgoing := lattice.Link{SourceID: "a", Target: "b", WITNamespace: "wasi", WITPackage: "http", Interfaces: []string{"outgoing-handler"}}
	exporter := func(name string) *wit.World {
		return &wit.World{Exports: []wit.Extern{{Name: name, Interface: &wit.Interface{Name: name}}}}
	}
	sender := kv(wasihttp.OutgoingHandlerInterface)
	for _, name := range []string{"wasi:http/incoming-handler@0.2.0", "wrpc:http/incoming-handler@0.1.0", "wrpc:http/outgoing-handler@0.1.0"} {
		require.Equal(t, ready, link.Check(outgoing, sender, exporter(name)).State, name)
	}
	require.Equal(t, pending, link.Check(outgoing, sender, nil).State)
	refusal := link.Check(outgoing, sender, shop("export bell;"))
	require.Equal(t, refused, refusal.State)
	require.Equal(t, `target "b" does not export wrpc:http/outgoing-handler@0.1.0; it exports acme:shop/bell@1.2.0`, refusal.Reason)

	keyvalueLink := lattice.Link{SourceID: "a", Target: "b", WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"store"}}
	require.Equal(t, ready, link.Check(keyvalueLink, kv(keyvalue.StoreInterface), kvProvider).State, "the host adapts its resources")
	keyvalueLink.Interfaces = []string{"store", "atomics"}
	got := link.Check(keyvalueLink, kv(keyvalue.StoreInterface, keyvalue.AtomicsInterface), kvProvider)
	require.Equal(t, refused, got.State)
	require.Equal(t, `target "b" does not export wrpc:keyvalue/atomics@0.2.0-draft; it exports wrpc:keyvalue/store@0.2.0-draft`, got.Reason)
}
