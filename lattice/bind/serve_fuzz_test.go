package bind_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	typesbind "github.com/lathhost/lath/lattice/bind/example/types"
	shapesbind "github.com/lathhost/lath/lattice/bind/lath/shapes"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/example/types"
	"github.com/lathhost/lath/wit/example/types/typestest"
	"github.com/lathhost/lath/wit/lath/shapes"
	"github.com/lathhost/lath/wit/lath/shapes/shapestest"
	"github.com/lathhost/lath/wit/wire"
)

// FuzzServe gives server stubs any bytes as parameters. What they take, the
// types of the contract take too, and they answer with a whole result.
func FuzzServe(f *testing.F) {
	l := newLocal()
	require.NoError(f, typesbind.ServeValues(l, typestest.Echo{}))
	require.NoError(f, shapesbind.ServeOutcomes(l, shapestest.Echo{}))
	type function struct {
		name string
		*wit.Func
	}
	var fns []function
	for _, i := range []*wit.Interface{types.ValuesInterface, shapes.OutcomesInterface} {
		for _, fn := range i.Funcs {
			if fn.Name != "fill" { // its answer is as long as it is asked to be
				fns = append(fns, function{i.Name + "." + fn.Name, fn})
			}
		}
	}
	for i := range fns {
		f.Add(uint8(i), []byte{1, 1, 'x', 0, 1, 2, 0, 1, 0})
		f.Add(uint8(i), []byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	}
	f.Fuzz(func(t *testing.T, which uint8, params []byte) {
		fn := fns[int(which)%len(fns)]
		s := l.handlers[fn.name]
		n, skipErr := wire.Skip(s.params, params)
		results, err := s.h(context.Background(), params)
		if err != nil {
			return
		}
		require.NoError(t, skipErr, fn.name)
		require.Len(t, params, n, fn.name)
		var types []*wit.Type
		if fn.Result != nil {
			types = []*wit.Type{fn.Result}
		}
		n, err = wire.Skip(types, results)
		require.NoError(t, err, fn.name)
		require.Len(t, results, n, fn.name)
	})
}
