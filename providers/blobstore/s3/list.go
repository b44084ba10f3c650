package s3

import (
	"context"
	"io"
	"iter"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"

	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// ListContainerObjects implements contract.Store. It holds a page of names, however
// many there are.
func (s *Store) ListContainerObjects(ctx context.Context, container string, limit, offset wit.Option[uint64]) (contract.Names, error) {
	if err := s.need(ctx, container); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	n := &names{ctx: ctx, cancel: cancel, id: contract.ObjectID{Container: container}, skip: offset.Value, limit: limit}
	n.next, n.stop = iter.Pull2(s.names(ctx, s.cfg.bucketOf(container)))
	return n, nil
}

// behindEscaped is a key that comes after all that begin with escape and that have an
// object.
const behindEscaped = escape + "g"

// names are the objects of a bucket in the order of their names: keys have that order,
// but for those that are escaped, which have it among themselves.
func (s *Store) names(ctx context.Context, bucket string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		odd, stop := iter.Pull2(list(s.objects(ctx, bucket, escape, "")))
		defer stop()
		name, err, more := odd()
		for key, failed := range s.plain(ctx, bucket) {
			for failed == nil && more && err == nil && name < key {
				if !yield(name, nil) {
					return
				}
				name, err, more = odd()
			}
			if failed == nil {
				failed = err
			}
			if !yield(key, failed) || failed != nil {
				return
			}
		}
		for more && yield(name, err) && err == nil {
			name, err, more = odd()
		}
	}
}

// plain are the objects whose names are their keys. Escaped keys are between them, and
// passed over.
func (s *Store) plain(ctx context.Context, bucket string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for after, more := "", true; more; after = behindEscaped {
			more = false
			for o := range s.objects(ctx, bucket, "", after) {
				if o.Err == nil && strings.HasPrefix(o.Key, escape) {
					if more = after == ""; more {
						break
					}
					continue // nobody's
				}
				if name, ok := objectOf(o.Key); (ok || o.Err != nil) && !yield(name, o.Err) || o.Err != nil {
					return
				}
			}
		}
	}
}

// list are the objects of keys.
func list(objects iter.Seq[minio.ObjectInfo]) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for o := range objects {
			if name, ok := objectOf(o.Key); (ok || o.Err != nil) && !yield(name, o.Err) {
				return
			}
		}
	}
}

// names is a listing.
type names struct {
	ctx    context.Context //nolint:containedctx // a listing is as short as its context
	cancel context.CancelFunc
	id     contract.ObjectID

	mu    sync.Mutex // Close may come at any time
	next  func() (string, error, bool)
	stop  func()
	skip  uint64
	limit wit.Option[uint64]
	err   error // sticky
}

// pageNames ends an answer early.
const pageNames = 1000

// Next implements contract.Names.
func (n *names) Next(most int) (list []string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.err == nil && len(list) < min(most, pageNames) {
		name, ok := n.one()
		if !ok {
			break
		}
		list = append(list, name)
	}
	if len(list) > 0 {
		return list, nil // an error is for the next one who asks
	}
	return nil, n.err
}

// one returns the next name; mu is held.
func (n *names) one() (string, bool) {
	for {
		if n.limit.OK && n.limit.Value == 0 {
			n.err = io.EOF
			return "", false
		}
		name, err, more := n.next()
		switch {
		case n.ctx.Err() != nil: // which ends a listing without a word
			n.err = context.Cause(n.ctx)
		case err != nil:
			n.err = failedAt(n.id, err)
		case !more:
			n.err = io.EOF
		case n.skip > 0:
			n.skip--
			continue
		default:
			n.limit.Value--
			return name, true
		}
		return "", false
	}
}

// Close implements contract.Names.
func (n *names) Close() error {
	n.cancel()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stop()
	return nil
}
