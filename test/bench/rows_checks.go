package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/test/bench/guests"
)

// checksGroup is what it costs that guests can be stopped at any time.
const checksGroup = "interrupt checks, beside the same module without"

// guestsEnv names the folder in which make test-guests builds components.
const guestsEnv = "GUESTS_DIR"

// The components there.
const (
	jsGuest   = "js-relay.wasm"
	jsService = "js-http.wasm"
)

// checkRows compare modules as they are run to what they would be without
// checks, on the same engine.
func (b *bed) checkRows(ctx context.Context) ([]*row, error) {
	var all []*row
	add := func(name string, w *job, l *limit) {
		floor := w.row(b, name+", unchecked", core.Plan{NoChecks: true})
		checked := w.row(b, name, core.Plan{})
		checked.floor, checked.limit = floor, l
		all = append(all, floor, checked)
	}
	empty, err := callee(false)
	if err != nil {
		return nil, err
	}
	add("an empty loop", &job{wasm: empty, begin: loop}, &limit{ratio: 2.5})
	for _, g := range []struct {
		name string
		make func(context.Context) (*job, error)
	}{{"a busy Go guest", busyGo}, {"a busy JavaScript guest", busyJS}} {
		w, err := g.make(ctx)
		if skip := (skipped)(""); errors.As(err, &skip) {
			b.skip(g.name + ": " + string(skip))
			continue
		}
		if err != nil {
			return nil, err
		}
		add(g.name, w, &limit{ratio: 1.1})
	}
	return all, nil
}

// skipped says why something cannot be measured here.
type skipped string

// Error implements error.
func (s skipped) Error() string { return string(s) }

// skip has the report tell what was not measured.
func (b *bed) skip(what string) { b.skips = append(b.skips, what) }

// job is a core module and what it is to do.
type job struct {
	wasm []byte
	// imports carry out imported functions, by their names; others do nothing.
	imports map[string]func(i *instance, stack []uint64)
	// begin readies an instance and returns what it does n times.
	begin func(i *instance) (func(ctx context.Context, n int) error, error)
}

// row is what the workload takes, rewritten as told. It is compiled when it is
// measured.
func (w *job) row(b *bed, name string, plan core.Plan) *row {
	r := &row{group: checksGroup, name: name}
	r.prepare = func(ctx context.Context) (err error) {
		r.run, err = w.make(ctx, b, plan)
		return err
	}
	return r
}

// make makes an instance of the module, rewritten as told, and readies it.
func (w *job) make(ctx context.Context, b *bed, plan core.Plan) (func(context.Context, int) error, error) {
	parsed, err := core.Parse(w.wasm, core.Limits{})
	if err != nil {
		return nil, err
	}
	i := &instance{}
	var funcs []engine.HostFunc
	for k, imp := range parsed.Imports {
		plan.Imports = append(plan.Imports, core.Name{Module: "host", Field: strconv.Itoa(k)})
		t, call := parsed.FuncType(uint32(k)), w.imports[imp.Field]
		if call == nil {
			call = func(*instance, []uint64) {}
		}
		funcs = append(funcs, engine.HostFunc{Params: coreTypes(t.Params), Results: coreTypes(t.Results),
			Call: func(_ context.Context, stack []uint64) { call(i, stack) }})
	}
	m, err := b.module(ctx, w.wasm, plan)
	if err != nil {
		return nil, err
	}
	host, err := m.engine.NewHostModule(ctx, funcs)
	if err != nil {
		return nil, err
	}
	b.later(func() error { return host.Close(context.Background()) })
	m.hosts["host"] = host
	made, err := b.keep(ctx, m)
	if err != nil {
		return nil, err
	}
	*i = *made
	return w.begin(i)
}

func loop(i *instance) (func(context.Context, int) error, error) {
	f, stack := i.Func("spin"), make([]uint64, 1)
	return func(ctx context.Context, n int) error {
		stack[0] = uint64(n)
		if err := f.Call(engine.NewContext(ctx), stack); err != nil || stack[0] != uint64(n) {
			return fmt.Errorf("%w: %d, %w", errWrong, stack[0], err)
		}
		return nil
	}, nil
}

// busyGo builds the Go guest of testdata/busy.
func busyGo(ctx context.Context) (_ *job, err error) {
	dir, err := os.MkdirTemp("", "lath-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	source, err := sourceDir(ctx)
	if err != nil {
		return nil, err
	}
	out := filepath.Join(dir, "busy.wasm")
	if _, err := output(ctx, filepath.Join(source, "testdata", "busy"), []string{"GOOS=wasip1", "GOARCH=wasm"},
		"go", "build", "-buildmode=c-shared", "-o", out, "."); err != nil {
		return nil, err
	}
	wasm, err := os.ReadFile(out)
	return &job{wasm: wasm, imports: wasip1, begin: func(i *instance) (func(context.Context, int) error, error) {
		if err := i.Func("_initialize").Call(engine.NewContext(ctx), nil); err != nil {
			return nil, err
		}
		return sameAnswer(i.Func("work")), nil
	}}, err
}

// sameAnswer calls a function that does something n times and adds up what comes
// out, which is the same each time.
func sameAnswer(f *engine.Func) func(context.Context, int) error {
	var once uint32
	return func(ctx context.Context, n int) error {
		stack := []uint64{uint64(n)}
		if err := f.Call(engine.NewContext(ctx), stack); err != nil {
			return err
		}
		got := uint32(stack[0])
		if once == 0 {
			once = got / uint32(n)
		}
		if got == 0 || got != once*uint32(n) {
			return fmt.Errorf("%w: %d times %d is not %d", errWrong, n, once, got)
		}
		return nil
	}
}

// badFile is what WASI says of a file that is not open.
const badFile = 8

// wasip1 is what a Go guest needs to start that has no files, arguments or
// variables; its clock stands still.
var wasip1 = map[string]func(i *instance, stack []uint64){
	"args_sizes_get":    twoZeros,
	"environ_sizes_get": twoZeros,
	"clock_time_get": func(i *instance, stack []uint64) {
		binary.LittleEndian.PutUint64(i.mem.Bytes()[uint32(stack[2]):], 1_000_000_000)
		stack[0] = 0
	},
	"fd_prestat_get": func(_ *instance, stack []uint64) { stack[0] = badFile },
	"fd_fdstat_get":  func(_ *instance, stack []uint64) { stack[0] = badFile },
	"fd_write":       func(_ *instance, stack []uint64) { stack[0] = badFile },
	"random_get":     func(_ *instance, stack []uint64) { stack[0] = 0 },
	"args_get":       func(_ *instance, stack []uint64) { stack[0] = 0 },
	"environ_get":    func(_ *instance, stack []uint64) { stack[0] = 0 },
	"sched_yield":    func(_ *instance, stack []uint64) { stack[0] = 0 },
	"proc_exit":      func(_ *instance, stack []uint64) { panic(fmt.Errorf("the guest ended with %d", stack[0])) },
}

func twoZeros(i *instance, stack []uint64) {
	binary.LittleEndian.PutUint32(i.mem.Bytes()[uint32(stack[0]):], 0)
	binary.LittleEndian.PutUint32(i.mem.Bytes()[uint32(stack[1]):], 0)
	stack[0] = 0
}

// built returns a component that make test-guests has built.
func built(name string) ([]byte, error) {
	dir := os.Getenv(guestsEnv)
	if dir == "" {
		return nil, skipped(guestsEnv + " names no folder with " + name + " (make test-guests)")
	}
	wasm, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, skipped(err.Error())
	}
	return wasm, err
}

// jsNumbers is how many numbers JavaScript takes apart in one call.
const jsNumbers = 10_000

// busyJS is a JavaScript engine that makes values of a list of numbers, one by
// one, and a list of them again, for an import.
func busyJS(ctx context.Context) (*job, error) {
	component, err := built(jsGuest)
	if err != nil {
		return nil, err
	}
	wasm, err := guests.Core(component)
	sums := func(i *instance, stack []uint64) {
		mem, at, n := i.mem.Bytes(), uint32(stack[0]), uint32(stack[1])
		var sum uint64
		for k := range n {
			sum += binary.LittleEndian.Uint64(mem[at+8*k:])
		}
		stack[0] = sum
	}
	imports := maps.Clone(wasip1)
	imports["sum"] = sums
	return &job{wasm: wasm, imports: imports, begin: jsSum}, err
}

func jsSum(i *instance) (func(context.Context, int) error, error) {
	realloc, sum, free := i.Func("cabi_realloc"), i.Func("example:types/values#sum"), i.Func("cabi_post_example:types/values#sum")
	for name, f := range map[string]*engine.Func{"cabi_realloc": realloc, "sum": sum, "cabi_post": free} {
		if f == nil {
			return nil, fmt.Errorf("%s has no %s", jsGuest, name)
		}
	}
	return func(ctx context.Context, n int) error {
		cc := engine.NewContext(ctx)
		for range n {
			stack := make([]uint64, max(4, sum.Slots(), free.Slots()))
			stack[2], stack[3] = 8, 8*jsNumbers
			if err := realloc.Call(cc, stack); err != nil {
				return err
			}
			mem := i.mem.Bytes()
			for k := range uint32(jsNumbers) {
				binary.LittleEndian.PutUint64(mem[uint32(stack[0])+8*k:], uint64(k))
			}
			stack[1] = jsNumbers
			if err := sum.Call(cc, stack); err != nil {
				return err
			}
			if stack[0] != jsNumbers*(jsNumbers-1)/2 {
				return fmt.Errorf("%w: %d", errWrong, stack[0])
			}
			if err := free.Call(cc, stack); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// sourceDir is the folder of this program's source.
func sourceDir(ctx context.Context) (string, error) {
	dir, err := output(ctx, "", nil, "go", "list", "-f", "{{.Dir}}", "github.com/lathhost/lath/test/bench/guests")
	return strings.TrimSuffix(dir, string(filepath.Separator)+"guests"), err
}
