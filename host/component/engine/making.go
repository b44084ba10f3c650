package engine

import (
	"context"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/memory"
)

// making is what wazero looks up in the context of an instantiation: the modules
// to import from, and who makes memories. It is part of a [CallContext], so that
// the instances of a store are made with nothing allocated for the purpose.
type making struct {
	m         *Module // nil while none is made
	resolve   func(module string) Importable
	newMemory func(min, max uint64) *memory.Linear
	resolver  experimental.ImportResolver // is resolveImport
}

func (k *making) begin(m *Module, resolve func(string) Importable, newMemory func(min, max uint64) *memory.Linear) {
	k.m, k.resolve, k.newMemory = m, resolve, newMemory
	if k.resolver == nil {
		k.resolver = k.resolveImport
	}
}

func (k *making) end() { k.m, k.resolve, k.newMemory = nil, nil, nil }

// wanted has a value for each of the keys that making answers, of the type that
// is wanted. The keys themselves are wazero's own.
var wanted = experimental.WithMemoryAllocator(
	experimental.WithImportResolver(context.Background(), func(string) api.Module { return nil }), (*making)(nil))

// value is [context.Context.Value].
func (k *making) value(key any) any {
	switch wanted.Value(key).(type) {
	case experimental.ImportResolver:
		return k.resolver
	case experimental.MemoryAllocator:
		return k
	}
	return nil
}

func (k *making) resolveImport(name string) api.Module {
	if name == core.MeterModule {
		return k.m.meter.g.inst
	}
	if k.resolve == nil {
		return nil
	}
	if i := k.resolve(name); i != nil {
		return i.instance()
	}
	return nil
}

// noMemory is panicked through wazero, which has no other way to fail here.
type noMemory struct{}

// Allocate implements experimental.MemoryAllocator.
func (k *making) Allocate(min, max uint64) experimental.LinearMemory {
	if max == 0 {
		return emptyMemory{} // also the one that core adds to a module without
	}
	m := k.m
	if k.newMemory != nil {
		m.mem = k.newMemory(min, max-memory.PageSize) // core declared a page more
	}
	if m.mem == nil || uint64(len(m.mem.Bytes())) > min || m.mem.Reallocate(min) == nil {
		panic(noMemory{})
	}
	return m.mem
}

// emptyMemory is a memory of no pages that cannot grow.
type emptyMemory struct{}

// Reallocate implements experimental.LinearMemory.
func (emptyMemory) Reallocate(size uint64) []byte {
	if size > 0 {
		return nil
	}
	return []byte{}
}

// Free implements experimental.LinearMemory.
func (emptyMemory) Free() {}
