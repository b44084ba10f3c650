package abi_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/wit"
	"github.com/stretchr/testify/require"
)

// bump is a guest memory with a realloc that never reuses: every call takes a
// new block at the aligned end and moves the old bytes there.
type bump struct {
	mem   []byte
	calls [][4]uint32
}

func (b *bump) Bytes() []byte { return b.mem }

func (b *bump) realloc(old, oldSize, align, size uint32) (uint32, error) {
	b.calls = append(b.calls, [4]uint32{old, oldSize, align, size})
	ptr := (uint32(len(b.mem)) + align - 1) &^ (align - 1)
	if uint64(ptr)+uint64(size) > 1<<30 {
		return 0, errors.New("guest is out of memory")
	}
	next := make([]byte, ptr+size) // moved, so that stale slices show
	copy(next, b.mem)
	copy(next[ptr:], next[old:][:min(oldSize, size)])
	if len(b.mem) > 0 {
		clear(b.mem)
	}
	b.mem = next
	return ptr, nil
}

func newGuest(mem []byte) (*abi.Guest, *bump) {
	b := &bump{mem: mem}
	return &abi.Guest{Mem: b, Realloc: b.realloc, Budget: abi.DefaultBudget}, b
}

// alloc takes the area of a whole value.
func alloc(t require.TestingT, g *abi.Guest, align, size uint32) uint32 {
	ptr, err := abi.Alloc(g, align, size)
	require.NoError(t, err)
	return ptr
}

// table is a handle table that hands out indices from 1.
type table struct {
	name string
	live map[uint32]uint32
	next uint32
}

func newTable(name string) *table { return &table{name: name, live: map[uint32]uint32{}} }

func (t *table) add(rep uint32) uint32 {
	t.next++
	t.live[t.next] = rep
	return t.next
}

func (t *table) LiftOwn(r *wit.Resource, h uint32) (uint32, error) {
	rep, err := t.LiftBorrow(r, h)
	delete(t.live, h)
	return rep, err
}

func (t *table) LiftBorrow(r *wit.Resource, h uint32) (uint32, error) {
	rep, ok := t.live[h]
	if !ok {
		return 0, fmt.Errorf("%s: no %s with handle %d", t.name, r.Name, h)
	}
	return rep, nil
}

func (t *table) LowerOwn(_ *wit.Resource, rep uint32) (uint32, error) { return t.add(rep), nil }

func (t *table) LowerBorrow(_ *wit.Resource, rep uint32) (uint32, error) { return t.add(rep), nil }

func must[T any](t require.TestingT, v T, err error) T {
	if h, ok := t.(interface{ Helper() }); ok {
		h.Helper()
	}
	require.NoError(t, err)
	return v
}

func list(t *testing.T, elem *wit.Type) *wit.Type {
	v, err := wit.NewList(elem)
	return must(t, v, err)
}

func record(t *testing.T, types ...*wit.Type) *wit.Type {
	v, err := wit.NewTuple(types...)
	return must(t, v, err)
}

func option(t *testing.T, elem *wit.Type) *wit.Type {
	v, err := wit.NewOption(elem)
	return must(t, v, err)
}
