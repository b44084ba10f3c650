package filesystem

// Open is how many descriptors the instances have.
func (f *Files) Open() int64 { return f.open.n.Load() }

// Used is what a directory's quota counts.
func (f *Files) Used(i int) int64 {
	q := f.mounts[i].quota
	defer q.lock()()
	return q.used
}

// The limits.
const (
	MaxOpen  = maxOpen
	MaxRead  = maxRead
	MaxLinks = maxLinks
	MaxPath  = maxPath
	NameCost = nameCost
)
