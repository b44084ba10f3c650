package core

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// step is one instruction of rewritten code.
type step struct {
	op         byte
	start, end int
	to         []int // where the code may go on
	pays       bool
}

// steps takes a body apart, without what the rewriter knows about it, and finds
// where each instruction may be followed by which.
func steps(t testing.TB, m *Module, i int, own int, budget uint32) []step {
	k := walker{w: &writer{m: m}}
	k.begin(i)
	var s []step
	for len(k.frames) > 0 {
		at := k.pos
		k.instruction()
		require.Nil(t, k.err)
		s = append(s, step{op: k.b[at], start: at, end: k.pos})
	}
	f := flow{t: t, code: m.bytes, s: s, own: own, budget: budget}
	f.match()
	for n := range s {
		f.follow(n)
	}
	return s
}

// flow is the flow of control through one body.
type flow struct {
	t      testing.TB
	code   []byte
	s      []step
	own    int    // locals that the guest can name
	budget uint32 // the global that is paid from

	ends   map[int]int // the end of each block
	elses  map[int]int // the else of an if
	inside [][]int     // the blocks around each instruction, the innermost last
}

func (f *flow) match() {
	f.ends, f.elses = map[int]int{}, map[int]int{}
	var open []int
	for n, s := range f.s {
		f.inside = append(f.inside, bytesOf(open))
		switch s.op {
		case opBlock, opLoop, opIf, opTryTable:
			open = append(open, n)
		case opElse:
			f.elses[open[len(open)-1]] = n
		case opEnd:
			if len(open) > 0 {
				f.ends[open[len(open)-1]] = n
				open = open[:len(open)-1]
			}
		}
	}
}

func bytesOf(list []int) []int { return append([]int(nil), list...) }

// numbers reads the LEB128s of an instruction.
func (f *flow) numbers(n int) (list []int) {
	r := reader{b: f.code[:f.s[n].end], pos: f.s[n].start + 1}
	for r.left() > 0 {
		list = append(list, int(r.u32()))
	}
	require.Nil(f.t, r.err)
	return list
}

// target is where a branch to a label goes on.
func (f *flow) target(n, label int) int {
	around := f.inside[n]
	if label >= len(around) {
		return len(f.s) // it returns
	}
	block := around[len(around)-1-label]
	if f.s[block].op == opLoop {
		return block
	}
	return f.ends[block] + 1
}

func (f *flow) follow(n int) {
	s := &f.s[n]
	s.pays = f.payment(n)
	next := n + 1
	switch s.op {
	case opUnreachable, opReturn, opReturnCall, opReturnCallIndirect, opThrow, opThrowRef:
		return
	case opBr:
		to := f.target(n, f.numbers(n)[0])
		s.to = []int{f.through(n, to)}
		return
	case opBrIf:
		s.to = []int{next, f.target(n, f.numbers(n)[0])}
		return
	case opBrTable:
		for _, label := range f.numbers(n)[1:] {
			s.to = append(s.to, f.target(n, label))
		}
		return
	case opIf:
		if e, ok := f.elses[n]; ok {
			s.to = append(s.to, e+1)
		} else {
			s.to = append(s.to, f.ends[n]+1)
		}
	case opElse: // the arm before it ends here
		around := f.inside[n]
		next = f.ends[around[len(around)-1]] + 1
	case opTryTable:
		s.to = append(s.to, f.catches(n)...)
	}
	s.to = append(s.to, next)
}

// catches are the targets of a try_table's clauses.
func (f *flow) catches(n int) (to []int) {
	r := reader{b: f.code[:f.s[n].end], pos: f.s[n].start + 1}
	r.sleb(33)
	for range r.u32() {
		if r.byte() < 2 {
			r.u32()
		}
		to = append(to, f.target(n, int(r.u32())))
	}
	return to
}

// through is where a branch goes on that sets a local to a constant before, if
// what is at its target does nothing but to branch by that local.
func (f *flow) through(n, to int) int {
	if n < 2 || f.s[n-1].op != opLocalSet || f.s[n-2].op != opI32Const || to >= n {
		return to
	}
	at := to
	for at++; f.s[at].op == opBlock; at++ {
	}
	if f.s[at].op != opLocalGet || f.s[at+1].op != opBrTable || f.numbers(at)[0] != f.numbers(n - 1)[0] {
		return to
	}
	r := reader{b: f.code, pos: f.s[n-2].start + 1}
	labels := f.numbers(at + 1)[1:]
	return f.target(at+1, labels[min(int(uint32(r.sleb(32))), len(labels)-1)])
}

// payment reports whether code that counts a pass, or that pays from the budget,
// begins here.
func (f *flow) payment(n int) bool {
	is := func(ops ...byte) bool {
		for i, op := range ops {
			if n+i >= len(f.s) || f.s[n+i].op != op {
				return false
			}
		}
		return true
	}
	switch {
	case is(opLocalGet, opI32Const, opI32Sub, opLocalTee, opI32Eqz, opIf, opCall):
		c := f.numbers(n)[0]
		return c >= f.own && f.numbers(n + 3)[0] == c && bytes.Equal(f.code[f.s[n+1].start:f.s[n+1].end], []byte{opI32Const, 1})
	case is(opGlobalGet, opI32Const, opI32Sub, opGlobalSet, opGlobalGet, opI32Const, opI32LtS, opIf, opCall):
		g := int(f.budget)
		return f.numbers(n)[0] == g && f.numbers(n + 3)[0] == g && f.numbers(n + 4)[0] == g
	}
	return false
}

// freeCycle returns an instruction that can be come back to without a payment,
// or -1.
func freeCycle(s []step) int {
	state := make([]byte, len(s))
	type at struct{ n, next int }
	for root := range s {
		if state[root] != unseen || s[root].pays {
			continue
		}
		state[root] = open
		for path := []at{{n: root}}; len(path) > 0; {
			v := &path[len(path)-1]
			if v.next == len(s[v.n].to) {
				state[v.n] = done
				path = path[:len(path)-1]
				continue
			}
			to := s[v.n].to[v.next]
			v.next++
			switch {
			case to >= len(s) || s[to].pays || state[to] == done:
			case state[to] == open:
				return to
			default:
				state[to] = open
				path = append(path, at{n: to})
			}
		}
	}
	return -1
}

// requireEachCyclePays rewrites a module and checks all of its functions.
func requireEachCyclePays(t testing.TB, wasm []byte) {
	m, err := Parse(wasm, Limits{})
	if err != nil {
		return
	}
	r, err := Rewrite(m, Plan{})
	if err != nil {
		return
	}
	again, err := Parse(r.Bytes, Limits{})
	require.NoError(t, err)
	for i := range m.bodies {
		k := walker{w: &writer{m: m}}
		k.begin(i)
		own := k.locals
		s := steps(t, again, i, own, uint32(m.ImportedGlobals+globalBudget))
		if n := freeCycle(s); n >= 0 {
			t.Fatalf("function %d comes back to the instruction at %#x for nothing: % x", i, s[n].start, again.bytes[s[0].start:s[len(s)-1].end])
		}
	}
}

// oneFunction is a module of a function with a parameter, a local and that code.
func oneFunction(code ...byte) []byte {
	b := append([]byte{}, preamble...)
	b = appendSection(b, secType, []byte{1, 0x60, 1, byte(I32), 0})
	b = appendSection(b, secFunction, []byte{1, 0})
	b = appendSection(b, secMemory, []byte{1, 0, 1})
	body := append(append([]byte{1, 1, byte(I32)}, code...), opEnd)
	return appendSection(b, secCode, append(appendU32([]byte{1}, uint32(len(body))), body...))
}

// jumpTo jumps through the start of a loop.
func jumpTo(local, k, label byte) []byte {
	return []byte{opI32Const, k, opLocalSet, local, opBr, label}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// blocksOf is the loop that Go makes of a function, of three blocks of code.
func blocksOf(first, second, third []byte) []byte {
	return join([]byte{
		opLoop, blockVoid, opBlock, blockVoid, opBlock, blockVoid, opBlock, blockVoid,
		opLocalGet, 0, opBrTable, 2, 0, 1, 2, opEnd,
	}, first, []byte{opEnd}, second, []byte{opEnd}, third, []byte{opEnd})
}

var loopCases = map[string]struct {
	code []byte
	back int // payments for a way back
}{
	"br":             {[]byte{opLoop, blockVoid, opBr, 0, opEnd}, 1},
	"br_if":          {[]byte{opLoop, blockVoid, opLocalGet, 0, opBrIf, 0, opEnd}, 1},
	"br_table":       {[]byte{opLoop, blockVoid, opBlock, blockVoid, opLocalGet, 0, opBrTable, 2, 0, 1, 2, opEnd, opEnd}, 1},
	"from deep":      {[]byte{opLoop, blockVoid, opBlock, blockVoid, opLocalGet, 0, opIf, blockVoid, opBr, 2, opEnd, opEnd, opEnd}, 1},
	"two ways":       {[]byte{opLoop, blockVoid, opLocalGet, 0, opBrIf, 0, opLocalGet, 0, opBrIf, 0, opEnd}, 2},
	"with a value":   {[]byte{opLocalGet, 0, opLoop, 0, opLocalGet, 0, opBrIf, 0, opDrop, opEnd}, 1},
	"no way back":    {[]byte{opLoop, blockVoid, opEnd}, 0},
	"nested":         {[]byte{opLoop, blockVoid, opLoop, blockVoid, opLocalGet, 0, opBrIf, 0, opBr, 1, opEnd, opEnd}, 2},
	"ahead":          {blocksOf(jumpTo(0, 2, 2), jumpTo(0, 2, 1), nil), 0},
	"ahead, default": {blocksOf(jumpTo(0, 0x7f, 2), nil, nil), 0},
	"back":           {blocksOf(nil, jumpTo(0, 0, 1), nil), 1},
	"to itself":      {blocksOf(nil, jumpTo(0, 1, 1), nil), 1}, // its start is the end of a block that is closed
	"from the last":  {blocksOf(nil, nil, jumpTo(0, 2, 0)), 1},
	"other local":    {blocksOf(jumpTo(1, 2, 2), nil, nil), 1},
	"not constant":   {blocksOf([]byte{opLocalGet, 1, opLocalSet, 0, opBr, 2}, nil, nil), 1},
	"set before":     {blocksOf([]byte{opI32Const, 2, opLocalSet, 0, 1, opBr, 2}, nil, nil), 1},
	"in another block": {blocksOf(nil, nil, join([]byte{
		opBlock, blockVoid, opBlock, blockVoid, opBlock, blockVoid}, jumpTo(0, 2, 3), []byte{opEnd, opEnd, opEnd})), 1},
	"the start does more": {join([]byte{
		opLoop, blockVoid, opBlock, blockVoid, 1, opLocalGet, 0, opBrTable, 0, 0, opEnd,
		opBlock, blockVoid}, jumpTo(0, 0, 1), []byte{opEnd, opEnd}), 1},
}

// TestEachWayBackPays: code cannot be come back to without a payment, and ways
// ahead that look like ways back are free.
func TestEachWayBackPays(t *testing.T) {
	t.Parallel()
	for name, c := range loopCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wasm := oneFunction(c.code...)
			requireEachCyclePays(t, wasm)
			m, err := Parse(wasm, Limits{})
			require.NoError(t, err)
			r, err := Rewrite(m, Plan{})
			require.NoError(t, err)
			again, err := Parse(r.Bytes, Limits{})
			require.NoError(t, err)
			n := 0
			for _, s := range steps(t, again, 0, 2, globalBudget) {
				if s.pays && s.op == opLocalGet {
					n++
				}
			}
			require.Equal(t, c.back, n)
		})
	}
}

// TestTheProofFindsFreeCycles: what is checked can fail.
func TestTheProofFindsFreeCycles(t *testing.T) {
	t.Parallel()
	for name, c := range loopCases {
		m, err := Parse(oneFunction(c.code...), Limits{})
		require.NoError(t, err)
		require.Equal(t, c.back > 0, freeCycle(steps(t, m, 0, 2, globalBudget)) >= 0, name)
	}
}

func TestEachCycleOfGuestsPays(t *testing.T) {
	t.Parallel()
	for name, wasm := range guestModules(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireEachCyclePays(t, wasm)
		})
	}
}

func guestModules(t testing.TB) map[string][]byte {
	files, err := filepath.Glob(filepath.Join("..", "engine", "testdata", "*.wasm"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := map[string][]byte{}
	for _, f := range files {
		all[filepath.Base(f)], err = os.ReadFile(f)
		require.NoError(t, err)
	}
	return all
}

func FuzzEachCyclePays(f *testing.F) {
	for _, c := range loopCases {
		f.Add(c.code)
	}
	for _, wasm := range guestModules(f) {
		f.Add(wasm)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !bytes.HasPrefix(b, preamble) {
			if len(b) > 1<<12 {
				return
			}
			b = oneFunction(b...)
		}
		requireEachCyclePays(t, b)
	})
}
