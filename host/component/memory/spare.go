package memory

import "sync"

// images are those that keep mappings which no memory uses, by the budget at the
// root of their memories', so that these can be had back where there are no more
// mappings.
type images struct {
	mu  sync.Mutex
	set map[*Image]struct{}
}

// root returns the last budget of the chain; nil for nil.
func (b *Budget) root() *Budget {
	for b != nil && b.parent != nil {
		b = b.parent
	}
	return b
}

func (b *Budget) join(i *Image) {
	if b == nil {
		return
	}
	b.images.mu.Lock()
	defer b.images.mu.Unlock()
	if b.images.set == nil {
		b.images.set = map[*Image]struct{}{}
	}
	b.images.set[i] = struct{}{}
}

func (b *Budget) leave(i *Image) {
	if b == nil {
		return
	}
	b.images.mu.Lock()
	defer b.images.mu.Unlock()
	delete(b.images.set, i)
}

// dropSpares unmaps what images keep, and reports whether that was anything.
func (b *Budget) dropSpares() (dropped bool) {
	root := b.root()
	if root == nil {
		return false
	}
	root.images.mu.Lock()
	list := make([]*Image, 0, len(root.images.set))
	for i := range root.images.set {
		list = append(list, i)
	}
	root.images.mu.Unlock()
	for _, i := range list {
		if some, err := i.dropSpares(false); some && err == nil {
			dropped = true
		}
	}
	return dropped
}
