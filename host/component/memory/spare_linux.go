package memory

import "sync"

// maxSpares bounds the mappings that an image keeps.
const maxSpares = 32

// spares are mappings of an image that no memory uses. Each is as good as new:
// its private pages were given back. To use one again takes no system call, where
// a mapping takes two and one more in the end; and those change the address space,
// for which the kernel stops every thread that touches a new page meanwhile.
//
// There are never more spares than memories in use, but for one.
type spares struct {
	mu     sync.Mutex
	list   [][]byte
	live   int // mappings in use
	closed bool
	root   *Budget // which knows the image while it has spares
}

// reuse takes a mapping of max bytes for a memory, or returns nil: then the
// caller makes one, or calls forgo.
func (i *Image) reuse(max uint64) []byte {
	s := &i.file.spares
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live++
	n := len(s.list) - 1
	if n < 0 || uint64(len(s.list[n])) != max {
		return nil
	}
	base := s.list[n]
	s.list[n] = nil
	s.list = s.list[:n]
	return base
}

// forgo takes back a reuse of which nothing came.
func (i *Image) forgo() {
	s := &i.file.spares
	s.mu.Lock()
	s.live--
	s.mu.Unlock()
}

// retire gives a mapping up, of which at most used bytes were ever in use: to
// the image's spares, or to the system.
func (m *mapping) retire(image *Image, used uint64, budget *Budget) error {
	if image == nil || len(m.base) == 0 {
		return m.release()
	}
	s := &image.file.spares
	keep, surplus := s.retired()
	if keep && (used == 0 || m.discard(0, used)) && s.keep(m.base, image, budget) {
		m.base = nil
		return nil
	}
	return firstError(m.release(), unmap(surplus))
}

// retired counts a mapping out. It says whether to keep it, or else returns a
// spare that there is no use for any more.
func (s *spares) retired() (keep bool, surplus []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live--
	n := min(max(s.live, 1), maxSpares)
	if last := len(s.list) - 1; last >= n {
		surplus = s.list[last]
		s.list[last] = nil
		s.list = s.list[:last]
	}
	return !s.closed && len(s.list) < n, surplus
}

func (s *spares) keep(base []byte, image *Image, budget *Budget) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.list) >= maxSpares {
		return false
	}
	s.list = append(s.list, base)
	if s.root == nil {
		s.root = budget.root()
		s.root.join(image)
	}
	return true
}

// dropSpares unmaps the spares and reports whether there were any. In the end
// none are kept from then on.
func (i *Image) dropSpares(end bool) (dropped bool, err error) {
	s := &i.file.spares
	s.mu.Lock()
	list := s.list
	s.root.leave(i)
	s.list, s.root, s.closed = nil, nil, s.closed || end
	s.mu.Unlock()
	for _, base := range list {
		err = firstError(err, unmap(base))
	}
	return len(list) > 0, err
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
