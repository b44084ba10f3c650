package blobstore

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/settings"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// DefaultMemoryBytes is [Capacity] MaxBytes of a [Memory].
const DefaultMemoryBytes = 256 << 20

// MemoryConfig are the limits of a [Memory]. Fields that are zero or negative mean
// the defaults, of MaxBytes [DefaultMemoryBytes].
type MemoryConfig struct {
	Limits
	Capacity
}

// ParseMemoryConfig reads a provider's configuration: the names of [Limits] and
// [Capacity].
func ParseMemoryConfig(from provider.Settings) (MemoryConfig, error) {
	var cfg MemoryConfig
	s := cfg.Limits.Settings()
	cfg.Capacity.AddSettings(s)
	return cfg, s.Read("blob store", from)
}

// Memory keeps objects in memory, and nothing beyond its own life. It is safe for
// concurrent use, starts nothing and needs no closing. Instances share nothing.
type Memory struct {
	limits Limits
	held   *Held

	mu         sync.RWMutex
	containers map[string]*container
}

var _ contract.Store = (*Memory)(nil)

type container struct {
	created uint64
	objects map[string]*object
}

// object is never written to, only replaced: readers keep it without a lock.
type object struct {
	pieces  [][]byte // of pieceBytes, but for the last
	size    int64
	created uint64
}

// pieceBytes is how much of an object is allocated at once.
const pieceBytes = 64 << 10

// NewMemory returns an empty store.
func NewMemory(cfg MemoryConfig) *Memory {
	cfg.MaxBytes = settings.OrDefault(cfg.MaxBytes, DefaultMemoryBytes)
	cfg.Limits.SetDefaults()
	cfg.Capacity.SetDefaults()
	return &Memory{limits: cfg.Limits, held: NewHeld(cfg.Capacity), containers: map[string]*container{}}
}

// now is the contract's time.
func now() uint64 { return uint64(max(0, time.Now().Unix())) }

func (m *Memory) enter(ctx context.Context, names ...string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("blob store: %w", err)
	}
	return m.limits.CheckNames(names...)
}

// container finds a container; mu is held.
func (m *Memory) container(name string) (*container, error) {
	if c := m.containers[name]; c != nil {
		return c, nil
	}
	return nil, NoContainer(name)
}

// object finds an object; mu is held.
func (m *Memory) object(id contract.ObjectID) (*object, error) {
	c, err := m.container(id.Container)
	if err != nil {
		return nil, err
	}
	if o := c.objects[id.Object]; o != nil {
		return o, nil
	}
	return nil, NoObject(id)
}

// remove takes an object away; mu is held.
func (m *Memory) remove(c *container, name string) {
	if o := c.objects[name]; o != nil {
		delete(c.objects, name)
		m.held.Free(1, o.size)
	}
}

// put puts an object whose bytes are booked into its place; mu is held.
func (m *Memory) put(c *container, name string, o *object) error {
	if old := c.objects[name]; old != nil {
		m.held.Free(0, old.size)
	} else if err := m.held.Objects(1); err != nil {
		return err
	}
	c.objects[name] = o
	return nil
}

// CreateContainer implements contract.Store.
func (m *Memory) CreateContainer(ctx context.Context, name string) error {
	if err := m.enter(ctx, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.containers[name] != nil {
		return nil
	}
	if err := m.held.Containers(1); err != nil {
		return err
	}
	m.containers[name] = &container{created: now(), objects: map[string]*object{}}
	return nil
}

// ContainerExists implements contract.Store.
func (m *Memory) ContainerExists(ctx context.Context, name string) (bool, error) {
	if err := m.enter(ctx, name); err != nil {
		return false, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.containers[name] != nil, nil
}

// GetContainerInfo implements contract.Store.
func (m *Memory) GetContainerInfo(ctx context.Context, name string) (contract.ContainerMetadata, error) {
	if err := m.enter(ctx, name); err != nil {
		return contract.ContainerMetadata{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	c, err := m.container(name)
	if err != nil {
		return contract.ContainerMetadata{}, err
	}
	return contract.ContainerMetadata{CreatedAt: c.created}, nil
}

// ClearContainer implements contract.Store.
func (m *Memory) ClearContainer(ctx context.Context, name string) error {
	if err := m.enter(ctx, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.container(name)
	if err != nil {
		return err
	}
	for object := range c.objects {
		m.remove(c, object)
	}
	return nil
}

// DeleteContainer implements contract.Store.
func (m *Memory) DeleteContainer(ctx context.Context, name string) error {
	if err := m.enter(ctx, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.containers[name]
	if c == nil {
		return nil
	}
	for object := range c.objects {
		m.remove(c, object)
	}
	delete(m.containers, name)
	return m.held.Containers(-1)
}

// ListContainerObjects implements contract.Store.
func (m *Memory) ListContainerObjects(ctx context.Context, name string, limit, offset wit.Option[uint64]) (contract.Names, error) {
	if err := m.enter(ctx, name); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	c, err := m.container(name)
	if err != nil {
		return nil, err
	}
	return Listing(slices.Collect(maps.Keys(c.objects)), limit, offset), nil
}

// CopyObject implements contract.Store.
func (m *Memory) CopyObject(ctx context.Context, src, dest contract.ObjectID) error {
	return m.transfer(ctx, src, dest, false)
}

// MoveObject implements contract.Store.
func (m *Memory) MoveObject(ctx context.Context, src, dest contract.ObjectID) error {
	return m.transfer(ctx, src, dest, true)
}

func (m *Memory) transfer(ctx context.Context, src, dest contract.ObjectID, move bool) error {
	if err := m.enter(ctx, src.Container, src.Object, dest.Container, dest.Object); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, err := m.object(src)
	if err != nil {
		return err
	}
	to, err := m.container(dest.Container)
	if err != nil {
		return err
	}
	switch {
	case src == dest:
		return nil
	case move:
		m.remove(to, dest.Object)
		delete(m.containers[src.Container].objects, src.Object)
		to.objects[dest.Object] = o
		return nil
	}
	// The bytes are shared, and counted as if they were not.
	if err := m.held.Bytes(o.size); err != nil {
		return err
	}
	if err := m.put(to, dest.Object, &object{pieces: o.pieces, size: o.size, created: now()}); err != nil {
		m.held.Free(0, o.size)
		return err
	}
	return nil
}

// DeleteObject implements contract.Store.
func (m *Memory) DeleteObject(ctx context.Context, id contract.ObjectID) error {
	return m.DeleteObjects(ctx, id.Container, []string{id.Object})
}

// DeleteObjects implements contract.Store.
func (m *Memory) DeleteObjects(ctx context.Context, name string, objects []string) error {
	if err := m.enter(ctx, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.container(name)
	if err != nil {
		return err
	}
	for _, object := range objects {
		m.remove(c, object)
	}
	return nil
}

// find returns an object as it is now.
func (m *Memory) find(ctx context.Context, id contract.ObjectID) (*object, error) {
	if err := m.enter(ctx, id.Container, id.Object); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.object(id)
}

// HasObject implements contract.Store.
func (m *Memory) HasObject(ctx context.Context, id contract.ObjectID) (bool, error) {
	if err := m.enter(ctx, id.Container, id.Object); err != nil {
		return false, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	c, err := m.container(id.Container)
	if err != nil {
		return false, err
	}
	return c.objects[id.Object] != nil, nil
}

// GetObjectInfo implements contract.Store.
func (m *Memory) GetObjectInfo(ctx context.Context, id contract.ObjectID) (contract.ObjectMetadata, error) {
	o, err := m.find(ctx, id)
	if err != nil {
		return contract.ObjectMetadata{}, err
	}
	return contract.ObjectMetadata{CreatedAt: o.created, Size: uint64(o.size)}, nil
}

// GetContainerData implements contract.Store.
func (m *Memory) GetContainerData(ctx context.Context, id contract.ObjectID, start, end uint64) (io.ReadCloser, error) {
	o, err := m.find(ctx, id)
	if err != nil {
		return nil, err
	}
	offset, length, err := Range(start, end, o.size)
	if err != nil {
		return nil, err
	}
	return ReadCloser(ctx, io.NewSectionReader(o, offset, length), nil), nil
}

// ReadAt implements io.ReaderAt.
func (o *object) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) && at < o.size {
		k := copy(p[n:], o.pieces[at/pieceBytes][at%pieceBytes:])
		n, at = n+k, at+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteContainerData implements contract.Store.
func (m *Memory) WriteContainerData(ctx context.Context, id contract.ObjectID, data io.Reader) (err error) {
	if err := m.enter(ctx, id.Container, id.Object); err != nil {
		return err
	}
	if is, err := m.ContainerExists(ctx, id.Container); err != nil || !is {
		return cmp.Or(err, NoContainer(id.Container))
	}
	u := NewUpload(ctx, data, &m.limits, m.held)
	defer func() {
		if err != nil {
			u.Free()
		}
	}()
	o := &object{}
	if o.pieces, err = readPieces(u); err != nil {
		return err
	}
	o.size, o.created = u.Size, now()
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.container(id.Container)
	if err != nil {
		return err
	}
	return m.put(c, id.Object, o)
}

// readPieces reads all of an upload.
func readPieces(u *Upload) (pieces [][]byte, err error) {
	for {
		piece := make([]byte, pieceBytes)
		n, err := io.ReadFull(u, piece)
		if n < len(piece) {
			piece = slices.Clone(piece[:n])
		}
		if n > 0 {
			pieces = append(pieces, piece)
		}
		switch {
		case u.Err != nil:
			return nil, u.Err
		case err != nil: // the end
			return pieces, nil
		}
	}
}
