package host

import (
	"context"
	"maps"
	"slices"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

// told is what the host tells in parts, beside v1's verbs.
func (h *Host) told() ctl.Lists {
	return ctl.Lists{
		Links: h.store.Links, LinkStates: h.linkStates,
		Configs: h.configInfos, Claims: (*control)(h).Claims, Ops: h.store,
		Peers:     h.peerList,
		Inventory: h.fullInventory, Stats: h.Stats, Providers: h.providerStatuses,
	}
}

// linkStates returns links with what is known of their ends now.
func (h *Host) linkStates(ctx context.Context, links []lattice.Link) ([]lattice.LinkStatus, error) {
	ids := map[string]struct{}{}
	for _, l := range links {
		ids[l.SourceID], ids[l.Target] = struct{}{}, struct{}{}
	}
	ends := h.ends(ctx, slices.Collect(maps.Keys(ids)))
	list := make([]lattice.LinkStatus, len(links))
	for i, l := range links {
		list[i] = h.checkEnds(l, ends[l.SourceID].world, ends[l.Target].world)
		for _, at := range []string{l.SourceID, l.Target} {
			if why, failed := ends[at].failed[idOf(l)]; failed && list[i].State != lattice.LinkRefused {
				list[i].State, list[i].Reason = lattice.LinkFailed, why
				break
			}
		}
	}
	return list, nil
}

func (h *Host) configInfos() []ctl.ConfigInfo {
	var all []ctl.ConfigInfo
	for _, c := range h.store.Configs() {
		all = append(all, ctl.ConfigInfo(c))
	}
	return all
}

// fullInventory is the inventory with the configs that commands have named.
func (h *Host) fullInventory() ctl.Inventory {
	inv := ctl.Inventory{Inventory: *h.inventory(), ComponentConfigs: map[string][]string{}, ProviderConfigs: map[string][]string{}}
	for _, c := range h.listComponents() {
		inv.ComponentConfigs[c.Describe().ID] = *c.settings.names.Load()
	}
	h.wanted.mu.Lock()
	defer h.wanted.mu.Unlock()
	for id, p := range h.wanted.providers {
		inv.ProviderConfigs[id] = p.Config
	}
	return inv
}

// Stats returns what the host has counted of the components that it runs, by id.
func (h *Host) Stats() lattice.HostStats {
	s := lattice.HostStats{HostID: h.cfg.Identity.ID, FriendlyName: h.cfg.Identity.Name,
		MemoryInUse: h.cfg.Runtime.MemoryInUse(), MemoryIdle: h.cfg.Runtime.MemoryIdle()}
	for _, c := range h.listComponents() {
		s.Components = append(s.Components, c.Stats())
	}
	return s
}

func (h *Host) providerStatuses() []lattice.ProviderStatus {
	var all []lattice.ProviderStatus
	for _, p := range h.listProviders() {
		all = append(all, p.status())
	}
	return all
}
