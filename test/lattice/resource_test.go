package lattice_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/beat"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// One component has resources of another one, along a link on one host.

const cellsInterface = "example:types/resources"

// holding is a call of example:types/holding: steps such as "new 7", "get a=1",
// "absorb a=1 b=2".
func holding(steps ...string) string {
	var list []string
	for _, s := range steps {
		act, a, b, value := s, 0, 0, 0
		if name, args, ok := strings.Cut(s, " "); ok {
			act = name
			for arg := range strings.FieldsSeq(args) {
				var err error
				switch k, v, _ := strings.Cut(arg, "="); k {
				case "a":
					_, err = fmt.Sscan(v, &a)
				case "b":
					_, err = fmt.Sscan(v, &b)
				default:
					_, err = fmt.Sscan(k, &value)
				}
				if err != nil {
					panic(err)
				}
			}
		}
		list = append(list, fmt.Sprintf("{act: %%%s, a: %d, b: %d, value: %d}", act, a, b, value))
	}
	return "example:types/holding.play([" + strings.Join(list, ", ") + "])"
}

func running(t *testing.T, n *harness.Node, id string) int {
	t.Helper()
	return statsOf(t, n, id).Running
}

func TestResources(t *testing.T) {
	t.Parallel()
	for _, reuse := range []string{"pristine", "fresh"} {
		l := harness.New(t)
		n := l.Host(nil)
		kept := map[string]string{lattice.AnnotationReuse: reuse}
		require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "cells", ComponentRef: l.Image("types"), MaxInstances: 1, Annotations: kept}))
		require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "hold", ComponentRef: l.Image("holder"), MaxInstances: 2, Annotations: kept}))
		require.NoError(t, l.Link("hold", "cells", cellsInterface))
		s, reason := status(t, l, "hold", "cells")
		require.Equal(t, lattice.LinkReady, s, reason)
		call := func(steps ...string) (string, error) {
			got, err := l.Call(t.Context(), nil, "hold", holding(steps...))
			return got.WAVE, err
		}
		for range 3 {
			got, err := call("new 40", "checked 2", "total a=1 b=2", "merge a=1 b=2", "get a=2", "live", "drop a=2", "live", "make 3", "live")
			require.NoError(t, err, reuse)
			require.Equal(t, "[1, 2, 42, 2, 42, 1, 0, 0, 2, 1, 3, 3]", got)
			require.Zero(t, running(t, n, "cells"), "the one instance is free again")
		}
		require.Zero(t, statsOf(t, n, "cells").Errors["trap"])

		_, err := call("new 1", "make 1001", "get a=1")
		require.ErrorContains(t, err, `component "hold", link "default" to "cells", example:types/resources.make: trap`)
		_, err = call("new 1", "trap")
		require.ErrorContains(t, err, "unreachable")
		_, err = call("new 1", "get a=77")
		require.ErrorContains(t, err, "unknown handle index 77")
		require.Zero(t, running(t, n, "cells"))
		got, err := call("live", "new 5", "live")
		require.NoError(t, err)
		require.Equal(t, "[0, 1, 1]", got)
		n.Stop()
	}
}

// TestResourcesCountAsCalls has callers keep all instances of their target: others
// wait for one, and get it when a caller is cut off.
func TestResourcesCountAsCalls(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	require.NoError(t, n.Start("cells", "types", 1))
	require.NoError(t, n.Start("hold", "holder", 2))
	require.NoError(t, l.Link("hold", "cells", cellsInterface))
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	go func() {
		_, err := l.Call(ctx, nil, "hold", holding("new 7", "spin"))
		ended <- err
	}()
	l.Eventually("the instance is pinned", func() bool { return running(t, n, "cells") == 1 })
	got, err := l.Call(t.Context(), nil, "hold", holding("live", "new 8", "get a=1"))
	require.NoError(t, err)
	require.Equal(t, "[0, 1, 8]", got.WAVE)
	require.ErrorIs(t, <-ended, wrpc.ErrTimeout)
	require.Zero(t, running(t, n, "cells"))
}

// TestResourcesKeepInstances has a caller keep all instances of its target and call
// it by an interface without resources, which wants another one: it is told at once
// that none can become free.
func TestResourcesKeepInstances(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	wasm, err := os.ReadFile("testdata/keeps.wasm")
	require.NoError(t, err)
	require.NoError(t, n.Start("cells", "types", 1))
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "keeps", ComponentRef: l.File("keeps.wasm", wasm), MaxInstances: 1}))
	require.NoError(t, l.Link("keeps", "cells", "example:types/resources,values"))
	_, err = root(t.Context(), l, n, "keeps", "run")
	require.ErrorContains(t, err, `call cycle: keeps → cells → cells: all 1 instances of "cells" wait for this call`)
	require.Zero(t, running(t, n, "cells"))

	require.NoError(t, n.Start("cells", "types", 2))
	got, err := root(t.Context(), l, n, "keeps", "run")
	require.NoError(t, err)
	require.Equal(t, uint64(1), got)
}

// hears says whether a host knows of another one that runs an id.
func hears(n *harness.Node, id string) bool {
	return slices.ContainsFunc(n.Host.Peers(), func(p beat.Peer) bool { return slices.Contains(p.IDs(), id) })
}

// TestResourcesApart refuses a link whose ends are on two hosts, with the reason,
// until its target runs where its source does.
func TestResourcesApart(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	a, b := l.Host(nil), l.Host(nil)
	require.NoError(t, a.Start("hold", "holder", 1))
	require.NoError(t, b.Start("cells", "types", 1))
	const reason = `example:types/resources carries resources (cell), which cannot leave a host, and "cells" does not run where its caller does: ` +
		"start it there too, with `lath start component cells IMAGE --host HOST`"
	l.Eventually("the hosts know of each other", func() bool { return hears(a, "cells") && hears(b, "hold") })
	require.EqualError(t, l.Link("hold", "cells", cellsInterface), "link.put: link refused: "+reason)
	require.False(t, l.Knows("hold", "cells"))

	// A link from before its ends.
	require.NoError(t, l.Link("hold2", "cells2", cellsInterface))
	require.NoError(t, a.Start("hold2", "holder", 1))
	_, err := l.Call(t.Context(), a, "hold2", holding("new 1"))
	require.ErrorContains(t, err, `component "hold2", link "default" to "cells2", example:types/resources.[constructor]cell: refused: the link is refused: example:types/resources carries resources (cell)`)
	require.NoError(t, b.Start("cells2", "types", 1))
	l.Eventually("the link is refused", func() bool {
		s, why := status(t, l, "hold2", "cells2")
		return s == lattice.LinkRefused && strings.Contains(why, "cannot leave a host")
	})
	require.NoError(t, a.Start("cells2", "types", 1))
	l.Eventually("the link is ready", func() bool { s, _ := status(t, l, "hold2", "cells2"); return s == lattice.LinkReady })
	got, err := l.Call(t.Context(), a, "hold2", holding("new 1", "get a=1"))
	require.NoError(t, err)
	require.Equal(t, "[1, 1]", got.WAVE)
}

// TestResourcesThroughUpdates updates the component whose resources a caller keeps
// from call to call: the caller has the old version until the drain is over, then
// an error that says so, and the new version from then on.
func TestResourcesThroughUpdates(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(func(c *host.Config) { c.Drain = 2 * time.Second })
	require.NoError(t, n.Start("cells", "types", 1))
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "hold", ComponentRef: l.Image("holder"), MaxInstances: 1,
		Annotations: map[string]string{lattice.AnnotationReuse: "sticky"}}))
	require.NoError(t, l.Link("hold", "cells", cellsInterface))
	call := func(steps ...string) (string, error) {
		got, err := l.Call(t.Context(), nil, "hold", holding(steps...))
		return got.WAVE, err
	}
	got, err := call("new 7")
	require.NoError(t, err)
	require.Equal(t, "[1]", got)
	require.Equal(t, 1, running(t, n, "cells"), "a sticky caller keeps its handles, and so the instance")
	got, err = call("add a=1 3", "get a=1", "live")
	require.NoError(t, err)
	require.Equal(t, "[10, 10, 1]", got)

	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "cells", ComponentRef: l.Image("types-utf16"), MaxInstances: 1, AllowUpdate: true}))
	l.Eventually("the old version is gone", func() bool {
		_, err = call("get a=1")
		return err != nil
	})
	require.ErrorContains(t, err, `link "default" to "cells", example:types/resources.[method]cell.get: refused: the component was stopped or updated while its caller had handles of its resources`)
	got, err = call("live", "new 9", "get a=1")
	require.NoError(t, err)
	require.Equal(t, "[0, 1, 9]", got)
	require.Equal(t, 1, running(t, n, "cells"))
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "hold", MaxInstances: 0, ComponentRef: l.Image("holder")}))
	require.Zero(t, running(t, n, "cells"), "who stops drops what it has")
}

// TestResourcesUnderLoad updates a component again and again while many callers have
// resources of it: each call finds all its handles on one version, and nothing is
// left when all have ended.
func TestResourcesUnderLoad(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	require.NoError(t, n.Start("cells", "types", 4))
	require.NoError(t, n.Start("hold", "holder", 8))
	require.NoError(t, l.Link("hold", "cells", cellsInterface))
	var callers sync.WaitGroup
	updated := make(chan struct{})
	for k := range 8 {
		callers.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-updated:
					return
				default:
				}
				first := 100*k + round
				steps := []string{fmt.Sprintf("new %d", first), "checked 5", "make 3", "absorb a=1 b=2", "total a=1 b=5", "merge a=2 b=3", "live"}
				if round%4 == 3 { // some end badly, with handles
					_, err := l.Call(t.Context(), nil, "hold", holding(append(steps, "trap")...))
					assert.ErrorContains(t, err, "unreachable")
					continue
				}
				got, err := l.Call(t.Context(), nil, "hold", holding(steps...))
				if !assert.NoError(t, err) {
					return
				}
				assert.Equal(t, fmt.Sprintf("[1, 2, 3, 4, 5, 0, %d, 3, 4]", first+5+2), got.WAVE)
			}
		})
	}
	for k := range 6 {
		image := l.Image([]string{"types-utf16", "types"}[k%2])
		require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "cells", ComponentRef: image, MaxInstances: 4, AllowUpdate: true}))
	}
	close(updated)
	callers.Wait()
	// Instances are given up once their callers were answered.
	l.Eventually("nothing is left", func() bool { return running(t, n, "cells") == 0 && running(t, n, "hold") == 0 })
}

// TestResourcesAtTheHostsEnd stops a host whose component keeps resources of another
// one from call to call: both end at once, in whatever order they are stopped.
func TestResourcesAtTheHostsEnd(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	require.NoError(t, n.Start("cells", "types", 1))
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "hold", ComponentRef: l.Image("holder"), MaxInstances: 1,
		Annotations: map[string]string{lattice.AnnotationReuse: "sticky"}}))
	require.NoError(t, l.Link("hold", "cells", cellsInterface))
	_, err := l.Call(t.Context(), nil, "hold", holding("make 10"))
	require.NoError(t, err)
	require.Equal(t, 1, running(t, n, "cells"))
	n.Stop() // which fails where something had to be cut off
}

// TestDestructorsAreBounded has a caller leave cells behind that never end: its answer
// comes all the same, and the instance is free again.
func TestDestructorsAreBounded(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	wasm, err := os.ReadFile("testdata/lasting.wasm")
	require.NoError(t, err)
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "cells", ComponentRef: l.File("lasting.wasm", wasm), MaxInstances: 1}))
	require.NoError(t, n.Start("hold", "holder", 1))
	require.NoError(t, l.Link("hold", "cells", cellsInterface))
	for range 2 {
		got, err := l.Call(t.Context(), nil, "hold", holding("new 3", "new 4", "new 5", "get a=2"))
		require.NoError(t, err)
		require.Equal(t, "[1, 2, 3, 4]", got.WAVE)
		require.Zero(t, running(t, n, "cells"))
	}
	errors := statsOf(t, n, "cells").Errors
	require.Equal(t, uint64(2), errors["deadline exceeded"]+errors["timeout"], "%v: the first destructor had all the time there was", errors)

	// A caller that drops one itself waits as long, and goes on.
	_, err = l.Call(t.Context(), nil, "hold", holding("new 3", "drop a=1", "live"))
	require.NoError(t, err, "the instance ended, and nobody has handles of it")
}
