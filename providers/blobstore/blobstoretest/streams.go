package blobstoretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/blobstore"
)

func givenUp(t *testing.T, s *subject) {
	s.create(box)
	s.write(box, "old", []byte("stays"))
	cause := errors.New("the disk is on fire")
	for _, name := range []string{"old", "new"} {
		for _, n := range []int{0, 10, 300 << 10} {
			err := s.WriteContainerData(s.ctx, at(box, name), &broken{bytes.NewReader(pattern(n, 1)), cause})
			require.ErrorIs(t, err, cause, "after %d bytes", n)
		}
	}
	require.Equal(t, []string{"old"}, s.all(box))
	s.holds(box, "old", []byte("stays"))
}

// ending is data whose context ends in the middle.
type ending struct {
	data io.Reader
	end  context.CancelFunc
}

func (e *ending) Read(p []byte) (int, error) {
	e.end()
	return e.data.Read(p)
}

func cancelled(t *testing.T, s *subject) {
	s.create(box)
	s.write(box, "o", []byte("1"))
	ctx, cancel := context.WithCancel(s.ctx)
	err := s.WriteContainerData(ctx, at(box, "o"), &ending{bytes.NewReader(pattern(1<<20, 1)), cancel})
	require.ErrorIs(t, err, context.Canceled)
	id := at(box, "o")
	calls := map[string]func() error{
		"create": func() error { return s.CreateContainer(ctx, "new") },
		"clear":  func() error { return s.ClearContainer(ctx, box) },
		"delete": func() error { return s.DeleteObject(ctx, id) },
		"remove": func() error { return s.DeleteContainer(ctx, box) },
		"write":  func() error { return s.WriteContainerData(ctx, id, strings.NewReader("2")) },
		"copy":   func() error { return s.CopyObject(ctx, id, at(box, "new")) },
		"move":   func() error { return s.MoveObject(ctx, id, at(box, "new")) },
		"has":    func() error { _, err := s.HasObject(ctx, id); return err },
		"info":   func() error { _, err := s.GetObjectInfo(ctx, id); return err },
		"list": func() error {
			_, err := s.ListContainerObjects(ctx, box, wit.None[uint64](), wit.None[uint64]())
			return err
		},
		"read": func() error { _, err := s.GetContainerData(ctx, id, 0, whole); return err },
	}
	for name, call := range calls {
		require.ErrorIs(t, call(), context.Canceled, name)
	}
	require.Equal(t, []string{"o"}, s.all(box))
	s.holds(box, "o", []byte("1"))

	// The end of the context ends a reader, also one that has begun.
	s.write(box, "large", pattern(1<<20, 2))
	ctx, cancel = context.WithCancel(s.ctx)
	r, err := s.GetContainerData(ctx, at(box, "large"), 0, whole)
	require.NoError(t, err)
	_, err = io.ReadFull(r, make([]byte, 10))
	require.NoError(t, err)
	cancel()
	_, err = io.Copy(io.Discard, r)
	require.Error(t, err)
	require.NoError(t, r.Close())
}

// overwrites: while an object is written again and again, each reader sees one
// version of it, whole.
func overwrites(t *testing.T, s *subject) {
	const size, writers, rounds = 150 << 10, 3, 4
	s.create(box)
	s.write(box, "o", bytes.Repeat([]byte{'z'}, size))
	errs := make(chan error, 2*writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			data := bytes.Repeat([]byte{byte('a' + w)}, size+w)
			for range rounds {
				if err := s.WriteContainerData(s.ctx, at(box, "o"), bytes.NewReader(data)); err != nil {
					errs <- fmt.Errorf("write: %w", err)
					return
				}
			}
		})
		wg.Go(func() {
			for range 2 * rounds {
				b, err := s.readRange(box, "o", 0, whole)
				if err == nil && (len(b) < size || bytes.Count(b, b[:1]) != len(b)) {
					err = fmt.Errorf("half an object of %d bytes", len(b))
				}
				if err != nil {
					errs <- fmt.Errorf("read: %w", err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, []string{"o"}, s.all(box))
}

// slowReader: a reader that has begun gets what it began with, or an error, but
// never something else.
func slowReader(t *testing.T, s *subject) {
	s.create(box)
	old := pattern(3<<20, 1)
	s.write(box, "o", old)
	r, err := s.GetContainerData(s.ctx, at(box, "o"), 0, whole)
	require.NoError(t, err)
	head := make([]byte, 100)
	_, err = io.ReadFull(r, head)
	require.NoError(t, err)
	s.write(box, "o", pattern(3<<20, 2))
	rest, err := io.ReadAll(r)
	if err == nil {
		require.True(t, bytes.Equal(old, append(head, rest...)), "bytes of two objects")
	}
	require.NoError(t, r.Close())
	s.holds(box, "o", pattern(3<<20, 2))
}

func closedEarly(t *testing.T, s *subject) {
	s.create(box)
	s.write(box, "o", pattern(2<<20, 1))
	for range 5 {
		r, err := s.GetContainerData(s.ctx, at(box, "o"), 0, whole)
		require.NoError(t, err)
		_, err = io.ReadFull(r, make([]byte, 1000))
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.NoError(t, r.Close(), "closing is idempotent")
	}
}

// waiting is data that says when it is read first, and goes on when it is told.
type waiting struct {
	data      io.Reader
	once      sync.Once
	begun, on chan struct{}
}

func (w *waiting) Read(p []byte) (int, error) {
	w.once.Do(func() {
		close(w.begun)
		<-w.on
	})
	return w.data.Read(p)
}

func deletedUnderWriter(t *testing.T, s *subject) {
	s.create(box, "other")
	data := &waiting{data: bytes.NewReader(pattern(100<<10, 1)), begun: make(chan struct{}), on: make(chan struct{})}
	written := make(chan error, 1)
	go func() { written <- s.WriteContainerData(s.ctx, at(box, "o"), data) }()
	<-data.begun
	require.NoError(t, s.DeleteContainer(s.ctx, box))
	close(data.on)
	var e blobstore.Error
	require.ErrorAs(t, <-written, &e, "the container has gone")
	is, err := s.ContainerExists(s.ctx, box)
	require.NoError(t, err)
	require.False(t, is)
}
