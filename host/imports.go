package host

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/capability"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/grant"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/secrets"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/host/wasi/filesystem"
	"github.com/lathhost/lath/wit"
)

// link satisfies a component's imports: by the host's own interfaces, by
// adapters of capabilities, and for the rest by links. cfg has all that is not
// about imports.
func (h *Host) link(ctx context.Context, c *component.Component, cfg component.LinkConfig, log *zap.Logger, d *deployed) (*component.Template, error) {
	id := cfg.Name
	granted := h.cfg.Grants.For(id)
	if err := filesystem.Check(granted.Dirs); err != nil {
		return nil, err
	}
	d.output = newOutput(log, h.logRate(granted))
	var linked func(context.Context) http.RoundTripper
	for _, x := range c.World().Imports {
		if x.Interface != nil && capability.SendsHTTP(x.Name) {
			imp := h.router.Import(id, x.Interface)
			d.imports = append(d.imports, imp)
			linked = capability.Outgoing(imp)
		}
	}
	hosts := wasi.Interfaces(wasi.Config{HTTPLinked: linked, Env: granted.Env, Grants: granted.Grants, Line: d.output.line, ConfigValues: d.settings.values})
	hosts = append(hosts, secrets.Interfaces(d.settings.secret)...)
	known := map[string]bool{}
	for _, i := range hosts {
		known[wit.Track(i.Name)] = true
	}
	byName := map[string]*link.Import{}
	chooses := false
	for _, x := range c.World().Imports {
		if x.Interface == nil || known[wit.Track(x.Name)] {
			continue
		}
		if capability.Chooses(x.Name) {
			chooses = true
			continue
		}
		imp := h.router.Import(id, x.Interface)
		d.imports = append(d.imports, imp)
		if capability.IsStore(x.Name) {
			d.store = imp
		}
		if adapter := capability.Adapt(x.Name, imp); adapter != nil {
			hosts = append(hosts, *adapter)
			continue
		}
		byName[x.Name] = imp
	}
	for _, x := range c.World().Imports {
		if byName[x.Name] == nil {
			continue
		}
		if err := linkable(x, c.World(), hosts); err != nil {
			return nil, err
		}
	}
	if chooses {
		hosts = append(hosts, capability.Lattice(link.NewChooser(id, d.imports))...)
	}
	cfg.Host = hosts
	cfg.Import = func(iface string, fn *wit.Func) (component.Callee, error) {
		imp := byName[iface]
		if imp == nil {
			return nil, fmt.Errorf("%w: it is no function of an interface, so no link can name it", component.ErrNoImport)
		}
		return imp.Callee(fn), nil
	}
	return c.Link(ctx, cfg)
}

// logRate is how much a component may write to the log, in bytes a second.
func (h *Host) logRate(g grant.Grant) uint64 {
	if g.LogRate > 0 {
		return g.LogRate
	}
	return h.cfg.LogRate
}

// linkable refuses an import that neither the host nor any link can satisfy.
func linkable(x wit.Extern, w *wit.World, hosts []component.HostInterface) error {
	reason := ""
	id, err := wit.ParseID(x.Name)
	switch {
	case err != nil && x.Interface.HasResources():
		reason = "its name is not of the form namespace:package/interface, so no link can name it"
	case err != nil || !x.Interface.HasResources():
		return nil
	case id.Namespace == "wasi":
		reason = "it carries resources, which of wasi only the host has"
	default:
		if reason = hostResource(x.Interface, w, hosts); reason == "" {
			return nil
		}
	}
	return fmt.Errorf("%w: %s: %s; this host has %s", component.ErrNoImport, x.Name, reason, candidates(id, hosts))
}

// hostResource says which resource of an imported interface is one of the host's,
// which no other component can have.
func hostResource(i *wit.Interface, w *wit.World, hosts []component.HostInterface) string {
	seen := map[*wit.Resource]bool{} // who comes first defines it
	for _, x := range w.Imports {
		if x.Interface == nil {
			continue
		}
		hosted := slices.ContainsFunc(hosts, func(h component.HostInterface) bool { return wit.Track(h.Name) == wit.Track(x.Name) })
		for _, d := range x.Interface.Types {
			if d.Resource == nil || seen[d.Resource] {
				continue
			}
			if seen[d.Resource] = true; hosted && i.Uses(d.Resource) {
				return fmt.Sprintf("no link can carry it, since its functions carry a resource of the host's (%s of %s)", d.Name, x.Name)
			}
		}
	}
	return ""
}

// candidates names what the host has of the same package, or else of the same
// interface name.
func candidates(id wit.ID, hosts []component.HostInterface) string {
	all := capability.Names()
	for _, i := range hosts {
		all = append(all, i.Name)
	}
	var near, far []string
	for _, name := range all {
		switch other, err := wit.ParseID(name); {
		case err != nil:
		case other.Package == id.Package:
			near = append(near, name)
		case other.Interface == id.Interface:
			far = append(far, name)
		}
	}
	if len(near) == 0 {
		near = far
	}
	if len(near) == 0 {
		return "nothing of a like name"
	}
	slices.Sort(near)
	return strings.Join(slices.Compact(near), ", ")
}
