package bind_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	fsbind "github.com/lathhost/lath/host/bind/wasi/filesystem"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasi/filesystem"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

// directories gives out as many directories as it says, and keeps them.
type directories struct {
	n    int
	made []*dir
}

type dir struct {
	filesystem.Descriptor
	drops int
}

func (d *dir) Drop() { d.drops++ }

func (d *directories) GetDirectories(context.Context) ([]filesystem.TupleDescriptorString, error) {
	var all []filesystem.TupleDescriptorString
	for i := range d.n {
		d.made = append(d.made, &dir{})
		all = append(all, filesystem.TupleDescriptorString{F0: d.made[i], F1: fmt.Sprintf("/%d", i)})
	}
	return all, nil
}

func (*directories) FilesystemErrorCode(context.Context, wasiio.Error) (wit.Option[filesystem.ErrorCode], error) {
	return wit.None[filesystem.ErrorCode](), nil
}

// TestResultThatIsStoredInPart stores a list of objects and strings in a guest
// that gives room for a part of it, or may have handles for a part of it, and
// traps: each object is dropped once, whether the guest got it or not.
func TestResultThatIsStoredInPart(t *testing.T) {
	t.Parallel()
	const n = 4
	for room := range n + 2 { // one for the list, one for each string
		for _, handles := range []int{1, 3, 100} {
			d := &directories{n: n}
			tm := linkWith(t, "testdata/stingy.wasm", component.LinkConfig{Name: "guest",
				Host: []component.HostInterface{fsbind.Types(d), fsbind.Preopens(d)}, Limits: component.Limits{Handles: handles}})
			_, err := call(t, tm, fmt.Sprintf("directories(%d)", room))
			switch {
			case room <= min(n, handles):
				require.ErrorIs(t, err, &trap.Error{Code: trap.Unreachable}, "room for %d", room)
			case handles < n:
				require.ErrorIs(t, err, &trap.Error{Code: trap.Limit}, "%d handles", handles)
			default:
				require.NoError(t, err)
			}
			require.Len(t, d.made, n)
			for i, made := range d.made {
				require.Equal(t, 1, made.drops, "directory %d, room for %d, %d handles", i, room, handles)
			}
		}
	}
}
