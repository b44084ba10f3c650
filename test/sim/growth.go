package sim

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// What a process holds is looked at after so many checks, and compared with the
// most of the first samples; some is left for what components happen to run.
const (
	growthEvery   = 10
	firstSamples  = 5
	moreGoroutine = 300
	moreHeap      = 64 << 20
)

// size is what a process holds.
type size struct {
	goroutines int
	heap       uint64 // bytes
}

func measure() size {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return size{goroutines: runtime.NumGoroutine(), heap: m.HeapAlloc}
}

// stacks are what goroutines wait in, most of them first.
func stacks() string {
	b := make([]byte, 8<<20)
	b = b[:runtime.Stack(b, true)]
	count := map[string]int{}
	for g := range strings.SplitSeq(string(b), "\n\n") {
		lines := strings.Split(g, "\n")
		if len(lines) > 2 {
			count[strings.TrimSpace(lines[len(lines)-1])]++
		}
	}
	list := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return count[b] - count[a] })
	var out strings.Builder
	for _, at := range list[:min(len(list), 20)] {
		fmt.Fprintf(&out, "%6d %s\n", count[at], at)
	}
	return out.String()
}

// growth compares what a process holds with what it held at the beginning.
type growth struct {
	samples int
	first   size // the most of the first samples
}

func (g *growth) check(now size) error {
	if g.samples++; g.samples <= firstSamples {
		g.first.goroutines, g.first.heap = max(g.first.goroutines, now.goroutines), max(g.first.heap, now.heap)
		return nil
	}
	switch {
	case now.goroutines > g.first.goroutines+moreGoroutine:
		return fmt.Errorf("%d goroutines, and %d at the beginning:\n%s", now.goroutines, g.first.goroutines, stacks())
	case now.heap > g.first.heap+moreHeap:
		return fmt.Errorf("%d bytes on the heap, and %d at the beginning", now.heap, g.first.heap)
	}
	return nil
}
