package nats

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/providers/keyvalue"
)

var _ keyvalue.Watchable = (*Store)(nil)

// Watch implements keyvalue.Watchable: it tells of changes by all who use the bucket,
// and of keys whose time is over. Where many changes of a key come faster than they
// are told, those that NATS does not keep by then are not told.
func (s *Store) Watch(ctx context.Context, bucket string, w keyvalue.Watch) error {
	kv, err := s.bucket(ctx, bucket, true)
	if err != nil {
		return err
	}
	updates, err := kv.WatchAll(ctx, jetstream.UpdatesOnly())
	if err != nil {
		return failed(err)
	}
	defer end(updates)
	w.Ready()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-updates.Updates():
			switch {
			case !ok && ctx.Err() == nil:
				return errors.New("NATS key-value: the watch has ended")
			case !ok:
				return nil
			case e != nil: // nil: what was there before has been told
				w.Changed(keyvalue.Change{Key: keyFrom(e.Key()), Deleted: e.Operation() != jetstream.KeyValuePut, Value: e.Value()})
			}
		}
	}
}

// end ends a watch. What the client has still to hand over is taken from it, since it
// waits for that otherwise, for good.
func end(w jetstream.KeyWatcher) {
	_ = w.Stop() // it ends by itself, later
	late := time.NewTimer(endTime)
	defer late.Stop()
	for {
		select {
		case _, ok := <-w.Updates():
			if !ok {
				return
			}
		case <-late.C: // the connection was closed before the client could say that
			return
		}
	}
}

// endTime bounds how long the client may take to end a watch.
const endTime = 5 * time.Second
