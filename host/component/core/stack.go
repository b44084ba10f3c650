package core

// How the stack is bounded. The engine keeps the stack of a guest's calls on
// the host's heap and lets it grow to 50 MB, for each call of the host that
// waits for another. So guests pay for stack as they pay for time: a charged
// function takes what it is estimated to need from StackGlobal when it is
// called, and gives it back when it returns.
//
// Few functions are charged: those that make calls of unknown target, those
// that catch exceptions, and for each cycle of direct calls one. Without them
// the graph of calls has no cycles, so what a function may need below it is
// known: the sum along its longest path. A charged function pays for that, too,
// and one that would leave its caller more than freeStack to pay is charged
// itself. What is called from elsewhere thus uses up to freeStack unpaid; a call
// of unknown target pays for it.
const (
	// MaxStack is the most that StackGlobal is meant to begin with, in bytes.
	MaxStack = 2 << 20
	// MaxClones likewise for ClonesGlobal.
	MaxClones = 64 << 20

	freeStack = 1024 // bytes

	// The estimate of a frame. The engine spills a value to a place of its own,
	// which no other has later. Of the values that could be spilled few are, if
	// the code was not made for it: in functions of real modules the estimate
	// is 1.4 times the truth at the median, and between a half and three times
	// as much but for one in a hundred. Code that was made for it can need
	// twelve times the estimate.
	frameBase   = 112 // bytes
	slotSize    = 8
	setShare    = 4  // sets of locals for a slot
	loopShare   = 2  // phis (values where branches meet) at the start of loops
	phiShare    = 16 // other phis
	phisPerSet  = 10 // so many at most are usual
	oddPhiShare = 4  // those beyond
	maxFrame    = 1 << 28
	firstStack  = 10240 // what the engine's stacks begin with; they double
)

// callGraph is what a scan finds in the bodies of all functions.
type callGraph struct {
	funcs   []graphNode // by function, without imported ones
	callees []uint32
	charged bool // some function is
}

// graphNode is one function.
type graphNode struct {
	callees span  // in callGraph.callees: direct calls of own functions, each once
	frame   int32 // bytes
	unknown bool  // makes calls of unknown target
	catches int32 // most try_tables inside each other

	charge int32 // what it pays when it is called, or 0
	unpaid int32 // what its callers pay
	cycle  bool  // must be charged to cut a cycle
	state  byte
}

// The states of a function in the walk through the graph.
const (
	unseen = iota
	open
	done
)

// cuts reports whether a function is charged whatever it calls.
func (n *graphNode) cuts() bool { return n.unknown || n.catches > 0 }

// visit is a step of the walk: the next callee of a function.
type visit struct {
	f    *graphNode
	next int
}

// charge decides who pays how much. It walks depth first. Calls of functions
// that are charged anyway end nothing and are not followed.
func (g *callGraph) charge() {
	var path []visit
	for i := range g.funcs {
		root := &g.funcs[i]
		if root.state != unseen {
			continue
		}
		root.state = open
		for path = append(path, visit{f: root}); len(path) > 0; {
			v := &path[len(path)-1]
			if v.next == v.f.callees.end-v.f.callees.start {
				g.settle(v.f)
				path = path[:len(path)-1]
				continue
			}
			c := &g.funcs[g.callees[v.f.callees.start+v.next]]
			v.next++
			switch {
			case c.cuts():
			case c.state == unseen:
				c.state = open
				path = append(path, visit{f: c})
			case c.state == open:
				c.cycle = true
			}
		}
	}
}

// settle sums up a function all of whose callees are done, or are charged.
func (g *callGraph) settle(n *graphNode) {
	below := int32(0)
	for _, c := range g.callees[n.callees.start:n.callees.end] {
		below = max(below, g.funcs[c].unpaid)
	}
	n.state = done
	total := min(n.frame+below, maxFrame)
	if !n.cuts() && !n.cycle && total <= freeStack {
		n.unpaid = total
		return
	}
	if n.unknown {
		total += freeStack
	}
	n.charge, g.charged = total, true
}

// slots returns how many slots values take.
func slots(types []ValType) int {
	n := len(types)
	for _, t := range types {
		if t == V128 {
			n++
		}
	}
	return n
}

// inRegisters is how many parameters or results surely travel in registers. The
// engine makes a call of a tail call that has more.
const inRegisters = 6

// isTail reports whether the engine makes a tail call of a return_call.
func (t *FuncType) isTail() bool {
	return len(t.Params) <= inRegisters && len(t.Results) <= inRegisters
}

// frameOf estimates the frame of a function that the walker has just seen.
func (k *walker) frameOf(t *FuncType) int32 {
	n := k.ops.spilled + k.sets/setShare + k.phis/phiShare + k.loopPhis/loopShare + max(k.phis-phisPerSet*k.sets, 0)/oddPhiShare
	if k.hasVectors {
		n *= 2
	}
	n += slots(t.Params) + slots(t.Results) + k.area + k.values
	return int32(min(frameBase+slotSize*n, maxFrame))
}

// giveBack returns a function's charge.
func (a *asm) giveBack(w *writer, charge int32) {
	a.getMeter(w, globalStack)
	a.i32(charge)
	a.op(opI32Add)
	a.setMeter(w, globalStack)
}

// maxCatches bounds the try_tables inside each other in one function, so that
// what they cost is within an i32.
const maxCatches = 200

// payClones takes from ClonesGlobal what the engine allocates for n try_tables:
// a copy of the whole stack for each.
func (a *asm) payClones(w *writer, n int32) {
	a.getMeter(w, globalClones)
	a.i32(MaxStack)
	a.getMeter(w, globalStack)
	a.op(opI32Sub)
	a.i32(1)
	a.op(opI32Shl)
	a.i32(firstStack)
	a.op(opI32Add)
	a.i32(n)
	a.op(opI32Mul, opI32Sub)
	a.setMeter(w, globalClones)
	a.getMeter(w, globalClones)
	a.checkIfNegative(w)
}
