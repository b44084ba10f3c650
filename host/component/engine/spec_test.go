package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/build"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/trap"
)

// The WebAssembly core test suite, as wazero has it in its module: every module
// is rewritten with all that the rewriter does, and must then behave as the
// suite says. The suite is not ours to copy, so it is read from the module
// cache.

// specDirs are the parts of the suite, by folder.
var specDirs = []string{
	"v2", "tail-call", "extended-const", "exception-handling", "threads",
}

// specExceptions are commands that cannot hold here, by file and line, with
// the reason.
var specExceptions = map[string]string{
	"v2/elem:171":                      "wazero lets constants read any global before them",
	"v2/elem:175":                      "wazero lets constants read any global before them",
	"exception-handling/try_table:420": "non-null references are not supported",
	"exception-handling/try_table:464": "its module is refused",
	"exception-handling/try_table:465": "its module is refused",
	"exception-handling/try_table:466": "its module is refused",
	"exception-handling/try_table:467": "its module is refused",
	"exception-handling/try_table:468": "its module is refused",
	"exception-handling/tag:30":        "recursive type groups are not supported",
	"exception-handling/tag:40":        "recursive type groups are not supported",
	"threads/atomic:457":               "waiting needs shared memory",
	"threads/atomic:458":               "waiting needs shared memory",
}

func specRoot(t *testing.T) string {
	cache := os.Getenv("GOMODCACHE")
	if cache == "" {
		cache = filepath.Join(filepath.SplitList(build.Default.GOPATH)[0], "pkg", "mod")
	}
	root := filepath.Join(cache, "github.com/tetratelabs/wazero@v1.12.0/internal/integration_test/spectest")
	if _, err := os.Stat(root); err != nil {
		t.Skipf("the core test suite is not in the module cache: %v", err)
	}
	return root
}

func TestSpecSuite(t *testing.T) {
	t.Parallel()
	root := specRoot(t)
	spectest, err := os.ReadFile(filepath.Join(root, "testdata", "spectest.wasm"))
	require.NoError(t, err)
	for _, dir := range specDirs {
		files, err := filepath.Glob(filepath.Join(root, dir, "testdata", "*.json"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			name := dir + "/" + strings.TrimSuffix(filepath.Base(file), ".json")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				runSpecFile(t, name, file, spectest)
			})
		}
	}
}

type specValue struct {
	Type     string          `json:"type"`
	LaneType string          `json:"lane_type"`
	Value    json.RawMessage `json:"value"`
}

type specAction struct {
	Type   string      `json:"type"`
	Module string      `json:"module"`
	Field  string      `json:"field"`
	Args   []specValue `json:"args"`
}

type specCommand struct {
	Type       string      `json:"type"`
	Line       int         `json:"line"`
	Name       string      `json:"name"`
	As         string      `json:"as"`
	Filename   string      `json:"filename"`
	ModuleType string      `json:"module_type"`
	Text       string      `json:"text"`
	Action     specAction  `json:"action"`
	Expected   []specValue `json:"expected"`
}

// specRun is one file of the suite being run.
type specRun struct {
	*world
	dir    string
	plan   core.Plan
	byID   map[string]*engine.Module
	latest *engine.Module
}

func runSpecFile(t *testing.T, name, file string, spectest []byte) {
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	var script struct{ Commands []specCommand }
	require.NoError(t, json.Unmarshal(b, &script))
	require.NotEmpty(t, script.Commands)

	r := &specRun{
		world: newWorld(t, engine.Config{}), dir: filepath.Dir(file),
		plan: core.Plan{StripData: true, KeepNames: true}, byID: map[string]*engine.Module{},
	}
	r.byName["spectest"] = r.must(spectest, core.Plan{})
	for _, c := range script.Commands {
		at := fmt.Sprintf("%s:%d", name, c.Line)
		err := r.command(c)
		reason, excepted := specExceptions[at]
		switch {
		case err != nil && !excepted:
			t.Errorf("%s: %s: %v", at, c.Type, err)
		case err == nil && excepted:
			t.Errorf("%s holds now; it was excepted because %s", at, reason)
		}
	}
}

func (r *specRun) command(c specCommand) error {
	switch c.Type {
	case "module":
		m, err := r.module(c)
		r.latest = m
		if c.Name != "" {
			r.byID[c.Name] = m
		}
		return err
	case "register":
		r.byName[c.As] = r.target(c.Name)
		return nil
	case "action":
		_, err := r.act(c.Action)
		return err
	case "assert_return":
		got, err := r.act(c.Action)
		if err != nil {
			return err
		}
		return compareResults(c.Expected, got)
	case "assert_trap", "assert_exhaustion", "assert_exception":
		_, err := r.act(c.Action)
		return wantTrap(err, c.Text)
	case "assert_malformed", "assert_invalid":
		if c.ModuleType == "text" || strings.HasSuffix(c.Filename, ".wat") {
			return nil
		}
		return wantRefused(r.module(c))
	case "assert_unlinkable":
		return wantRefused(r.module(c))
	case "assert_uninstantiable":
		_, err := r.module(c)
		return wantTrap(err, c.Text)
	}
	return fmt.Errorf("unknown command")
}

func (r *specRun) module(c specCommand) (*engine.Module, error) {
	b, err := os.ReadFile(filepath.Join(r.dir, c.Filename))
	if err != nil {
		return nil, err
	}
	// Shared memory is refused. The atomic instructions work on any.
	b = bytes.Replace(b, []byte("\x05\x04\x01\x03\x01\x01"), []byte("\x05\x04\x01\x01\x01\x01"), 1)
	return r.load(engine.NewContext(r.t.Context()), b, r.plan)
}

func wantRefused(_ *engine.Module, err error) error {
	if err == nil {
		return errors.New("it was accepted")
	}
	if trap.As(err) != nil {
		return fmt.Errorf("it was only stopped by a trap: %w", err)
	}
	return nil
}

func (r *specRun) target(name string) *engine.Module {
	if name == "" {
		return r.latest
	}
	return r.byID[name]
}

func (r *specRun) act(a specAction) ([]uint64, error) {
	m := r.target(a.Module)
	if m == nil {
		return nil, fmt.Errorf("no module %q", a.Module)
	}
	if a.Type == "get" {
		g := m.Global(a.Field)
		if g == nil {
			return nil, fmt.Errorf("no global %q", a.Field)
		}
		return []uint64{g.Get()}, nil
	}
	var args []uint64
	for _, v := range a.Args {
		args = append(args, v.slots()...)
	}
	if m.Func(a.Field) == nil {
		return nil, fmt.Errorf("no function %q", a.Field)
	}
	return call(engine.NewContext(r.t.Context()), m, a.Field, args...)
}

// specTraps says which code the suite's trap texts must get.
var specTraps = []struct {
	text string
	code trap.Code
}{
	{"out of bounds memory", trap.MemoryOutOfBounds},
	{"out of bounds table", trap.TableOutOfBounds},
	{"undefined", trap.TableOutOfBounds},
	{"uninitialized", trap.TableOutOfBounds},
	{"indirect call", trap.IndirectCall},
	{"integer overflow", trap.IntegerOverflow},
	{"integer divide by zero", trap.DivideByZero},
	{"unreachable", trap.Unreachable},
	{"call stack exhausted", trap.StackOverflow},
	{"stack overflow", trap.StackOverflow},
	{"invalid conversion", trap.Other},
	{"unaligned atomic", trap.Other},
	{"expected shared memory", trap.Other},
	{"uncaught exception", trap.Other},
	{"null", trap.Other},
}

func wantTrap(err error, text string) error {
	t := trap.As(err)
	if t == nil {
		return fmt.Errorf("want trap %q, got %w", text, orNil(err))
	}
	for _, s := range specTraps {
		if strings.HasPrefix(text, s.text) {
			if t.Code != s.code {
				return fmt.Errorf("want trap %q, got code %q", text, t.Code)
			}
			return nil
		}
	}
	if text == "" && t.Code == trap.Other {
		return nil // assert_exception
	}
	return fmt.Errorf("unknown trap text %q, got %w", text, err)
}

func orNil(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

// slots returns the value as the engine takes it.
func (v specValue) slots() []uint64 {
	if v.Type != "v128" {
		return []uint64{v.scalar()}
	}
	var lanes []string
	if err := json.Unmarshal(v.Value, &lanes); err != nil {
		panic(err)
	}
	out := make([]uint64, 2)
	bits := 128 / len(lanes)
	for i, lane := range lanes {
		out[i*bits/64] |= parseLane(lane, bits) << (i * bits % 64)
	}
	return out
}

func (v specValue) scalar() uint64 {
	var s string
	if err := json.Unmarshal(v.Value, &s); err != nil || s == "null" {
		return 0
	}
	switch v.Type {
	case "externref": // 0 is null to the engine
		return parseLane(s, 64) + 1
	case "i32", "f32":
		return parseLane(s, 32)
	}
	return parseLane(s, 64)
}

func parseLane(s string, bits int) uint64 {
	if u, err := strconv.ParseUint(s, 10, bits); err == nil {
		return u
	}
	i, err := strconv.ParseInt(s, 10, bits)
	if err != nil {
		return 0 // a NaN pattern, which compareResults looks at
	}
	return uint64(i) & (1<<bits - 1)
}

func compareResults(want []specValue, got []uint64) error {
	for i, v := range want {
		w := v.slots()
		if len(got) < len(w) {
			return fmt.Errorf("result %d is missing", i)
		}
		g := got[:len(w)]
		got = got[len(w):]
		if !sameValue(v, w, g) {
			return fmt.Errorf("result %d: want %s %s, got %#x", i, v.Type, v.Value, g)
		}
	}
	return nil
}

func sameValue(v specValue, want, got []uint64) bool {
	var lanes []string
	switch v.Type {
	case "v128":
		if json.Unmarshal(v.Value, &lanes) != nil {
			return false
		}
	case "funcref", "exnref":
		var s string
		_ = json.Unmarshal(v.Value, &s)
		return (s == "null") == (got[0] == 0)
	case "i32", "f32":
		var s string
		_ = json.Unmarshal(v.Value, &s)
		return sameLane(s, 32, want[0], got[0]&math.MaxUint32)
	default:
		var s string
		_ = json.Unmarshal(v.Value, &s)
		return sameLane(s, 64, want[0], got[0])
	}
	bits := 128 / len(lanes)
	for i, lane := range lanes {
		word, shift := i*bits/64, i*bits%64
		mask := uint64(math.MaxUint64) >> (64 - bits)
		if !sameLane(lane, bits, want[word]>>shift&mask, got[word]>>shift&mask) {
			return false
		}
	}
	return true
}

func sameLane(s string, bits int, want, got uint64) bool {
	if !strings.HasPrefix(s, "nan:") {
		return want == got
	}
	quiet, sign := uint64(0x7fc00000), uint64(1)<<31
	if bits == 64 {
		quiet, sign = 0x7ff8<<48, 1<<63
	}
	if s == "nan:canonical" {
		return got&^sign == quiet
	}
	return got&quiet == quiet
}
