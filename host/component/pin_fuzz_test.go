package component_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
)

// cells is what a guest's handles should stand for.
type cells map[uint64]*uint64

var errNoSuchHandle = errors.New("no such handle")

func (c cells) take(h uint64) *uint64 {
	v := c[h]
	delete(c, h)
	return v
}

// expect plays a step; the handle that it makes, if any, is the one that the guest
// got.
func (c cells) expect(s step, got func() uint64) (want uint64, makes bool, err error) {
	a, b := c[s.a], c[s.b]
	switch s.act {
	case actNew, actChecked:
		v := s.value
		c[got()] = &v
		return 0, true, nil
	case actLive:
		return uint64(len(c)), false, nil
	case actMaybe:
		if s.a == 0 {
			return 0, false, nil
		}
	}
	both := s.act == actAbsorb || s.act == actTotal || s.act == actMerge
	if a == nil || both && b == nil || s.act == actMerge && s.a == s.b {
		return 0, false, errNoSuchHandle
	}
	switch s.act {
	case actGet:
		return *a, false, nil
	case actAdd:
		*a += s.value
		return *a, false, nil
	case actAbsorb:
		*a += *b
	case actTotal:
		return *a + *b, false, nil
	case actConsume:
		return *c.take(s.a), false, nil
	case actPass, actMaybe:
		same := c.take(s.a)
		c[got()] = same
		return 0, true, nil
	case actMerge:
		sum := *c.take(s.a) + *c.take(s.b)
		c[got()] = &sum
		return 0, true, nil
	case actDrop:
		c.take(s.a)
	}
	return 0, false, nil
}

// FuzzPinned takes random steps, with handles that the guest has and others, and
// holds what they return against a model. Whatever happens, nothing is left.
func FuzzPinned(f *testing.F) {
	f.Add([]byte{actNew, 0, 0, actNew, 0, 0, actAdd, 1, 0, actAbsorb, 1, 2, actGet, 1, 0, actMerge, 1, 2, actLive, 0, 0})
	f.Add([]byte{actChecked, 0, 0, actPass, 1, 0, actMaybe, 1, 0, actTotal, 1, 1, actConsume, 1, 0, actLive, 0, 0})
	f.Add([]byte{actNew, 0, 0, actMerge, 1, 1, actNew, 0, 0, actDrop, 1, 0, actDrop, 1, 0})
	f.Add([]byte{actNew, 0, 0, actGet, 7, 0, actMaybe, 0, 0, actTrap, 0, 0})
	h := newHolder(f, typesPath, component.LinkConfig{}, component.LinkConfig{Pool: component.PoolConfig{Reuse: component.Sticky}})
	f.Fuzz(func(t *testing.T, data []byte) {
		i := h.take(t)
		defer i.Close()
		c := cells{}
		dead := false
		for n := 0; len(data) >= 3 && n < 64 && !dead; n++ {
			s := step{act: int(data[0] % actSpin), a: uint64(data[1] % 8), b: uint64(data[2] % 8), value: uint64(n)}
			if s.act == actMake {
				s.act = actTotal
			}
			data = data[3:]
			out, err := h.play(context.Background(), i, s)
			if s.act == actTrap {
				require.ErrorIs(t, err, &trap.Error{Code: trap.Unreachable})
				dead = true
				continue
			}
			want, makes, wrong := c.expect(s, func() uint64 {
				require.NoError(t, err)
				require.NotContains(t, c, out[0])
				return out[0]
			})
			if wrong != nil {
				require.ErrorIs(t, err, &trap.Error{Code: trap.Handle}, "%+v", s)
				dead = true
				continue
			}
			require.NoError(t, err, "%+v", s)
			if !makes {
				require.Equal(t, want, out[0], "%+v", s)
			}
			require.Equal(t, min(len(c), 1), h.out, "the instance is pinned while there are handles")
		}
		require.NoError(t, i.Close())
		require.Empty(t, h.errs)
		require.Zero(t, h.out)
	})
}
