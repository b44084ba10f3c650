package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lathhost/lath/test/harness"
)

// transfer puts bytes to a URL and gets them again, slowly at first, while the hosts of
// some state directories grow by so many bytes at most.
func transfer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: transfer URL BYTES MOST-GROWTH STATE-DIR…")
	}
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	most, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	_, err = harness.SendAndRead(ctx, args[0], 1<<20, 1<<30) // what is made once is made
	ts.Check(err)
	pids, before := make([]int, len(args)-3), make([]int64, len(args)-3)
	for i, dir := range args[3:] {
		var info struct {
			PID int `json:"pid"`
		}
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(filepath.Join(ts.MkAbs(dir), "host.json"))), &info))
		pids[i] = info.PID
		memory, err := harness.MemoryOf(info.PID)
		if errors.Is(err, harness.ErrNoMemory) || harness.ResetPeak(info.PID) != nil {
			ts.Logf("SKIPPED: memory: %v", harness.ErrNoMemory)
			most = 1 << 62
		}
		before[i] = memory.Now
	}
	took, err := harness.SendAndRead(ctx, args[0], size, size/2) // for two seconds
	ts.Check(err)
	for i, pid := range pids {
		memory, err := harness.MemoryOf(pid)
		if most < 1<<62 {
			ts.Check(err)
		}
		grown := memory.Peak - before[i]
		ts.Logf("%d bytes there in %v and back in %v: host %d was %d MB, and grew by %d MB", size, took.Up, took.Down, i, before[i]>>20, grown>>20)
		if grown > most {
			ts.Fatalf("host %d grew by %d bytes, want %d at most", i, grown, most)
		}
	}
}
