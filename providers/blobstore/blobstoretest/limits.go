package blobstoretest

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit/wrpc/blobstore"
)

// Limits are those of the backend that [RunLimits] is given. Each must be said.
type Limits struct {
	ObjectBytes, NameBytes     int
	Bytes, Objects, Containers Bound
}

// Bound is how much of something a backend holds in all.
type Bound int

// OfServer is a bound that is set where the objects are kept, and not by the backend,
// which is not the only one there. Its documentation says so. That the server's
// refusal is an error that changes nothing is for the backend's own tests.
const OfServer Bound = -1

// RunLimits tests that a backend's limits hold, that what is over one changes
// nothing, and that what is removed makes room. open is as in [Run].
func RunLimits(t *testing.T, l Limits, open func(testing.TB) blobstore.Store) {
	t.Helper()
	tests := map[string]func(*testing.T, *subject, Limits){"bytes of an object": objectBytes, "bytes of a name": nameBytes}
	bounded := func(b Bound, name string, test func(*testing.T, *subject, Limits)) {
		require.NotZero(t, b, "%s: say how many, or OfServer", name)
		if b != OfServer {
			tests[name] = test
		}
	}
	bounded(l.Bytes, "bytes in all", allBytes)
	bounded(l.Objects, "objects", manyObjects)
	bounded(l.Containers, "containers", manyContainers)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newSubject(t, open(t)), l)
		})
	}
}

func requireLimit(t *testing.T, err error) {
	t.Helper()
	requireError(t, err)
	require.ErrorContains(t, err, "limit")
}

// endless is data without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func objectBytes(t *testing.T, s *subject, l Limits) {
	s.create(box)
	s.write(box, "o", make([]byte, l.ObjectBytes))
	requireLimit(t, s.WriteContainerData(s.ctx, at(box, "o"), bytes.NewReader(make([]byte, l.ObjectBytes+1))))
	requireLimit(t, s.WriteContainerData(s.ctx, at(box, "new"), io.Reader(endless{})))
	require.Equal(t, []string{"o"}, s.all(box))
	s.holds(box, "o", make([]byte, l.ObjectBytes))
}

func nameBytes(t *testing.T, s *subject, l Limits) {
	s.create(box, strings.Repeat("c", l.NameBytes))
	long := strings.Repeat("n", l.NameBytes+1)
	requireLimit(t, s.CreateContainer(s.ctx, long))
	requireLimit(t, s.WriteContainerData(s.ctx, at(box, long), strings.NewReader("x")))
	s.write(box, long[1:], []byte("x"))
	requireLimit(t, s.CopyObject(s.ctx, at(box, long[1:]), at(box, long)))
	require.Equal(t, []string{long[1:]}, s.all(box))
}

func allBytes(t *testing.T, s *subject, l Limits) {
	s.create(box, "other")
	half := make([]byte, l.Bytes/2)
	s.write(box, "a", half)
	s.write("other", "b", half)
	requireLimit(t, s.WriteContainerData(s.ctx, at(box, "c"), bytes.NewReader(half)))
	requireLimit(t, s.CopyObject(s.ctx, at(box, "a"), at(box, "c")))
	s.lacks(box, "c")
	require.NoError(t, s.DeleteObject(s.ctx, at(box, "a")))
	s.write(box, "c", half)
	require.NoError(t, s.DeleteContainer(s.ctx, "other"))
	require.NoError(t, s.CopyObject(s.ctx, at(box, "c"), at(box, "d")))
	require.NoError(t, s.MoveObject(s.ctx, at(box, "c"), at(box, "d")))
	s.write(box, "e", half)
	require.NoError(t, s.ClearContainer(s.ctx, box))
	s.write(box, "f", half)
	s.write(box, "g", half)
}

func manyObjects(t *testing.T, s *subject, l Limits) {
	s.create(box)
	for i := range int(l.Objects) {
		s.write(box, fmt.Sprint(i), nil)
	}
	requireLimit(t, s.WriteContainerData(s.ctx, at(box, "more"), strings.NewReader("x")))
	requireLimit(t, s.CopyObject(s.ctx, at(box, "0"), at(box, "more")))
	s.write(box, "0", []byte("over another"))
	require.NoError(t, s.MoveObject(s.ctx, at(box, "0"), at(box, "1")))
	s.write(box, "more", []byte("x"))
	s.lacks(box, "0")
}

func manyContainers(t *testing.T, s *subject, l Limits) {
	for i := range int(l.Containers) {
		s.create(fmt.Sprint(i))
	}
	requireLimit(t, s.CreateContainer(s.ctx, "more"))
	s.create("0") // is there
	require.NoError(t, s.DeleteContainer(s.ctx, "0"))
	s.create("more")
}
