//go:build wasip1

// Command busy is a guest with something to do: what programs do that compute,
// with garbage to collect. The rig builds it:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

func main() {} // never called: this is a library

type entry struct {
	Name   string            `json:"name"`
	Number int               `json:"number"`
	Tags   []string          `json:"tags"`
	More   map[string]string `json:"more"`
}

// work does the same work n times, and returns what comes out of it.
//
//go:wasmexport work
func work(n uint32) uint32 {
	var sum uint32
	for range n {
		sum += once()
	}
	return sum
}

func once() uint32 {
	entries := make([]entry, 0, 50)
	for i := range 50 {
		name := fmt.Sprintf("entry %d", i*7919%50)
		entries = append(entries, entry{name, i, strings.Fields(name), map[string]string{"upper": strings.ToUpper(name)}})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.Name, b.Name) })
	b, err := json.Marshal(entries)
	if err != nil {
		panic(err)
	}
	var back []entry
	if err := json.Unmarshal(b, &back); err != nil {
		panic(err)
	}
	digest := sha256.Sum256(b)
	return uint32(len(back)) + uint32(digest[0])
}
