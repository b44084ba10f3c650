package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/providers/messaging"
)

// jetStream opens JetStream on a connection.
func jetStream(conn *nats.Conn, domain string) (jetstream.JetStream, error) {
	if domain != "" {
		return jetstream.NewWithDomain(conn, domain)
	}
	return jetstream.New(conn)
}

// maxTurns bounds how often a stream is changed by turns with others.
const maxTurns = 8

// stream finds the stream that takes some subjects, or makes own take them. Streams
// that it did not make are left as they are.
func (c *durableConfig) stream(ctx context.Context, js jetstream.JetStream, rules messaging.Rules, own string, subjects []string) (string, error) {
	if c.Stream == "" && len(subjects) > 0 {
		found, err := js.StreamNameBySubject(ctx, subjects[0])
		if err == nil && found != own {
			return found, covers(ctx, js, found, subjects)
		}
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return "", fmt.Errorf("look for a stream of %q: %w", subjects[0], lattice.Disconnected(err))
		}
	}
	if c.Stream != "" && c.Stream != own {
		err := covers(ctx, js, c.Stream, subjects)
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return c.Stream, err
		}
		own = c.Stream
	}
	for range maxTurns {
		err := c.ensure(ctx, js, rules, own, subjects)
		if err == nil {
			err = covers(ctx, js, own, subjects) // or another provider's change came after it
		}
		if !errors.Is(err, errTurn) {
			return own, err
		}
	}
	return "", fmt.Errorf("stream %s: too many change it at once; try again", own)
}

var errTurn = errors.New("the stream does not take the subject")

// covers says why a stream does not take some subjects.
func covers(ctx context.Context, js jetstream.JetStream, stream string, subjects []string) error {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", stream, lattice.Disconnected(err))
	}
	has := s.CachedInfo().Config.Subjects
	for _, want := range subjects {
		if !slices.ContainsFunc(has, func(p string) bool { return messaging.Cover(p, want) }) {
			return fmt.Errorf("stream %s has %q and not %q: %w", stream, has, want, errTurn)
		}
	}
	return nil
}

// ensure makes a stream, or has it take more subjects.
func (c *durableConfig) ensure(ctx context.Context, js jetstream.JetStream, rules messaging.Rules, stream string, subjects []string) error {
	s, err := js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := checkAll(rules, stream, messaging.JoinPatterns(nil, subjects...)); err != nil {
			return err
		}
		_, err = js.CreateStream(ctx, c.streamConfig(stream, messaging.JoinPatterns(nil, subjects...)))
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			err = nil // somebody was faster: covers will tell
		}
		return failed("make stream "+stream, err)
	}
	if err != nil {
		return failed("stream "+stream, err)
	}
	cfg := s.CachedInfo().Config
	joined := messaging.JoinPatterns(cfg.Subjects, subjects...)
	if slices.Equal(joined, cfg.Subjects) {
		return nil
	}
	if err := checkAll(rules, stream, joined); err != nil {
		return err
	}
	cfg.Subjects = joined
	_, err = js.UpdateStream(ctx, cfg)
	return failed("change stream "+stream, err)
}

// checkAll refuses to store what the lattice says itself: a stream answers whoever
// publishes into it.
func checkAll(rules messaging.Rules, stream string, patterns []string) error {
	for _, p := range patterns {
		if err := rules.CheckSubscribe(p); err != nil {
			return fmt.Errorf("stream %s: subscriptions overlap, so that all of %s would be in it: %w", stream, p, err)
		}
	}
	return nil
}

// failed names what went wrong.
func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("JetStream: %s: %w", what, lattice.Disconnected(err))
}
