package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	wasicli "github.com/lathhost/lath/host/wasi/cli"

	"github.com/lathhost/lath/cmd/builtin"
	"github.com/lathhost/lath/host/capability"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
)

// The two ends of the one link that a local run has.
const (
	localGuest    = "guest"
	localKeyvalue = "keyvalue"
)

// interfaces are what the component finds without a lattice: WASI, and
// key-value stores in memory.
func (p *program) interfaces(w *wit.World) ([]component.HostInterface, error) {
	hosts := wasi.Interfaces(p.wasi())
	known := map[string]bool{}
	for _, h := range hosts {
		known[wit.Track(h.Name)] = true
	}
	var router *link.Router
	var missing []string
	for _, x := range w.Imports {
		if known[wit.Track(x.Name)] || !needsCode(x) {
			continue
		}
		if x.Interface == nil || !strings.HasPrefix(x.Name, "wasi:keyvalue/") || capability.Adapt(x.Name, nil) == nil {
			missing = append(missing, x.Name)
			continue
		}
		if router == nil {
			var err error
			if router, err = p.memoryStores(); err != nil {
				return nil, err
			}
		}
		hosts = append(hosts, *capability.Adapt(x.Name, router.Import(localGuest, x.Interface)))
	}
	if len(missing) > 0 {
		return nil, errMissing(p.name, missing)
	}
	return hosts, nil
}

// needsCode says whether somebody has to carry out what is imported: types
// alone stand for themselves.
func needsCode(x wit.Extern) bool {
	return x.Func != nil || x.Interface != nil && (len(x.Interface.Funcs) > 0 || x.Interface.HasResources())
}

// memoryStores is a router whose one link leads to key-value stores in memory.
func (p *program) memoryStores() (*link.Router, error) {
	memory, ok := builtin.Provider("keyvalue-memory")
	if !ok {
		return nil, errors.New("key-value stores in memory are not built in")
	}
	caps, err := memory.Start(context.Background(), provider.Config{ID: localKeyvalue})
	if err != nil {
		return nil, err
	}
	if caps.Close != nil {
		p.closers = append(p.closers, caps.Close)
	}
	r := link.NewRouter("local", stores{caps}, nil)
	r.SetLinks([]lattice.Link{{SourceID: localGuest, Target: localKeyvalue, Name: lattice.DefaultLinkName,
		WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"store", "atomics", "batch"}}})
	return r, nil
}

// stores is what a local run has beside its component.
type stores struct{ caps *provider.Capabilities }

// Component implements link.Local.
func (stores) Component(string) link.Component { return nil }

// Provider implements link.Local.
func (s stores) Provider(id string) *provider.Capabilities {
	if id == localKeyvalue {
		return s.caps
	}
	return nil
}

// errMissing says what nobody carries out here, and who would.
func errMissing(name string, missing []string) error {
	var own, foreign []string
	for _, m := range missing {
		if strings.HasPrefix(m, "wasi:") {
			own = append(own, m)
		} else {
			foreign = append(foreign, m)
		}
	}
	slices.Sort(own)
	slices.Sort(foreign)
	if len(foreign) == 0 {
		return fmt.Errorf("%s %s, which Lath does not carry out", name, list("imports", own))
	}
	return fmt.Errorf(`%s %s, which nothing here carries out
link it to a component that does, in a lattice: lath up, lath start component, lath link put`, name, list("imports", append(foreign, own...)))
}

// terminals says which standard streams are a person's.
func terminals(c *cli) wasicli.Terminals {
	return wasicli.Terminals{Stdin: terminal(c.stdin), Stdout: terminal(c.stdout), Stderr: terminal(c.stderr)}
}
