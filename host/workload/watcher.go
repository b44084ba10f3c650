package workload

import (
	"context"

	"go.uber.org/zap"

	bind "github.com/lathhost/lath/host/bind/wasi/keyvalue"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit/wasi/keyvalue"
	"github.com/lathhost/lath/wit/wire"
	wrpckeyvalue "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// watchFunc hands a change to a component, on an instance.
type watchFunc func(ctx context.Context, i *component.Instance, params []byte) error

// adaptWatcher has a component that exports wasi:keyvalue/watcher answer its twin of
// wrpc:keyvalue, which providers call. The bucket that a change is of is given to the
// component as one of the store that it imports.
func (w *Workload) adaptWatcher() {
	served := wrpckeyvalue.WatcherInterface
	if w.cfg.Bucket == nil || exports(w.world.Exports, served.Name) || !exports(w.world.Exports, keyvalue.WatcherInterface.Name) {
		return
	}
	found, err := bind.NewWatcherExports(w.cfg.Template)
	if err != nil {
		w.cfg.Log.Warn("not served: it is not what the standard has", zap.String("interface", keyvalue.WatcherInterface.Name), zap.Error(err))
		return
	}
	w.serveTwins(served, []*twin{
		{iface: served, fn: served.Funcs[0], by: found[0], watch: func(ctx context.Context, i *component.Instance, params []byte) error {
			r := wire.NewReader(params)
			bucket, key, value := r.String(), r.String(), r.Bytes()
			if err := whole(&r); err != nil {
				return err
			}
			return found.On(i).OnSet(ctx, w.bucket(ctx, bucket), key, value)
		}},
		{iface: served, fn: served.Funcs[1], by: found[1], watch: func(ctx context.Context, i *component.Instance, params []byte) error {
			r := wire.NewReader(params)
			bucket, key := r.String(), r.String()
			if err := whole(&r); err != nil {
				return err
			}
			return found.On(i).OnDelete(ctx, w.bucket(ctx, bucket), key)
		}},
	})
}

// bucket is that of the store that tells of a change.
func (w *Workload) bucket(ctx context.Context, name string) keyvalue.Bucket {
	meta, _ := wrpc.MetaFromContext(ctx)
	return w.cfg.Bucket(meta.SourceID, name)
}

// whole says whether the parameters of a call were all there, and nothing else.
func whole(r *wire.Reader) error {
	err := r.Err()
	if err == nil && len(r.Rest()) > 0 {
		err = wire.ErrMalformed
	}
	if err != nil {
		return &wrpc.Error{Code: wrpc.Protocol, Detail: "malformed parameters: " + err.Error(), Err: err}
	}
	return nil
}
