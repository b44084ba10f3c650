package state

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
)

// maxAttempts bounds how often a write is tried anew because someone else has
// changed the same spec; the pauses between grow to maxPause.
const (
	maxAttempts = 40
	maxPause    = 200 * time.Millisecond
)

// PutLink stores a link, replacing the one with the same key and target. When it
// returns nil the link is stored, and this store's reads show it. Errors:
//   - lattice.ErrInvalid: the link is malformed, names a config that does not
//     exist, or would make its spec too large.
//   - ErrLinkConflict: the interface is linked to another target by that name.
//   - lattice.ErrBusy: others changed the same spec all the time.
//   - lattice.ErrTimeout, lattice.ErrDisconnected: the link may or may not be
//     stored; to put it again does no harm.
func (s *Store) PutLink(ctx context.Context, link lattice.Link) error {
	if link.Name == "" {
		link.Name = lattice.DefaultLinkName
	}
	link = link.Clone()
	if err := link.Validate(); err != nil {
		return fmt.Errorf("put link: %w", err)
	}
	if err := s.checkConfigs(ctx, link); err != nil {
		return err
	}
	return s.change(ctx, link.SourceID, func(spec *Spec) (*Spec, error) {
		if spec == nil {
			spec = &Spec{}
		}
		return spec.put(link)
	})
}

// DeleteLink removes the links with a key and returns them. There is more than
// one only if the source links disjoint interfaces of the package to different
// targets under one name: v1's request cannot tell these apart, and v1's host
// then removes whichever comes first. It is no error if there are none; known is
// false if nothing at all is stored for the source. Other errors are PutLink's.
func (s *Store) DeleteLink(ctx context.Context, key lattice.LinkKey) (removed []lattice.Link, known bool, err error) {
	if key.Name == "" {
		key.Name = lattice.DefaultLinkName
	}
	if err := errors.Join(lattice.ValidID(key.SourceID), lattice.ValidLinkName(key.Name)); err != nil {
		return nil, false, fmt.Errorf("delete link: %w", err)
	}
	err = s.change(ctx, key.SourceID, func(spec *Spec) (*Spec, error) {
		removed, known = nil, spec != nil
		if spec == nil {
			return nil, nil
		}
		var next *Spec
		if next, removed = spec.remove(key); len(removed) == 0 {
			return spec, nil
		}
		return next, nil
	})
	if err != nil {
		return nil, known, err
	}
	return cloneLinks(removed), known, nil
}

// EnsureSpec stores a spec with the image reference for an id that has none. A
// spec that is there keeps its reference, as in v1.
func (s *Store) EnsureSpec(ctx context.Context, id, url string) error {
	if err := lattice.ValidID(id); err != nil {
		return fmt.Errorf("ensure spec: %w", err)
	}
	return s.change(ctx, id, func(spec *Spec) (*Spec, error) {
		if spec == nil {
			spec = &Spec{URL: url}
		}
		return spec, nil
	})
}

// change applies a pure function to the stored spec of an id (nil if there is
// none) until no one else has changed it in between. To return the spec that was
// given means that there is nothing to write.
func (s *Store) change(ctx context.Context, id string, f func(*Spec) (*Spec, error)) error {
	for attempt := range maxAttempts {
		spec, rev, err := s.load(ctx, id)
		if err != nil {
			return fmt.Errorf("read spec of %s: %w", id, err)
		}
		next, err := f(spec)
		if err != nil {
			return err
		}
		if next == spec {
			if spec != nil {
				s.specs.apply(id, spec, rev)
			}
			return nil
		}
		written, err := s.save(ctx, id, next, rev)
		if errors.Is(err, lattice.ErrFull) && spec != nil && len(next.Links) < len(spec.Links) && s.makeRoom(ctx) {
			written, err = s.save(ctx, id, next, rev)
		}
		if err == nil {
			s.specs.apply(id, next, written)
			return nil
		}
		if !isConflict(err) {
			return fmt.Errorf("write spec of %s: %w", id, err)
		}
		if err := pause(ctx, attempt); err != nil {
			return fmt.Errorf("write spec of %s: %w", id, err)
		}
	}
	return fmt.Errorf("write spec of %s: %w: it was changed by others %d times in a row", id, lattice.ErrBusy, maxAttempts)
}

// load reads a spec from the bucket; it is nil, at revision 0, if there is none.
func (s *Store) load(ctx context.Context, id string) (*Spec, uint64, error) {
	ctx, cancel := s.request(ctx)
	defer cancel()
	bucket, key := lattice.LatticeBucket(s.lattice), lattice.SpecKey(id)
	is, err := s.last(ctx, bucket, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, s.explain(ctx, err)
	}
	spec, err := decodeSpec(id, is.value, s.opts.MaxSpecSize)
	if err != nil {
		return nil, 0, fmt.Errorf("key %s in bucket %s (repair or delete it there): %w", key, bucket, err)
	}
	return spec, is.rev, nil
}

// save writes a spec on condition that the bucket's revision is rev, and returns
// the new one.
func (s *Store) save(ctx context.Context, id string, spec *Spec, rev uint64) (uint64, error) {
	data, err := spec.encode()
	if err != nil {
		return 0, err
	}
	if limit := s.maxValue(); len(data) > limit {
		return 0, fmt.Errorf("%w: its %d links would have %d bytes, the limit is %d, for v1 stores all links of a source as one value, which NATS must carry (max_payload); delete some first, or link from another id",
			lattice.ErrInvalid, len(spec.Links), len(data), limit)
	}
	ctx, cancel := s.request(ctx)
	defer cancel()
	var written uint64
	if rev == 0 {
		written, err = s.specBucket.Create(ctx, lattice.SpecKey(id), data)
	} else {
		written, err = s.specBucket.Update(ctx, lattice.SpecKey(id), data, rev)
	}
	return written, s.explain(ctx, err)
}

// isConflict says whether a write failed because the key has another revision.
func isConflict(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) || errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
			api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

func pause(ctx context.Context, attempt int) error {
	limit := maxPause
	if attempt < 6 {
		limit = min(limit, 4*time.Millisecond<<attempt)
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(rand.N(limit)):
		return nil
	}
}

// checkConfigs reports, in v1's words, the configs that a link names and that do
// not exist.
func (s *Store) checkConfigs(ctx context.Context, link lattice.Link) error {
	var missing strings.Builder
	for _, names := range [][]string{link.SourceConfig, link.TargetConfig} {
		for _, name := range names {
			_, err := s.LoadConfig(ctx, name)
			switch {
			case err == nil:
			case !errors.Is(err, lattice.ErrNotFound) && !errors.Is(err, lattice.ErrInvalid):
				return fmt.Errorf("put link: %w", err)
			case IsSecret(name):
				fmt.Fprintf(&missing, "Secret reference %s not found in config store. ", name)
			default:
				fmt.Fprintf(&missing, "Configuration %s not found in config store. ", name)
			}
		}
	}
	if missing.Len() == 0 {
		return nil
	}
	return &v1Error{text: "Failed to validate configuration and secrets. " + missing.String(), kind: lattice.ErrInvalid}
}
