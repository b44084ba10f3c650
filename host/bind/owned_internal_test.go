package bind

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
)

type dropped struct {
	n      int
	panics bool
}

func (d *dropped) Drop() {
	d.n++
	if d.panics {
		panic("drop failed")
	}
}

// TestOwnedClosesAll drops what a call did not pass on, also behind a drop that
// panics, which stays the caller's to hear of.
func TestOwnedClosesAll(t *testing.T) {
	t.Parallel()
	a, b, c := &dropped{}, &dropped{panics: true}, &dropped{}
	owned := Owned{objs: []component.Resource{a, b, c}}
	require.PanicsWithValue(t, "drop failed", owned.Close)
	require.Equal(t, []int{1, 1, 1}, []int{a.n, b.n, c.n})

	owned = Owned{objs: []component.Resource{a}}
	owned.Passed()
	owned.Close()
	require.Equal(t, 1, a.n)
}
