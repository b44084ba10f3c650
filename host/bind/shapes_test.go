package bind_test

import (
	"context"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	shapesbind "github.com/lathhost/lath/host/bind/lath/shapes"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/lath/shapes"
	"github.com/lathhost/lath/wit/lath/shapes/shapestest"
)

// things implements lath:shapes/things and counts the things that exist.
type things struct{ live, dropped atomic.Int64 }

type thing struct {
	all    *things
	number uint32
}

func (s *things) make(number uint32) *thing {
	s.live.Add(1)
	return &thing{s, number}
}

func (s *things) NewThing(_ context.Context, number uint32) (shapes.Thing, error) {
	return s.make(number), nil
}

func (s *things) ThingChecked(_ context.Context, number uint32) (shapes.Thing, error) {
	if number > 999 {
		return nil, shapes.RefusalTooLate
	}
	return s.make(number), nil
}

func (s *things) ThingMerge(_ context.Context, a, b shapes.Thing) (shapes.Thing, error) {
	sum := s.make(a.(*thing).number + b.(*thing).number)
	a.Drop()
	b.Drop()
	return sum, nil
}

func (s *things) Pass(_ context.Context, t shapes.Thing) (shapes.Thing, error) { return t, nil }

func (s *things) Maybe(_ context.Context, t wit.Option[shapes.Thing]) (wit.Option[shapes.Object], error) {
	return t, nil
}

func (s *things) Swap(_ context.Context, t shapes.TupleThingString) (shapes.TupleStringThing, error) {
	return shapes.TupleStringThing{F0: t.F1, F1: t.F0}, nil
}

func (s *things) Give(_ context.Context, g shapes.Gift) (shapes.Gift, error) { return g, nil }

func (s *things) Sum(_ context.Context, all []shapes.Thing, name string) (shapes.TupleU32String, error) {
	if len(all) == 0 {
		return shapes.TupleU32String{}, shapes.RefusalTooEarly
	}
	var sum uint32
	for _, t := range all {
		sum += t.(*thing).number
	}
	return shapes.TupleU32String{F0: sum, F1: name}, nil
}

func (s *things) Refuse(_ context.Context, t shapes.Thing) (uint32, error) {
	return 0, shapes.RefuseError{Value: t}
}

func (t *thing) Number(context.Context) (uint32, error) { return t.number, nil }

func (t *thing) Add(_ context.Context, other shapes.Thing) error {
	t.number += other.(*thing).number
	return nil
}

func (t *thing) Drop() {
	t.all.live.Add(-1)
	t.all.dropped.Add(1)
}

// TestShapes has a guest pass resources in every way and rare shapes of values,
// and checks the guest's own view of the answers.
func TestShapes(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]bool{"values": false, "errors": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &things{}
			impl := notFailing{shapestest.Echo{Fail: fail}}
			tm := link(t, "testdata/shapes.wasm", shapesbind.Outcomes(impl), shapesbind.Things(s))
			i, err := tm.Take(context.Background())
			require.NoError(t, err)
			line, err := callOn(t, i, tm, "walk()")
			require.NoError(t, err)
			require.Equal(t, "0", line, "the line of testdata/shapes.c that was not content")
			require.EqualValues(t, 1, s.live.Load(), "things that the guest kept")
			require.NoError(t, i.Close())
			require.Zero(t, s.live.Load(), "things that nobody dropped")
			require.EqualValues(t, 4, s.dropped.Load())
		})
	}
}

// notFailing fails only where the error is a value that the guest looks at.
type notFailing struct{ shapestest.Echo }

func (notFailing) Without(_ context.Context, v shapes.Side) (shapes.Side, error) { return v, nil }
func (notFailing) Silent(context.Context, uint8, uint16, int8, int16) error      { return nil }
func (notFailing) WithOnlyNothing(context.Context, bool) error                   { return nil }

// TestMisuse has a guest do what the canonical ABI forbids. Each is a trap with
// a code that blames the guest.
func TestMisuse(t *testing.T) {
	t.Parallel()
	s := &things{}
	tm := link(t, "testdata/shapes.wasm", shapesbind.Outcomes(shapestest.Echo{}), shapesbind.Things(s))
	misuses := []struct {
		name string
		code trap.Code
	}{
		{"case that does not exist", trap.Abi},
		{"surrogate", trap.Abi},
		{"list that is not aligned", trap.Abi},
		{"list of 4 GiB and more", trap.Abi},
		{"string outside memory, inside a list", trap.Abi},
		{"case that does not exist, with payload", trap.Abi},
		{"handle that does not exist", trap.Handle},
		{"handle after its drop", trap.Handle},
		{"place for the result that is not aligned", trap.Abi},
		{"place for the result outside memory", trap.Abi},
		{"handle that does not exist, inside a list", trap.Handle},
		{"string that is not UTF-8", trap.Abi},
		{"string outside memory", trap.Abi},
		{"handle 0", trap.Handle},
		{"one handle given twice", trap.Handle},
		{"case beyond the last", trap.Abi},
		{"place for a new resource outside memory", trap.Abi},
		{"handle given twice in a list", trap.Handle},
	}
	t.Cleanup(func() { require.Zero(t, s.live.Load(), "things that nobody dropped") })
	for how, m := range misuses {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			_, err := call(t, tm, "misuse("+strconv.Itoa(how)+")")
			e := trap.As(err)
			require.NotNil(t, e, "%v", err)
			require.Equal(t, m.code, e.Code, e)
		})
	}
}

// TestShapesWIT checks that the guest was built against the contract that the
// glue was generated from.
func TestShapesWIT(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("../../wit/lath/shapes/shapes.wit")
	require.NoError(t, err)
	got, err := os.ReadFile("testdata/wit/deps/shapes/shapes.wit")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}
