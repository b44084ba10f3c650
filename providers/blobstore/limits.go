package blobstore

import (
	"fmt"
	"sync/atomic"

	"github.com/lathhost/lath/providers/internal/settings"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// Defaults of [Limits] and [Capacity].
const (
	DefaultMaxObjectBytes = 64 << 30
	DefaultMaxNameBytes   = 1 << 10
	DefaultMaxBytes       = 64 << 30
	DefaultMaxObjects     = 1 << 20
	DefaultMaxContainers  = 1 << 10
)

// Limits are those that every backend has: of one call. Fields that are zero or
// negative mean the defaults: nothing is without a limit.
type Limits struct {
	// MaxObjectBytes bounds one object; default [DefaultMaxObjectBytes].
	MaxObjectBytes int64
	// MaxNameBytes bounds the name of a container or an object; default
	// [DefaultMaxNameBytes].
	MaxNameBytes int64
}

// SetDefaults replaces what is zero or negative.
func (l *Limits) SetDefaults() {
	l.MaxObjectBytes = settings.OrDefault(l.MaxObjectBytes, DefaultMaxObjectBytes)
	l.MaxNameBytes = settings.OrDefault(l.MaxNameBytes, DefaultMaxNameBytes)
}

// Settings are the limits by the names that a provider's configuration has for
// them; a backend adds its own.
func (l *Limits) Settings() settings.Set {
	return settings.Set{
		"max_object_bytes": settings.Positive(&l.MaxObjectBytes),
		"max_name_bytes":   settings.Positive(&l.MaxNameBytes),
	}
}

// CheckNames refuses names that are too long.
func (l *Limits) CheckNames(names ...string) error {
	for _, name := range names {
		if n := int64(len(name)); n > l.MaxNameBytes {
			return Errorf("name of %d bytes is over the limit of %d", n, l.MaxNameBytes)
		}
	}
	return nil
}

// CheckSize refuses an object of so many bytes, or one that has as many already.
func (l *Limits) CheckSize(n int64) error {
	if n > l.MaxObjectBytes {
		return Errorf("object of more than %d bytes is over the limit", l.MaxObjectBytes)
	}
	return nil
}

// Capacity bounds what a backend holds in all, where it is the only one to know.
// Fields that are zero or negative mean the defaults.
type Capacity struct {
	// MaxBytes bounds all objects together; default [DefaultMaxBytes]. What is being
	// written counts.
	MaxBytes int64
	// MaxObjects bounds the objects of all containers; default [DefaultMaxObjects].
	MaxObjects int64
	// MaxContainers bounds the containers; default [DefaultMaxContainers].
	MaxContainers int64
}

// SetDefaults replaces what is zero or negative.
func (c *Capacity) SetDefaults() {
	c.MaxBytes = settings.OrDefault(c.MaxBytes, DefaultMaxBytes)
	c.MaxObjects = settings.OrDefault(c.MaxObjects, DefaultMaxObjects)
	c.MaxContainers = settings.OrDefault(c.MaxContainers, DefaultMaxContainers)
}

// AddSettings adds the fields to a provider's settings.
func (c *Capacity) AddSettings(s settings.Set) {
	s["max_bytes"] = settings.Positive(&c.MaxBytes)
	s["max_objects"] = settings.Positive(&c.MaxObjects)
	s["max_containers"] = settings.Positive(&c.MaxContainers)
}

// Held counts what is held against a [Capacity]. It is safe for concurrent use,
// and never over a limit, not even for a moment.
type Held struct {
	limits                     Capacity
	bytes, objects, containers atomic.Int64
}

// NewHeld returns a count of nothing.
func NewHeld(c Capacity) *Held { return &Held{limits: c} }

// Bytes books n more bytes, or gives them back where n is negative.
func (h *Held) Bytes(n int64) error {
	return book(&h.bytes, n, h.limits.MaxBytes, "bytes in all objects")
}

// Objects books n more objects, like Bytes.
func (h *Held) Objects(n int64) error {
	return book(&h.objects, n, h.limits.MaxObjects, "objects")
}

// Containers books n more containers, like Bytes.
func (h *Held) Containers(n int64) error {
	return book(&h.containers, n, h.limits.MaxContainers, "containers")
}

// Free gives back so many objects with so many bytes.
func (h *Held) Free(objects, bytes int64) {
	h.objects.Add(-objects)
	h.bytes.Add(-bytes)
}

// Found counts what was there before, whatever the limits.
func (h *Held) Found(containers, objects, bytes int64) {
	h.containers.Add(containers)
	h.objects.Add(objects)
	h.bytes.Add(bytes)
}

func book(counter *atomic.Int64, n, limit int64, what string) error {
	for {
		old := counter.Load()
		if n > 0 && old > limit-n {
			return Errorf("%d more is over the limit of %d %s", n, limit, what)
		}
		if counter.CompareAndSwap(old, old+n) {
			return nil
		}
	}
}

// Errorf makes the contract's error.
func Errorf(format string, args ...any) error { return contract.Error(fmt.Sprintf(format, args...)) }

// NoContainer is the error of a container that is not there.
func NoContainer(name string) error { return Errorf("no container %.100q", name) }

// NoObject is the error of an object that is not there.
func NoObject(id contract.ObjectID) error {
	return Errorf("no object %.100q in container %.100q", id.Object, id.Container)
}
