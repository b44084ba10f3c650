package nats

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/providers/blobstore"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

const (
	// maxListed bounds the objects of a container that can be listed, and
	// maxListedBytes their names: they have to be sorted.
	maxListed      = 1 << 20
	maxListedBytes = 64 << 20
	// pageRecords is how many records are asked for at once.
	pageRecords = 256
)

// ListContainerObjects implements contract.Store.
func (s *Store) ListContainerObjects(ctx context.Context, container string, limit, offset wit.Option[uint64]) (contract.Names, error) {
	var names []string
	size := 0
	err := s.in(ctx, container, longTimeout, func(ctx context.Context, b *bucket) error {
		return b.each(ctx, func(object string, _ *version) error {
			size += len(object)
			if len(names) == maxListed || size > maxListedBytes {
				return blobstore.Errorf("container %.100q is over the limit of %d objects with %d bytes in their names that can be listed", container, maxListed, maxListedBytes)
			}
			names = append(names, object)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return blobstore.Listing(names, limit, offset), nil
}

// ClearContainer implements contract.Store. What is written meanwhile stays.
func (s *Store) ClearContainer(ctx context.Context, container string) error {
	return s.in(ctx, container, longTimeout, func(ctx context.Context, b *bucket) error {
		var old []string
		last := uint64(0)
		err := b.each(ctx, func(_ string, v *version) error {
			if len(old) == maxListed {
				return blobstore.Errorf("container %.100q is over the limit of %d objects that are cleared at once: delete it", container, maxListed)
			}
			old, last = append(old, v.info.NUID), max(last, v.seq)
			return nil
		})
		if err != nil || len(old) == 0 {
			return err
		}
		if err := b.stream.Purge(ctx, jetstream.WithPurgeSubject(b.records()+">"), jetstream.WithPurgeSequence(last+1)); err != nil {
			return err
		}
		for _, nuid := range old {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			b.purge(ctx, nuid)
		}
		return nil
	})
}

// each goes through the objects that are there, in the order in which they were last
// written.
func (b *bucket) each(ctx context.Context, do func(object string, v *version) error) error {
	for after := uint64(0); ; {
		more, err := b.pages(ctx, &after, do)
		if err != nil || !more {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// pages goes through the records after a number, which it moves on. more: the server
// fell silent, and it is to be asked again for what it did not send.
func (b *bucket) pages(ctx context.Context, after *uint64, do func(string, *version) error) (more bool, err error) {
	c, err := b.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: *after + 1, FilterSubject: b.records() + ">",
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: timeout,
	})
	if err != nil {
		return false, err
	}
	defer b.stream.DeleteConsumer(context.WithoutCancel(ctx), c.CachedInfo().Name) //nolint:errcheck // it ends by itself, later
	for got := uint64(0); ; {
		page, err := c.FetchNoWait(pageRecords)
		if err != nil {
			return false, err
		}
		n := 0
		for m := range page.Messages() {
			meta, err := m.Metadata()
			if err != nil {
				return false, err
			}
			n++
			if got++; meta.Sequence.Consumer != got {
				return true, nil // it sent some that came too late
			}
			if err := b.record(m, meta, do); err != nil {
				return false, err
			}
			*after = meta.Sequence.Stream
		}
		if err := page.Error(); err != nil {
			return false, err
		}
		if n > 0 {
			continue
		}
		info, err := c.Info(ctx)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			return true, nil
		} else if err != nil {
			return false, err
		}
		return info.NumPending > 0 || info.Delivered.Consumer != got, nil
	}
}

// record gives the object of a record to do, if it is there.
func (b *bucket) record(m jetstream.Msg, meta *jetstream.MsgMetadata, do func(string, *version) error) error {
	object, ok := b.objectOf(m.Subject())
	v, err := parseVersion(m.Data())
	if !ok || err != nil {
		return nil //nolint:nilerr // another program's, which nobody can read by name
	}
	v.seq, v.at = meta.Sequence.Stream, meta.Timestamp
	if !v.there() {
		return nil
	}
	return do(object, v)
}
