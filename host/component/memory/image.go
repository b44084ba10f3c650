package memory

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Segment is a run of bytes at a place in a linear memory.
type Segment struct {
	Offset uint32
	Bytes  []byte
}

// Image is the initial contents of a linear memory, made once and shared by
// all memories of a template. Where the system allows it is a sealed memory
// file that each memory maps privately, so that a memory of 10 MB of data costs
// two system calls and only the pages that its guest writes to; elsewhere its
// bytes are copied.
//
// An Image is immutable and may be used by any number of goroutines. Memories made
// from it stay readable after its end, but [Image.New] and [Linear.Reset] fail.
type Image struct {
	size     uint64 // bytes, whole pages
	segments []Segment
	file     imageFile
	whole    func() []byte           // the segments as they lie in memory, made when asked for
	first    atomic.Pointer[[]patch] // the delta of the first memory that was marked
}

// NewImage makes an image of segments, later ones over earlier ones. The bytes
// are not copied on every system: leave them unchanged.
func NewImage(segments []Segment) (*Image, error) {
	img := &Image{segments: segments}
	for _, s := range segments {
		end := uint64(s.Offset) + uint64(len(s.Bytes))
		if end > MaxSize {
			return nil, fmt.Errorf("image segment at %#x of %d bytes is outside linear memory", s.Offset, len(s.Bytes))
		}
		img.size = max(img.size, roundUp(end))
	}
	img.whole = sync.OnceValue(func() []byte {
		b := make([]byte, img.size)
		img.copyTo(b)
		return b
	})
	img.open()
	return img, nil
}

// New makes a memory like the function [New], with the image's contents. It
// fails where min is smaller than the image.
func (i *Image) New(min, max uint64, budget *Budget) (*Linear, error) {
	return newLinear(min, max, budget, i)
}

// Size returns the bytes from the start of memory that the image covers, a
// multiple of [PageSize].
func (i *Image) Size() uint64 { return i.size }

// hold returns the bytes, which stay until letGo. A nil image has none.
func (i *Image) hold() ([]byte, error) {
	if i == nil {
		return nil, nil
	}
	return i.file.hold(i)
}

func (i *Image) letGo() {
	if i != nil {
		i.file.letGo()
	}
}

// Close releases the image, when nobody holds it any more.
func (i *Image) Close() error {
	_, err := i.dropSpares(true)
	if err := errors.Join(err, i.file.close()); err != nil {
		return fmt.Errorf("close memory image: %w", err)
	}
	return nil
}

// firstDelta returns what other memories are likely to have been marked with.
func (i *Image) firstDelta() []patch {
	if i == nil {
		return nil
	}
	if d := i.first.Load(); d != nil {
		return *d
	}
	return nil
}

// isDelta notes what a memory was marked with, which must not change any more.
func (i *Image) isDelta(delta []patch) {
	if i != nil && len(delta) > 0 && i.first.Load() == nil {
		i.first.CompareAndSwap(nil, &delta)
	}
}

// copyTo writes the image over fresh memory.
func (i *Image) copyTo(mem []byte) {
	for _, s := range i.segments {
		copy(mem[s.Offset:], s.Bytes)
	}
}
