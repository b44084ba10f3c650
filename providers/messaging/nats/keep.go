package nats

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/providers/messaging"
)

// A stream whose messages end with the last consumer that is to take them has none
// before the first link, or between two. So that what is published meanwhile is not
// lost, a consumer that nobody pulls from keeps the messages of each subject that no
// link subscribes to, until one does.

// DefaultForget is how long after its link a consumer is deleted.
const DefaultForget = 30 * time.Second

// description tells streams and consumers that are made here from others.
const (
	streamDescription   = "messages of a wasmCloud lattice"
	consumerDescription = "of a link of a wasmCloud lattice"
	keeperDescription   = "keeps messages of a wasmCloud lattice until a link takes them"
)

// openedKey is what a consumer's metadata has of who opened it last.
const openedKey = "lath_opened"

// opened is metadata that tells this opening of a consumer from others.
func opened() map[string]string { return map[string]string{openedKey: rand.Text()} }

// keeper is the name of the consumer that keeps a subject's messages.
func keeper(pattern string) string {
	sum := sha256.Sum256([]byte(pattern))
	return "unlinked-" + hex.EncodeToString(sum[:8])
}

// keep has each subject of a stream be kept that no consumer takes, but for one that is
// about to end, and no other. It leaves streams alone that were not made here.
func keep(ctx context.Context, js jetstream.JetStream, stream, ending string) error {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return failed("stream "+stream, err)
	}
	cfg := s.CachedInfo().Config
	if cfg.Retention != jetstream.InterestPolicy || cfg.Description != streamDescription {
		return nil
	}
	var taken, kept []string
	list := s.ListConsumers(ctx)
	for c := range list.Info() {
		filters := c.Config.FilterSubjects
		if c.Config.FilterSubject != "" {
			filters = append(filters, c.Config.FilterSubject)
		}
		switch {
		case c.Config.Description == keeperDescription:
			kept = append(kept, c.Name)
		case c.Name != ending && len(filters) == 0:
			taken = append(taken, ">")
		case c.Name != ending:
			taken = append(taken, filters...)
		}
	}
	if err := list.Err(); err != nil {
		return failed("consumers of stream "+stream, err)
	}
	var wanted []string
	for _, pattern := range cfg.Subjects {
		if !slices.ContainsFunc(taken, func(t string) bool { return messaging.Overlap(t, pattern) }) {
			wanted = append(wanted, keeper(pattern))
			_, err = js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{Durable: keeper(pattern), Description: keeperDescription,
				AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: pattern})
			if err != nil {
				return failed("keep "+pattern+" of stream "+stream, err)
			}
		}
	}
	for _, name := range kept {
		if slices.Contains(wanted, name) {
			continue
		}
		if err := js.DeleteConsumer(ctx, stream, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return failed("consumer "+name+" of stream "+stream, err)
		}
	}
	return nil
}

// follows counts who follows a consumer here, and returns how many do now.
func (b *Durable) follows(c jetstream.Consumer, more int) int {
	info := c.CachedInfo()
	at := info.Stream + "/" + info.Name
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.open[at] + more
	if b.open[at] = n; n == 0 {
		delete(b.open, at)
	}
	return n
}

// Gone implements follow.Goer.
func (f *durableLink) Gone() { f.gone.Store(true) }

// forget deletes the consumer of a link that is gone, if nobody has opened it again by
// then: another host may not have heard yet that the link is gone, or that there is
// one again. Where the provider ends before, the consumer ends by itself, later.
func (f *durableLink) forget() {
	b := f.broker
	ctx, cancel := context.WithCancel(b.base)
	defer cancel()
	name, stream := f.consumer.CachedInfo().Name, f.consumer.CachedInfo().Stream
	before, err := f.consumer.Info(ctx)
	if err != nil || !strings.HasPrefix(before.Config.Description, consumerDescription) {
		return
	}
	select {
	case <-ctx.Done():
		return
	case <-time.After(b.forgetAfter):
	}
	ctx, cancel = context.WithTimeout(ctx, connectWait)
	defer cancel()
	now, err := f.consumer.Info(ctx)
	if err != nil || now.Config.Metadata[openedKey] != before.Config.Metadata[openedKey] || b.follows(f.consumer, 0) > 0 {
		return
	}
	if err = keep(ctx, f.js, stream, name); err == nil {
		err = f.js.DeleteConsumer(ctx, stream, name)
	}
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		f.losses.Note(name, "the consumer of a link that is gone stays until it is idle for long", 0, err)
	}
}
