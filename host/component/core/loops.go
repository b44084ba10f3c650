package core

// How loops pay. Whoever branches back to a loop's start pays for the pass that
// begins there; who comes to a loop from above pays nothing, unless much code lies
// behind it. So each cycle of control flow within a function has a payment: code
// is left for what stands earlier only by a branch back to a loop. Calls, which
// make the other cycles, pay by themselves.
//
// Functions with exceptions pay at the start of each loop instead, since nothing
// can be written in front of the branch that a catch clause is.
//
// There is one branch back that is a branch ahead, and free: compilers of
// languages with goroutines or goto make of a function one loop, whose blocks jump
// through its start.
//
//	loop
//	  block block … local.get d  br_table …
//	  …
//	  i32.const k  local.set d  br LOOP
//
// The start does nothing but to go on at the end of the block that the table has
// for k. Where that block is still open, its end is ahead.

// entryRun is how many bytes of code may lie behind the start of a loop without a
// payment. They count for every pass.
const entryRun = 128

// dispatch is the start of a loop that goes on where a local says. Positions are 0
// where there is none.
type dispatch struct {
	at      int // where the br_table stands
	local   uint32
	frames  int  // blocks that are open there
	targets span // in walker.targets: the labels, the default one last
}

// jump follows how code is seen to be of the form above: each step has to stand
// where the one before it ended.
type jump struct {
	loop  int // index of the frame of the loop that was opened last
	head  int // the end of its start, as far as that is seen
	get   int // the end of the local.get in it
	local uint32

	constant int // the end of an i32.const
	value    uint32
	set      int // the end of a local.set after it
	assigned uint32
}

// sawBlock is told of blocks and loops.
func (k *walker) sawBlock(op byte) {
	switch {
	case op == opLoop:
		k.jump.loop, k.jump.head = len(k.frames)-1, k.pos
	case op == opBlock && k.at == k.jump.head:
		k.jump.head = k.pos
	}
}

// sawLocal is told of local.get and local.set.
func (k *walker) sawLocal(op byte, local uint32) {
	j := &k.jump
	switch {
	case op == opLocalGet && k.at == j.head:
		j.get, j.local = k.pos, local
	case op == opLocalSet && k.at == j.constant:
		j.set, j.assigned = k.pos, local
	}
}

// sawConstant is told of i32.const.
func (k *walker) sawConstant(v int64) { k.jump.constant, k.jump.value = k.pos, uint32(v) }

// brTable walks over a br_table.
func (k *walker) brTable(start int) {
	from, back := len(k.targets), false
	for n := k.count("branch targets", maxTargets, 1) + 1; n > 0 && k.err == nil; n-- {
		f, label := k.branch()
		back = back || f.kind == opLoop
		k.targets = append(k.targets, label)
	}
	switch j := &k.jump; {
	case k.err != nil:
		return
	case start == j.get && !back:
		k.frames[j.loop].dispatch = dispatch{at: start, local: j.local, frames: len(k.frames), targets: span{from, len(k.targets)}}
	default:
		k.targets = k.targets[:from]
	}
	if back {
		k.countPass(start)
	}
	k.end()
}

// brIf walks over a br_if. If it leads back, only who takes it pays.
func (k *walker) brIf(start int) {
	k.ops.move(-1)
	f, label := k.branch()
	switch {
	case k.err != nil || f.kind != opLoop:
	case f.params > 0: // which would have to come into the if
		k.countPass(start)
	case k.paysBack():
		k.loops = true
		k.replace(start, func(a *asm) {
			a.op(opIf, blockVoid)
			a.countPass(k.w, k.counter())
			a.opIndex(opBr, label+1)
			a.op(opEnd)
		})
	}
}

// br walks over a br.
func (k *walker) br(start int) {
	if f, _ := k.branch(); k.err == nil && f.kind == opLoop && !k.ahead(f, start) {
		k.countPass(start)
	}
	k.end()
}

// ahead reports whether a branch back to loop f goes on at what is ahead, and
// notes how long the run to it is.
func (k *walker) ahead(f *frame, start int) bool {
	d, j := &f.dispatch, &k.jump
	if d.at == 0 || start != j.set || j.assigned != d.local {
		return false
	}
	labels := k.targets[d.targets.start:d.targets.end]
	to := d.frames - 1 - int(labels[min(int(j.value), len(labels)-1)])
	if to >= len(k.frames) {
		return false
	}
	t := &k.frames[to]
	// One that was opened later, or around the loop, is another block.
	if t.opened >= d.at || t.opened <= f.opened {
		return false
	}
	t.exit = max(t.exit, k.run+dispatchRun)
	return true
}

// dispatchRun is what the way through the start of a loop counts for, in bytes.
const dispatchRun = 16

// paysBack reports whether branches back pay, and not the loops' starts.
func (k *walker) paysBack() bool { return k.w.metered && k.node.catches == 0 }

// countPass pays for a pass through a loop before the instruction at pos.
func (k *walker) countPass(pos int) {
	if !k.paysBack() {
		return
	}
	k.loops = true
	if k.scanning {
		return
	}
	k.copyTo(pos)
	k.a.countPass(k.w, k.counter())
}

// enterLoop pays for what lies behind a loop that has just been opened, or for
// each pass if branches back to it do not.
func (k *walker) enterLoop() {
	k.hasLoops = true
	switch {
	case !k.w.metered:
	case k.paysBack():
		if k.run > entryRun {
			k.countPass(k.at)
			k.run = 0
		}
	default:
		k.loops, k.run = true, 0
		if k.scanning {
			return
		}
		k.copyTo(k.pos)
		k.caught() // it may be here
		k.a.countPass(k.w, k.counter())
	}
}
