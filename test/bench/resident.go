package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// resident is what a process keeps in memory, in bytes.
type resident struct {
	// Linear is what of it belongs to guests' memories.
	Linear float64 `json:"linear"`
	// Else is all other: the heap, code, stacks.
	Else float64 `json:"else"`
	// Mapped is how much address space guests' memories have, whether it is
	// resident or not.
	Mapped float64 `json:"mapped"`
}

func (r resident) minus(o resident) resident {
	return resident{r.Linear - o.Linear, r.Else - o.Else, r.Mapped - o.Mapped}
}

// errNoSmaps is where the system does not tell a process' mappings.
var errNoSmaps = errors.New("this system has no /proc/self/smaps")

// residentNow gives back to the system what is not needed, and reads what is.
func residentNow() (r resident, err error) {
	for range 3 { // what finalizers let go is free after the next one
		debug.FreeOSMemory()
	}
	f, err := os.Open("/proc/self/smaps")
	if errors.Is(err, os.ErrNotExist) {
		return r, errNoSmaps
	}
	if err != nil {
		return r, err
	}
	defer f.Close()
	linear := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"):
			linear = isLinear(fields)
		case len(fields) == 3 && (fields[0] == "Rss:" || fields[0] == "Size:"):
			kilobytes, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				return r, fmt.Errorf("/proc/self/smaps: %w", err)
			}
			switch {
			case linear && fields[0] == "Size:":
				r.Mapped += kilobytes * 1024
			case linear:
				r.Linear += kilobytes * 1024
			case fields[0] == "Rss:":
				r.Else += kilobytes * 1024
			}
		}
	}
	return r, nil
}

// isLinear tells guests' memories by how they are mapped: from an image in
// memory, and, behind it, up to the most that a guest may have, which is 256 MiB.
// Go's own heap is below 1 TiB; what else it reserves at once is 64 MiB or
// cannot be written yet.
func isLinear(fields []string) bool {
	if strings.HasPrefix(strings.Join(fields[5:], " "), "/memfd:") {
		return true
	}
	from, to, _ := strings.Cut(fields[0], "-")
	start, err1 := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	return err1 == nil && err2 == nil && len(fields) == 5 && strings.HasPrefix(fields[1], "rw") && start > 1<<40 && end-start > 128<<20
}
