package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/providers/keyvalue"
)

// builtins are the providers that are compiled in. This is where providers and
// the host meet.
func builtins() []provider.Builtin {
	return []provider.Builtin{
		{Name: "keyvalue-memory", Start: startKeyvalueMemory},
	}
}

// startKeyvalueMemory keeps values in memory: they end with the provider.
func startKeyvalueMemory(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	if keys := slices.Sorted(maps.Keys(cfg.Values)); len(keys) > 0 {
		return nil, fmt.Errorf("config %s: %w: keyvalue-memory has nothing to configure", strings.Join(keys, ", "), lattice.ErrInvalid)
	}
	m := keyvalue.NewMemory(keyvalue.MemoryConfig{})
	return &provider.Capabilities{KeyvalueStore: m, KeyvalueAtomics: m, KeyvalueBatch: m}, nil
}
