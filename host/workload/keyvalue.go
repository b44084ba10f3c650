package workload

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasi/keyvalue"
	"github.com/lathhost/lath/wit/wire"
	wrpckeyvalue "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// A component that exports wasi:keyvalue is a key-value provider like any other: it
// answers the calls of wrpc:keyvalue, the twin without resources that crosses links.
// Each call opens the bucket that it names, calls the component's function with it,
// and drops it, on one instance.

// keyvalueTwins are the interfaces that have twins, with what the twins' functions
// are called in them.
var keyvalueTwins = []struct {
	export, served *wit.Interface
	prefix         string
}{
	{keyvalue.StoreInterface, wrpckeyvalue.StoreInterface, "[method]bucket."},
	{keyvalue.AtomicsInterface, wrpckeyvalue.AtomicsInterface, ""},
	{keyvalue.BatchInterface, wrpckeyvalue.BatchInterface, ""},
}

// callee is a function that callers find, and the export that answers it: by itself,
// or as the twin's.
type callee struct {
	*component.Export
	twin *twin // nil: by itself
}

// twin is a function of wrpc:keyvalue.
type twin struct {
	iface  *wit.Interface
	fn     *wit.Func
	by     *component.Export // the function of wasi:keyvalue
	open   *component.Export // nil: the bucket is the host's
	bucket *wit.Resource
	watch  watchFunc // nil: it is none of the watcher's
}

// twinKey names a function of a twin, in any compatible version.
type twinKey struct{ track, fn string }

// adaptKeyvalue finds what the component exports of wasi:keyvalue. An interface whose
// functions are not all there as they should be is left out.
func (w *Workload) adaptKeyvalue() {
	w.world = w.cfg.Component.World()
	w.twins = map[twinKey]*twin{}
	w.adaptStore()
	w.adaptWatcher()
}

// adaptStore finds what stores export.
func (w *Workload) adaptStore() {
	t := w.cfg.Template
	open := t.Export(keyvalue.StoreInterface.Name, "open")
	if open == nil || open.Type.Result == nil || open.Type.Result.Kind != wit.KindResult {
		return
	}
	bucket := open.Type.Result.Cases[0].Type
	if bucket == nil || bucket.Kind != wit.KindOwn {
		return
	}
	for _, x := range keyvalueTwins {
		if exports(w.world.Exports, x.served.Name) || !exports(w.world.Exports, x.export.Name) {
			continue // it has its own, or has none
		}
		list := make([]*twin, 0, len(x.served.Funcs))
		for _, fn := range x.served.Funcs {
			by := t.Export(x.export.Name, x.prefix+fn.Name)
			if by == nil || !twinOf(fn, by.Type, open.Type, bucket.Resource) {
				w.cfg.Log.Warn("not served: it is not what the standard has", zap.String("interface", x.export.Name), zap.String("function", fn.Name))
				list = nil
				break
			}
			list = append(list, &twin{iface: x.served, fn: fn, by: by, open: open, bucket: bucket.Resource})
		}
		w.serveTwins(x.served, list)
	}
}

// serveTwins has the functions of an interface be found, if there are any.
func (w *Workload) serveTwins(served *wit.Interface, list []*twin) {
	if len(list) == 0 {
		return
	}
	for _, f := range list {
		w.twins[twinKey{wit.Track(served.Name), f.fn.Name}] = f
	}
	world := *w.world
	world.Exports = append(slices.Clone(world.Exports), wit.Extern{Name: served.Name, Interface: served})
	slices.SortFunc(world.Exports, func(a, b wit.Extern) int { return strings.Compare(a.Name, b.Name) })
	w.world = &world
}

// exports says whether an interface is in a list, in any compatible version.
func exports(list []wit.Extern, name string) bool {
	return slices.ContainsFunc(list, func(x wit.Extern) bool { return wit.Track(x.Name) == wit.Track(name) })
}

// twinOf says whether a function can be carried out by one that takes a bucket where
// it takes the bucket's name: all else of them must be the same.
func twinOf(fn, by, open *wit.Func, bucket *wit.Resource) bool {
	if by.Async || open.Async || len(by.Params) != len(fn.Params) || !wit.Equal(by.Result, fn.Result) ||
		len(open.Params) != 1 || !wit.Equal(open.Params[0].Type, wit.String) ||
		!wit.Equal(open.Result.Cases[1].Type, fn.Result.Cases[1].Type) {
		return false
	}
	if self := by.Params[0].Type; self.Kind != wit.KindBorrow || self.Resource != bucket {
		return false
	}
	for k, p := range by.Params[1:] {
		if !wit.Equal(p.Type, fn.Params[k+1].Type) {
			return false
		}
	}
	return true
}

// adapted says whether an exported interface is served as its twin.
func (w *Workload) adapted(iface string) bool {
	for _, f := range w.twins {
		if f.by.Interface == iface || f.open != nil && f.open.Interface == iface {
			return true
		}
	}
	return false
}

// call calls the function on an instance.
func (c callee) call(ctx context.Context, i *component.Instance, params []byte) ([]byte, error) {
	if c.twin == nil {
		return i.Call(ctx, c.Export, params, nil)
	}
	return c.twin.call(ctx, i, params)
}

// call carries out a function of the twin. The encodings of what follows the bucket,
// and of all results, are the same on both sides.
func (f *twin) call(ctx context.Context, i *component.Instance, params []byte) ([]byte, error) {
	if f.watch != nil {
		return nil, f.watch(ctx, i, params)
	}
	r := wire.NewReader(params)
	r.StringBytes()
	if err := r.Err(); err != nil {
		return nil, &wrpc.Error{Code: wrpc.Protocol, Detail: "malformed parameters: " + err.Error(), Err: err}
	}
	opened, err := i.Call(ctx, f.open, params[:r.Offset()], nil)
	if err != nil {
		return nil, err
	}
	result := wire.NewReader(opened)
	if result.Result() {
		return opened, nil // its error is the function's
	}
	bucket := result.Rest()
	out, err := i.Call(ctx, f.by, slices.Concat(bucket, r.Rest()), nil)
	if err != nil {
		return nil, err
	}
	return out, i.Drop(ctx, f.bucket, bucket)
}

// forward answers a component of this host that imports the twin itself.
func (w *Workload) forward(ctx context.Context, call *component.ImportCall, f *twin, most time.Duration) error {
	params, err := call.AppendParams(nil)
	if err != nil {
		return err
	}
	out, err := w.Invoke(ctx, f.iface.Name, f.fn.Name, params, most)
	if err != nil {
		return err
	}
	return call.SetResults(out)
}
