package core

// How the stack is bounded. The engine keeps the stack of a guest's calls on
// the host's heap and lets it grow to 50 MB, for each call of the host that
// waits for another. So guests pay for stack as they pay for time: a charged
// function takes what it is estimated to need from StackGlobal when it is
// called, and gives it back when it returns.
//
// Few functions are charged: those that make calls of unknown target, those
// that catch exceptions, and for each cycle of direct calls one. Without them
// the graph of calls has no cycles, so what the others need is known. Those on
// the way to a charged function are paid for by the charged one above them; if
// they would need more than freeWay, one of them is charged too. A call of
// unknown target pays freeWay for whatever is on the way there. What calls none
// that is charged is at the end of the stack, where it is only once, and up to
// freeEnd costs nothing.
const (
	// MaxStack is the most that StackGlobal is meant to begin with, in bytes.
	MaxStack = 3 << 20
	// MaxClones likewise for ClonesGlobal.
	MaxClones = 64 << 20

	freeWay = 512  // bytes
	freeEnd = 4096 // bytes

	// The estimate of a frame. The engine spills a value to a place of its own,
	// which no other has later. Of the values that could be spilled few are, if
	// the code was not made for it; code that was needs up to four times the
	// estimate.
	frameBase  = 112 // bytes
	slotSize   = 8
	setShare   = 4 // sets of locals for a slot
	phiShare   = 2 // likewise values that are made up where branches meet
	loopShare  = 2 // likewise where loops start
	maxFrame   = 1 << 28
	firstStack = 10240 // what the engine's stacks begin with; they double
)

// callGraph is what a scan finds in the bodies of all functions.
type callGraph struct {
	funcs   []graphNode // by function, without imported ones
	callees []uint32
	charges bool // some function
}

// graphNode is one function.
type graphNode struct {
	callees span  // in callGraph.callees: direct calls of own functions, each once
	frame   int32 // bytes
	unknown bool  // makes calls of unknown target
	catches int32 // most try_tables inside each other

	charge int32 // what it pays when it is called, or 0
	way    int32 // what its callers pay: the longest way to a charged function
	end    int32 // the longest way to an end without one
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
	way, end, leads := int32(0), int32(0), false
	for _, i := range g.callees[n.callees.start:n.callees.end] {
		c := &g.funcs[i]
		way, end = max(way, c.way), max(end, c.end)
		leads = leads || c.way > 0 || c.charged()
	}
	n.state = done
	way, end = min(n.frame+way, maxFrame), min(n.frame+end, maxFrame)
	if !n.charged() && (!leads || way <= freeWay) && end <= freeEnd {
		n.end = end
		if leads {
			n.way = way
		}
		return
	}
	n.charge, g.charges = way, true
	if n.unknown {
		n.charge += freeWay
	}
}

// charged reports whether a function is known to be charged.
func (n *graphNode) charged() bool { return n.cuts() || n.cycle || n.charge > 0 }

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
	n := k.ops.spilled + k.sets/setShare + k.phis/phiShare + k.loopPhis/loopShare
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
