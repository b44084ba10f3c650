// Package config carries out wasi:config/store over a map that somebody else
// keeps. It knows neither where settings come from nor who may see them.
//
// Source: package wasi:config, 0.2.0-draft.
package config

import (
	"context"
	"maps"
	"slices"

	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/config"
)

// Store carries out wasi:config/store. It is safe for concurrent use.
type Store struct {
	// Values returns the settings as they are now. It is asked on every call,
	// so that a change is seen at once; the map is not written to after it was
	// returned. Nil: there are none.
	Values func() map[string]string
}

var _ contract.Store = Store{}

func (s Store) values() map[string]string {
	if s.Values == nil {
		return nil
	}
	return s.Values()
}

// Get implements the contract.
func (s Store) Get(_ context.Context, key string) (wit.Option[string], error) {
	v, ok := s.values()[key]
	return wit.Option[string]{Value: v, OK: ok}, nil
}

// GetAll implements the contract, in the order of the keys.
func (s Store) GetAll(context.Context) ([][2]string, error) {
	m := s.values()
	all := make([][2]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, [2]string{k, m[k]})
	}
	return all, nil
}
