package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lathhost/lath/providers/keyvalue"
)

var _ keyvalue.Watchable = (*Store)(nil)

// sets and deletes are the events of a key that tell of a value. A key whose time is
// over is told where the server tells it (x of notify-keyspace-events).
var (
	sets    = map[string]bool{"set": true, "setrange": true, "append": true, "incrby": true, "incrbyfloat": true, "rename_to": true}
	deletes = map[string]bool{"del": true, "expired": true, "evicted": true, "rename_from": true}
)

// Watch implements keyvalue.Watchable by keyspace notifications, of changes by all who
// use the database. A value is read after it was told that there is a new one, as in
// v1: of several that follow each other, the last one may be told more than once.
func (s *Store) Watch(ctx context.Context, bucket string, w keyvalue.Watch) error {
	if err := s.cfg.CheckNames(bucket, ""); err != nil {
		return err
	}
	if err := s.notifies(ctx); err != nil {
		return err
	}
	space := s.space(bucket)
	channels := fmt.Sprintf("__keyspace@%d__:", s.client.Options().DB)
	sub := s.client.PSubscribe(ctx, glob.Replace(channels+space)+"*")
	defer sub.Close()                                          //nolint:errcheck // nothing is lost with it
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })() // which ends a wait
	if _, err := sub.ReceiveTimeout(ctx, s.client.Options().ReadTimeout); err != nil {
		return failed(err)
	}
	w.Ready()
	for {
		got, err := receive(ctx, sub)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return failed(err)
		}
		name := strings.TrimPrefix(got.Channel, channels)
		if change, ok, err := s.changeOf(ctx, name, got.Payload); err != nil {
			w.Lost(1)
		} else if ok {
			change.Key = strings.TrimPrefix(name, space)
			w.Changed(change)
		}
	}
}

// silence is how long nothing may come until the server is asked whether it is there.
const silence = 10 * time.Second

// receive waits for the next event.
func receive(ctx context.Context, sub *goredis.PubSub) (*goredis.Message, error) {
	for asked := false; ; {
		got, err := sub.ReceiveTimeout(ctx, silence)
		if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() && !asked && ctx.Err() == nil {
			asked, err = true, sub.Ping(ctx)
		}
		if err != nil {
			return nil, err
		}
		if got == nil {
			continue
		}
		asked = false
		if m, ok := got.(*goredis.Message); ok {
			return m, nil
		}
	}
}

// changeOf is what an event of a key says; not ok: nothing of a value.
func (s *Store) changeOf(ctx context.Context, name, event string) (change keyvalue.Change, ok bool, err error) {
	if deletes[event] {
		return keyvalue.Change{Deleted: true}, true, nil
	}
	if !sets[event] {
		return change, false, nil
	}
	values, err := s.read(ctx, s.cfg.MaxBatchBytes, name)
	if err != nil {
		return change, false, err
	}
	text, ok := values[0].(string) // not ok: it is gone by now, which is told next
	return keyvalue.Change{Value: []byte(text)}, ok, nil
}

// notifies says why a server tells of no changes. Where it does not let us ask, it is
// believed to.
func (s *Store) notifies(ctx context.Context) error {
	got, err := s.client.ConfigGet(ctx, "notify-keyspace-events").Result()
	if _, refused := errors.AsType[goredis.Error](err); refused && !strings.HasPrefix(err.Error(), "NOAUTH") && !strings.HasPrefix(err.Error(), "WRONGPASS") {
		return nil
	}
	if err != nil {
		return failed(err)
	}
	flags := got["notify-keyspace-events"]
	has := func(class string) bool { return strings.Contains(flags, class) || strings.Contains(flags, "A") }
	if !strings.Contains(flags, "K") || !has("$") || !has("g") {
		return fmt.Errorf("redis: the server tells of no changes: its notify-keyspace-events is %q: run CONFIG SET notify-keyspace-events K$gx", flags)
	}
	return nil
}
