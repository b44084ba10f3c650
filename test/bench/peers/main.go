package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// operation does one thing n times and checks the answers.
type operation func(n int) error

// runtimeUnderTest is one of the peers.
type runtimeUnderTest struct {
	name, version string
	// prepare makes the operations; they are named within the runtime.
	prepare func(ctx context.Context, guests string) (map[string]func() (operation, error), error)
}

// hello is the first line.
type hello struct {
	Versions map[string]string `json:"versions"`
	Ops      []string          `json:"ops"`
}

// request asks for one measurement.
type request struct {
	Op string `json:"op"`
	N  int    `json:"n"`
}

// answer is the mean of one measurement.
type answer struct {
	Nanos  float64 `json:"ns"`
	CPU    float64 `json:"cpu"` // processor time
	Allocs float64 `json:"allocs"`
	Bytes  float64 `json:"bytes"`
	Error  string  `json:"error,omitempty"`
}

func main() {
	if err := serve(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, in io.Reader, out io.Writer) error {
	guests := os.Getenv("PEERS_GUESTS")
	if guests == "" {
		return errors.New("PEERS_GUESTS names no folder")
	}
	first := hello{Versions: map[string]string{}}
	made := map[string]func() (operation, error){}
	for _, r := range runtimes() {
		first.Versions[r.name] = r.version
		ops, err := r.prepare(ctx, guests)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		for name, make := range ops {
			made[r.name+": "+name] = make
		}
	}
	first.Ops = slices.Sorted(maps.Keys(made))
	lines := json.NewEncoder(out)
	if err := lines.Encode(first); err != nil {
		return err
	}
	ready := map[string]operation{}
	for scan := bufio.NewScanner(in); scan.Scan(); {
		var r request
		if err := json.Unmarshal(scan.Bytes(), &r); err != nil {
			return err
		}
		if ready[r.Op] == nil {
			op, err := prepared(made, r.Op)
			if err != nil {
				if err := lines.Encode(answer{Error: err.Error()}); err != nil {
					return err
				}
				continue
			}
			ready[r.Op] = op
		}
		if err := lines.Encode(measure(ready[r.Op], r.N)); err != nil {
			return err
		}
	}
	return nil
}

func prepared(made map[string]func() (operation, error), name string) (operation, error) {
	make := made[name]
	if make == nil {
		return nil, fmt.Errorf("no operation %q", name)
	}
	return make()
}

func measure(op operation, n int) answer {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ran, began := processorTime(), time.Now()
	err := op(n)
	took, cpu := time.Since(began), processorTime()-ran
	runtime.ReadMemStats(&after)
	if err != nil {
		return answer{Error: err.Error()}
	}
	each := float64(n)
	return answer{Nanos: float64(took.Nanoseconds()) / each, CPU: float64(cpu.Nanoseconds()) / each, Allocs: float64(after.Mallocs-before.Mallocs) / each,
		Bytes: float64(after.TotalAlloc-before.TotalAlloc) / each}
}

var errWrong = errors.New("wrong answer")

// guest reads one of the guests.
func guest(dir, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(dir, name+".wasm"))
}

// version returns that of a module in this program.
func version(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == path {
				return dep.Version
			}
		}
	}
	return "unknown version"
}

// runtimes are those that this program was built with.
func runtimes() []runtimeUnderTest {
	return slices.Concat([]runtimeUnderTest{{"wazero", version("github.com/tetratelabs/wazero"), wazeroOps}}, wasmtimes(), wazys())
}
