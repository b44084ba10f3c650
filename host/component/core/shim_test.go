package core_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	bin "github.com/lathhost/lath/host/component/binary/binarytest"
	"github.com/lathhost/lath/host/component/core"
)

// shimModule is a shim of one function of an i32, with that body and those parts
// in addition or instead.
func shimModule(t *testing.T, body []byte, replace map[byte][]byte) *core.Module {
	t.Helper()
	sections := map[byte][]byte{
		1:  bin.Section(1, []byte{0x60, 1, 0x7f, 0}, []byte{0x60, 1, 0x7e, 0}),
		3:  bin.Section(3, []byte{0}),
		4:  bin.Section(4, []byte{0x70, 1, 1, 1}),
		7:  bin.Section(7, bin.Cat("f", byte(0), 0), bin.Cat("t", byte(1), 0)),
		10: bin.Section(10, append([]byte{byte(len(body))}, body...)),
	}
	maps.Copy(sections, replace)
	var list [][]byte
	for id := range byte(12) {
		if s := sections[id]; s != nil {
			list = append(list, s)
		}
	}
	m, err := core.Parse(bin.Module(list...), core.Limits{})
	require.NoError(t, err)
	return m
}

// forward calls entry 0 of table 0 with the parameter.
var forward = []byte{0, 0x20, 0, 0x41, 0, 0x11, 0, 0, 0x0b}

func TestShim(t *testing.T) {
	t.Parallel()
	s := shimModule(t, forward, nil).Shim()
	require.Equal(t, &core.Shim{Table: "t", Size: 1, Slots: map[string]uint32{"f": 0}}, s)
}

func TestNoShim(t *testing.T) {
	t.Parallel()
	for name, body := range map[string][]byte{
		"a local":                 {1, 1, 0x7f, 0x20, 0, 0x41, 0, 0x11, 0, 0, 0x0b},
		"a constant instead":      {0, 0x41, 0, 0x41, 0, 0x11, 0, 0, 0x0b},
		"no such entry":           {0, 0x20, 0, 0x41, 1, 0x11, 0, 0, 0x0b},
		"an entry below 0":        {0, 0x20, 0, 0x41, 0x7f, 0x11, 0, 0, 0x0b},
		"a parameter for entry":   {0, 0x20, 0, 0x20, 0, 0x11, 0, 0, 0x0b},
		"another type":            {0, 0x20, 0, 0x41, 0, 0x11, 1, 0, 0x0b},
		"no such type":            {0, 0x20, 0, 0x41, 0, 0x11, 2, 0, 0x0b},
		"another table":           {0, 0x20, 0, 0x41, 0, 0x11, 0, 1, 0x0b},
		"a direct call":           {0, 0x20, 0, 0x41, 0, 0x10, 0, 0, 0x0b},
		"a tail call":             {0, 0x20, 0, 0x41, 0, 0x13, 0, 0, 0x0b},
		"more code":               {0, 0x20, 0, 0x41, 0, 0x11, 0, 0, 0x01, 0x0b},
		"an end, and more":        {0, 0x20, 0, 0x41, 0, 0x11, 0, 0, 0x0b, 0x0b},
		"nothing":                 {0, 0x0b},
		"its end is the module's": {0, 0x20},
	} {
		require.Nil(t, shimModule(t, body, nil).Shim(), name)
	}
	for name, replace := range map[string]map[byte][]byte{
		"a memory":              {5: bin.Section(5, []byte{0, 1})},
		"a global":              {6: bin.Section(6, []byte{0x7f, 0, 0x41, 0, 0x0b})},
		"an import":             {2: bin.Section(2, bin.Cat("m", "g", byte(3), 0x7f, 0))},
		"an element":            {9: bin.Section(9, []byte{0, 0x41, 0, 0x0b, 1, 0})},
		"a table that can grow": {4: bin.Section(4, []byte{0x70, 0, 1})},
		"a table up to more":    {4: bin.Section(4, []byte{0x70, 1, 1, 2})},
		"two tables":            {4: bin.Section(4, []byte{0x70, 1, 1, 1}, []byte{0x70, 1, 1, 1})},
		"a table of others":     {4: bin.Section(4, []byte{0x6f, 1, 1, 1})},
		"no table for others":   {7: bin.Section(7, bin.Cat("f", byte(0), 0), bin.Cat("g", byte(0), 0))},
		"a table of two names":  {7: bin.Section(7, bin.Cat("t", byte(1), 0), bin.Cat("u", byte(1), 0))},
	} {
		require.Nil(t, shimModule(t, forward, replace).Shim(), name)
	}
}

// fillModule imports a table of four entries and two functions, and has a global
// between them.
func fillModule(t *testing.T, elements []byte, more ...[]byte) *core.Module {
	t.Helper()
	list := append([][]byte{
		bin.Section(1, []byte{0x60, 0, 0}),
		bin.Section(2, bin.Cat("", "a", byte(0), 0), bin.Cat("", "t", byte(1), 0x70, 1, 4, 4), bin.Cat("", "b", byte(0), 0)),
	}, more...)
	m, err := core.Parse(bin.Module(append(list, elements)...), core.Limits{})
	require.NoError(t, err)
	return m
}

func TestFill(t *testing.T) {
	t.Parallel()
	m := fillModule(t, bin.Section(9, []byte{0, 0x41, 0, 0x0b, 3, 0, 0, 1}, []byte{2, 0, 0x41, 1, 0x0b, 0, 1, 1}))
	require.Equal(t, map[uint32]uint32{0: 0, 1: 2, 2: 2}, m.Fill(), "the second function is the third import")
	require.Empty(t, fillModule(t, bin.Section(9)).Fill())
	require.NotNil(t, fillModule(t, bin.Section(9)).Fill())
}

func TestNoFill(t *testing.T) {
	t.Parallel()
	for name, elements := range map[string][]byte{
		"passive":        bin.Section(9, []byte{1, 0, 1, 0}),
		"declared":       bin.Section(9, []byte{3, 0, 1, 0}),
		"expressions":    bin.Section(9, []byte{4, 0x41, 0, 0x0b, 1, 0xd2, 0, 0x0b}),
		"out of bounds":  bin.Section(9, []byte{0, 0x41, 3, 0x0b, 2, 0, 1}),
		"a computed one": bin.Section(9, []byte{0, 0x41, 0, 0x41, 0, 0x6a, 0x0b, 1, 0}),
	} {
		require.Nil(t, fillModule(t, elements).Fill(), name)
	}
	one := bin.Section(9, []byte{0, 0x41, 0, 0x0b, 1, 0})
	require.NotNil(t, fillModule(t, one).Fill())
	for name, more := range map[string][]byte{
		"a table of its own": bin.Section(4, []byte{0x70, 1, 1, 1}),
		"a memory":           bin.Section(5, []byte{0, 1}),
		"a global":           bin.Section(6, []byte{0x7f, 0, 0x41, 0, 0x0b}),
		"an export":          bin.Section(7, bin.Cat("t", byte(1), 0)),
	} {
		require.Nil(t, fillModule(t, one, more).Fill(), name)
	}
}
