package ctl

import (
	"context"
	"fmt"

	"github.com/lathhost/lath/lattice"
)

// Inventory is what a host runs, with what v1's answer has no field for.
type Inventory struct {
	lattice.Inventory
	// Configs are the names of the configs that each component and each provider was
	// started with, by its id.
	ComponentConfigs, ProviderConfigs map[string][]string
}

// inventoryPage is a part of an Inventory.
type inventoryPage struct {
	Inventory        lattice.Inventory   `json:"inventory"`
	ComponentConfigs map[string][]string `json:"component_configs,omitempty"`
	ProviderConfigs  map[string][]string `json:"provider_configs,omitempty"`
	// Next tells that there is more: ask again, after it.
	Next string `json:"next,omitempty"`
}

// placed is one thing that runs, a component or a provider, with its place in the
// order of all.
type placed struct {
	key       string
	component *lattice.ComponentDescription
	provider  *lattice.ProviderDescription
}

func placedKey(p placed) string { return p.key }

func (l *Lists) inventoryPage(_ context.Context, q listQuery, room int) ([]byte, error) {
	inv := l.Inventory()
	var all []placed
	for i := range inv.Components {
		all = append(all, placed{key: "component/" + inv.Components[i].ID, component: &inv.Components[i]})
	}
	for i := range inv.Providers {
		all = append(all, placed{key: "provider/" + inv.Providers[i].ID, provider: &inv.Providers[i]})
	}
	all = after(all, q.After, placedKey)
	return fit(room, len(all), func(n int) any {
		p := inv.page(all[:n])
		if n > 0 && n < len(all) {
			p.Next = all[n-1].key
		}
		return p
	})
}

// page is the inventory with some of its things.
func (v *Inventory) page(things []placed) inventoryPage {
	p := inventoryPage{Inventory: v.Inventory, ComponentConfigs: map[string][]string{}, ProviderConfigs: map[string][]string{}}
	p.Inventory.Components, p.Inventory.Providers = nil, nil
	for _, x := range things {
		if x.component != nil {
			p.Inventory.Components = append(p.Inventory.Components, *x.component)
			addConfigs(p.ComponentConfigs, v.ComponentConfigs, x.component.ID)
		} else {
			p.Inventory.Providers = append(p.Inventory.Providers, *x.provider)
			addConfigs(p.ProviderConfigs, v.ProviderConfigs, x.provider.ID)
		}
	}
	return p
}

func addConfigs(to, from map[string][]string, id string) {
	if names := from[id]; len(names) > 0 {
		to[id] = names
	}
}

// FullInventory asks a host what it runs, like [Client.Inventory], but however
// much that is, and with the configs. The error matches lattice.ErrNotFound where
// the host speaks no Lath.
func (c *Client) FullInventory(ctx context.Context, host string) (*Inventory, error) {
	if err := lattice.ValidHostID(host); err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	all := &Inventory{ComponentConfigs: map[string][]string{}, ProviderConfigs: map[string][]string{}}
	var q listQuery
	for {
		var p inventoryPage
		at := &CallError{Verb: "inventory", ID: host, What: "host", Subject: lattice.InventorySubject(c.cfg.Lattice, host)}
		if _, err := c.call(ctx, at, q, &p); err != nil {
			return nil, err
		}
		components, providers := append(all.Components, p.Inventory.Components...), append(all.Providers, p.Inventory.Providers...)
		all.Inventory = p.Inventory
		all.Components, all.Providers = components, providers
		for _, x := range p.Inventory.Components {
			addConfigs(all.ComponentConfigs, p.ComponentConfigs, x.ID)
		}
		for _, x := range p.Inventory.Providers {
			addConfigs(all.ProviderConfigs, p.ProviderConfigs, x.ID)
		}
		if p.Next == "" {
			return all, nil
		}
		if p.Next <= q.After || len(components)+len(providers) > maxListed {
			return nil, fmt.Errorf("inventory: answer of host %s: %w: it has no end", host, lattice.ErrInvalid)
		}
		q.After = p.Next
	}
}
