package blobstoretest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/blobstore"
)

func containers(t *testing.T, s *subject) {
	exists := func(name string, want bool) {
		t.Helper()
		is, err := s.ContainerExists(s.ctx, name)
		require.NoError(t, err)
		require.Equal(t, want, is)
	}
	exists(box, false)
	_, err := s.GetContainerInfo(s.ctx, box)
	requireError(t, err)
	s.create(box, "other")
	exists(box, true)
	info, err := s.GetContainerInfo(s.ctx, box)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), time.Unix(int64(info.CreatedAt), 0), patience)
	s.write(box, "o", []byte("x"))
	s.create(box) // stays as it is
	s.holds(box, "o", []byte("x"))
	s.write("other", "o", []byte("y"))
	require.NoError(t, s.ClearContainer(s.ctx, box))
	exists(box, true)
	require.Empty(t, s.all(box))
	s.write(box, "o", []byte("z"))
	require.NoError(t, s.DeleteContainer(s.ctx, box))
	require.NoError(t, s.DeleteContainer(s.ctx, box), "what is not there is no error")
	exists(box, false)
	s.create(box)
	require.Empty(t, s.all(box), "a new container has nothing of the old")
	s.holds("other", "o", []byte("y"))
}

func objects(t *testing.T, s *subject) {
	s.create(box)
	s.lacks(box, "o")
	require.NoError(t, s.DeleteObject(s.ctx, at(box, "o")), "what is not there is no error")
	s.write(box, "o", []byte("one"))
	s.holds(box, "o", []byte("one"))
	s.write(box, "o", []byte("2"))
	s.holds(box, "o", []byte("2"))
	for _, name := range []string{"a", "b", "c"} {
		s.write(box, name, []byte(name))
	}
	require.NoError(t, s.DeleteObject(s.ctx, at(box, "o")))
	s.lacks(box, "o")
	require.NoError(t, s.DeleteObjects(s.ctx, box, []string{"a", "nothing", "c"}))
	require.NoError(t, s.DeleteObjects(s.ctx, box, nil))
	require.Equal(t, []string{"b"}, s.all(box))
}

func contents(_ *testing.T, s *subject) {
	s.create(box)
	for i, n := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10, 1<<20 + 7} {
		name, data := fmt.Sprint("o", n), pattern(n, uint32(i))
		s.write(box, name, data)
		s.holds(box, name, data)
	}
}

// oddNames mean something to one backend or another: to a path, a subject, a
// pattern, a query or a terminal.
var oddNames = []string{
	"", " ", ".", "..", "../../x", "/etc/passwd", "a/b", "/", "//", "a//b", "a.b", ".a", "a.", "...", ".container", ".work", "*", ">", "a*",
	"k\x00k", "\x00", "\n", "%", "%2e", "%2E%2E", "'", `"`, "{a}", "$", "?x=y&z", "#", "a+b", "a b", "schlüssel", "schlu\u0308ssel", "鍵", "🗝",
	"\u202ek", "C:\\x", "\\..\\x", "~", "-rf", strings.Repeat("k", 200),
}

func hostileNames(t *testing.T, s *subject) {
	for i, name := range oddNames {
		s.create(name)
		s.write(name, "o", fmt.Append(nil, "in container ", i))
	}
	s.create(box)
	for i, name := range oddNames {
		s.write(box, name, fmt.Append(nil, "object ", i))
	}
	for i, name := range oddNames {
		s.holds(name, "o", fmt.Append(nil, "in container ", i))
		s.holds(box, name, fmt.Append(nil, "object ", i))
		require.Equal(t, []string{"o"}, s.all(name), "%q", name)
	}
	require.Equal(t, slices.Sorted(slices.Values(oddNames)), s.all(box))
	for _, name := range oddNames {
		require.NoError(t, s.DeleteObject(s.ctx, at(box, name)))
		s.lacks(box, name)
		require.NoError(t, s.DeleteContainer(s.ctx, name))
	}
	require.Empty(t, s.all(box))
}

func ranges(t *testing.T, s *subject) {
	s.create(box)
	data := pattern(200<<10, 1)
	s.write(box, "o", data)
	s.write(box, "empty", nil)
	n := uint64(len(data))
	for _, r := range []struct{ start, end, from, to uint64 }{
		{0, 0, 0, 1}, {0, whole, 0, n}, {0, n - 1, 0, n}, {0, n, 0, n}, {5, 5, 5, 6}, {5, 9, 5, 10}, {n - 1, n - 1, n - 1, n},
		{n - 1, whole, n - 1, n}, {n, n, n, n}, {n, whole, n, n}, {whole, whole, n, n}, {1 << 16, 1<<17 - 1, 1 << 16, 1 << 17}, {100, 1<<17 + 3, 100, 1<<17 + 4},
	} {
		got, err := s.readRange(box, "o", r.start, r.end)
		require.NoError(t, err, "%+v", r)
		require.Equal(t, data[r.from:r.to], got, "%+v", r)
	}
	_, err := s.readRange(box, "o", 6, 5)
	requireError(t, err)
	got, err := s.readRange(box, "empty", 0, 0)
	require.NoError(t, err)
	require.Empty(t, got)
}

func listings(t *testing.T, s *subject) {
	s.create(box, "other")
	s.write("other", "elsewhere", nil)
	var names []string
	for i := range 25 {
		names = append(names, fmt.Sprintf("name-%02d", i))
	}
	for _, i := range []int{3, 1, 4, 15, 9, 2, 6, 5, 0, 7, 8, 10, 12, 11, 14, 13, 24, 23, 22, 21, 20, 19, 18, 17, 16} {
		s.write(box, names[i], nil)
	}
	some := wit.Some[uint64]
	none := wit.None[uint64]()
	require.Equal(t, names, s.all(box))
	require.Equal(t, names[:10], s.list(box, some(10), none))
	require.Equal(t, names[10:20], s.list(box, some(10), some(10)))
	require.Equal(t, names[20:], s.list(box, some(10), some(20)))
	require.Equal(t, names[7:], s.list(box, none, some(7)))
	require.Empty(t, s.list(box, some(0), none))
	require.Empty(t, s.list(box, none, some(25)))
	require.Empty(t, s.list(box, some(whole), some(whole)))
	half, err := s.ListContainerObjects(s.ctx, box, none, none)
	require.NoError(t, err)
	_, err = half.Next(1)
	require.NoError(t, err)
	require.NoError(t, half.Close(), "a listing may be given up")
}

func transfers(t *testing.T, s *subject) {
	s.create(box, "other")
	one, two := pattern(100<<10, 1), pattern(70<<10, 2)
	s.write(box, "a", one)
	require.NoError(t, s.CopyObject(s.ctx, at(box, "a"), at("other", "b")))
	s.holds(box, "a", one)
	s.holds("other", "b", one)
	s.write(box, "a", two)
	s.holds("other", "b", one)
	require.NoError(t, s.MoveObject(s.ctx, at(box, "a"), at("other", "b")))
	s.lacks(box, "a")
	s.holds("other", "b", two)
	for name, transfer := range map[string]func() error{
		"copy": func() error { return s.CopyObject(s.ctx, at("other", "b"), at("other", "b")) },
		"move": func() error { return s.MoveObject(s.ctx, at("other", "b"), at("other", "b")) },
	} {
		require.NoError(t, transfer(), name)
		s.holds("other", "b", two)
	}
}

// missing: what needs a container or an object says that it is not there.
func missing(t *testing.T, s *subject) {
	s.create(box)
	s.write(box, "o", []byte("x"))
	nobody, nothing := at("nobody", "o"), at(box, "nothing")
	calls := map[string]func() error{
		"clear":          func() error { return s.ClearContainer(s.ctx, "nobody") },
		"info":           func() error { _, err := s.GetContainerInfo(s.ctx, "nobody"); return err },
		"delete object":  func() error { return s.DeleteObject(s.ctx, nobody) },
		"delete objects": func() error { return s.DeleteObjects(s.ctx, "nobody", []string{"o"}) },
		"has":            func() error { _, err := s.HasObject(s.ctx, nobody); return err },
		"write":          func() error { return s.WriteContainerData(s.ctx, nobody, strings.NewReader("x")) },
		"read":           func() error { _, err := s.readRange("nobody", "o", 0, whole); return err },
		"object info":    func() error { _, err := s.GetObjectInfo(s.ctx, nobody); return err },
		"list": func() error {
			_, err := s.ListContainerObjects(s.ctx, "nobody", wit.None[uint64](), wit.None[uint64]())
			return err
		},
		"read no object":         func() error { _, err := s.readRange(box, "nothing", 0, whole); return err },
		"info of no object":      func() error { _, err := s.GetObjectInfo(s.ctx, nothing); return err },
		"copy of no object":      func() error { return s.CopyObject(s.ctx, nothing, at(box, "new")) },
		"move of no object":      func() error { return s.MoveObject(s.ctx, nothing, at(box, "new")) },
		"copy to no container":   func() error { return s.CopyObject(s.ctx, at(box, "o"), nobody) },
		"move to no container":   func() error { return s.MoveObject(s.ctx, at(box, "o"), nobody) },
		"move from no container": func() error { return s.MoveObject(s.ctx, nobody, at(box, "new")) },
	}
	for name, call := range calls {
		var e blobstore.Error
		require.ErrorAs(t, call(), &e, name)
	}
	require.Equal(t, []string{"o"}, s.all(box))
	s.holds(box, "o", []byte("x"))
}
