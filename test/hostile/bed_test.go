package hostile_test

import (
	"context"
	"encoding/binary"
	"io"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/test/hostile/guests"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wave"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what should end by itself; who runs into it fails.
const patience = time.Minute

// bed is a runtime with a neighbour on it, and the host that guests meet.
type bed struct {
	rt        *component.Runtime
	neighbour *component.Template
	host      []component.HostInterface
	alive     atomic.Int64 // host objects
	lines     atomic.Int64 // of output
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{}
	var err error
	b.rt, err = component.New(t.Context(), component.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.rt.Close(context.Background())) })
	wasm, err := examples.Component("types")
	require.NoError(t, err)
	c, err := b.rt.Compile(wasm)
	require.NoError(t, err)
	b.neighbour, err = c.Link(t.Context(), component.LinkConfig{Name: "neighbour"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.neighbour.Close(context.Background())) })
	silence, end := io.Pipe()
	t.Cleanup(func() { require.NoError(t, end.Close()) })
	env := map[string]string{}
	for i := range 1000 {
		env["VARIABLE_"+strconv.Itoa(i)] = "of the host's"
	}
	b.host = append(wasi.Interfaces(wasi.Config{Env: env, Stdin: silence, Line: func(string, string) { b.lines.Add(1) }}), b.things())
	return b
}

// things is the interface of the guests that deal in host objects.
func (b *bed) things() component.HostInterface {
	res := &wit.Resource{Name: "thing"}
	own, borrow := wit.NewOwn(res), wit.NewBorrow(res)
	ab := func(t *wit.Type) []wit.Param { return []wit.Param{{Name: "a", Type: t}, {Name: "b", Type: t}} }
	return component.HostInterface{Name: "hostile:test/host", Resources: []*wit.Resource{res}, Funcs: []component.HostFunc{
		{Type: &wit.Func{Name: "make", Result: own}, Call: func(inv *component.Invocation, stack []uint64) {
			b.alive.Add(1)
			stack[0] = uint64(inv.LowerOwn(res, &thing{of: b}))
		}},
		{Type: &wit.Func{Name: "use", Params: ab(borrow)}, Call: func(inv *component.Invocation, stack []uint64) {
			inv.LiftBorrow(res, uint32(stack[0]))
			inv.LiftBorrow(res, uint32(stack[1]))
		}},
		{Type: &wit.Func{Name: "give", Params: ab(own)}, Call: func(inv *component.Invocation, stack []uint64) {
			for _, s := range stack[:2] {
				inv.LiftOwn(res, uint32(s)).Drop()
			}
		}},
		{Type: &wit.Func{Name: "block"}, Call: func(inv *component.Invocation, _ []uint64) {
			<-inv.Context().Done()
			inv.Trap(inv.Context().Err())
		}},
	}}
}

type thing struct {
	of *bed
	// Objects that are left show in the heap.
	_ [1 << 10]byte
}

// Drop implements component.Resource.
func (x *thing) Drop() { x.of.alive.Add(-1) }

// compile compiles a guest.
func (b *bed) compile(t *testing.T, guest string) *component.Component {
	t.Helper()
	wasm, err := guests.Component(guest)
	require.NoError(t, err)
	c, err := b.rt.Compile(wasm)
	require.NoError(t, err)
	return c
}

// config is how guests are linked. What realloc.wat imports has no answer.
func (b *bed) config(name string, limits component.Limits) component.LinkConfig {
	return component.LinkConfig{Name: name, Host: b.host, Limits: limits, Import: func(string, *wit.Func) (component.Callee, error) {
		return nobody{}, nil
	}}
}

type nobody struct{}

// Call implements component.Callee.
func (nobody) Call(*component.ImportCall) error { return io.EOF }

// run makes an instance and calls it, by WAVE expressions one after the other,
// up to the first error.
func run(ctx context.Context, tm *component.Template, calls []string) (got string, err error) {
	i, err := tm.Take(ctx)
	if err != nil {
		return "", err
	}
	defer func() {
		if end := i.Close(); end != nil {
			err = end
		}
	}()
	for _, expr := range calls {
		if got, err = callOn(ctx, i, tm, expr); err != nil {
			return got, err
		}
	}
	return got, nil
}

func callOn(ctx context.Context, i *component.Instance, tm *component.Template, expr string) (string, error) {
	c, err := wave.ParseCall(expr)
	if err != nil {
		return "", err
	}
	e := tm.Export(c.Instance, c.Func)
	if e == nil {
		return "", io.ErrUnexpectedEOF
	}
	args, err := wave.ParseArgs(e.Type.Params, c)
	if err != nil {
		return "", err
	}
	v, err := i.CallValues(ctx, e, args...)
	if err != nil || v == nil {
		return "", err
	}
	return wave.Format(e.Type.Result, *v), nil
}

// askNeighbour calls the neighbour n times, on pristine instances.
func (b *bed) askNeighbour(t *testing.T, n int) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e := b.neighbour.Export("example:types/values", "echo-u32")
	for k := range n {
		want := binary.AppendUvarint(nil, uint64(1_000_000+k))
		got, err := b.neighbour.Call(ctx, e, want, nil)
		if !assert.NoError(t, err, "the neighbour suffers") {
			return
		}
		assert.Equal(t, want, got)
	}
}

// requireTrap says that err is a trap of that component, with that code.
func requireTrap(t *testing.T, err error, name string, code trap.Code) {
	t.Helper()
	require.Error(t, err)
	tr := trap.As(err)
	require.NotNil(t, tr, "%v", err)
	require.Equal(t, code, tr.Code, "%v", err)
	require.Equal(t, name, tr.Component, "%v", err)
}
