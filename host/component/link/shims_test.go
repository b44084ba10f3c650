package link_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/host/component/link"
	"github.com/lathhost/lath/wit"
)

// noHost implements nothing.
type noHost struct{}

func (noHost) Resource(string, string) *wit.Resource { return nil }
func (noHost) Func(string, *wit.Func) (int, error)   { return -1, nil }
func flatten(t *testing.T, path string) (p *link.Plan) {
	t.Helper()
	wasm, err := os.ReadFile(path)
	require.NoError(t, err)
	def, err := binary.Decode(wasm, binary.Limits{})
	require.NoError(t, err)
	p, err = link.Flatten(def, noHost{}, link.Limits{})
	require.NoError(t, err)
	return p
}

// cores counts the core instances of each component instance.
func cores(p *link.Plan) []int {
	n := make([]int, len(p.Instances))
	for _, c := range p.Cores {
		n[c.Instance]++
	}
	return n
}

func TestDetoursAreShortened(t *testing.T) {
	t.Parallel()
	p := flatten(t, "../testdata/shims.wasm")
	// the root, inc, direct, late, hole, type, shared, starts
	require.Equal(t, []int{0, 1, 2, 4, 3, 3, 3, 3}, cores(p))
	for k, c := range p.Cores {
		require.Len(t, c.Imports, len(p.Modules[c.Module].Imports))
		for i, ref := range c.Imports {
			if ref.Canon >= 0 {
				continue
			}
			require.Less(t, ref.Core, k, "it is there before")
			e, ok := p.Modules[p.Cores[ref.Core].Module].Export(ref.Name)
			require.True(t, ok, "core instance %d imports %q of %d", k, ref.Name, ref.Core)
			require.Equal(t, p.Modules[c.Module].Imports[i].Kind, e.Kind)
		}
	}
	direct := p.Cores[2].Imports // double is before it
	require.Equal(t, []link.CoreRef{{Canon: 0}, {Canon: -1, Core: 1, Name: "double"}}, direct)
	late := p.Cores[4].Imports
	require.Equal(t, []link.CoreRef{{Canon: 1}, {Canon: -1, Core: 3, Name: "1"}}, late)
}

func TestDetoursOfARealComponentAreGone(t *testing.T) {
	t.Parallel()
	p := flatten(t, "../../../examples/types/types.wasm")
	require.Len(t, p.Cores, 1)
	for _, r := range p.Resources {
		if r.Dtor != nil {
			require.Equal(t, link.CoreRef{Canon: -1, Name: "example:types/resources#[dtor]cell"}, *r.Dtor)
		}
	}
}

func TestAShimThatMayBeCalledEarlyStays(t *testing.T) {
	t.Parallel()
	require.Equal(t, []int{3, 1}, cores(flatten(t, "../testdata/shim-early.wasm")))
}
