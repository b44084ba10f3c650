package core

// meeting follows from where a place is reached at which branches meet: the end
// of a block, or the start of a loop. A local that was set on some of the ways
// and not on others, or to other values, gets a value there that the compiler
// makes up (a phi). So there are at most as many as sets between the first
// branch and the last: what was set before, all ways have in common.
type meeting struct {
	start       int // sets at the start of the block
	ways        int
	at          int // the instruction that the last way comes from
	first, last int // sets at the first and the last
}

// arrive notes that the end of f, or its start if it is a loop, is reached from
// here.
func (k *walker) arrive(f *frame) {
	m := &f.meeting
	if k.dead || m.ways > 0 && m.at == k.at {
		return
	}
	if m.ways == 0 {
		m.first = k.sets
	}
	m.ways++
	m.at, m.last = k.at, k.sets
}

// meet ends f: it counts the phis and tells whether what follows is dead.
func (k *walker) meet(f *frame) {
	m := &f.meeting
	if f.kind == opLoop { // its end is reached from one place
		if m.ways > 0 {
			k.loopPhis += min(m.last-m.start, k.locals)
		}
		return
	}
	k.arrive(f)
	switch f.kind {
	case opIf: // without else: the end is reached also from the start
		m.ways++
		m.first = m.start
	case opElse:
		m.first = m.start
	}
	if f.caught { // from anywhere before
		m.first, m.last = m.start, k.sets
	}
	if m.ways > 1 || f.caught {
		k.phis += min(m.last-m.first, k.locals)
	}
	k.dead = f.dead || m.ways == 0
}
