package abi

import (
	"fmt"
	"strings"

	"github.com/lathhost/lath/wit"
)

var opNames = [...]string{
	opBool: "bool", opU8: "u8", opS8: "s8", opU16: "u16", opS16: "s16", opU32: "u32",
	opS32: "s32", opU64: "u64", opS64: "s64", opF32: "f32", opF64: "f64", opChar: "char",
	opFlags: "flags", opEnum: "enum", opCopy: "copy", opFixed: "fixed", opRun: "run", opVariant: "variant", opJump: "jump",
	opCall: "call", opRepeat: "repeat", opString: "string", opList: "list",
	opListCopy: "list-copy", opOwn: "own", opBorrow: "borrow",
}

// String returns the op's keyword in printed programs.
func (c opcode) String() string {
	if int(c) < len(opNames) {
		return opNames[c]
	}
	return fmt.Sprintf("op(%d)", uint8(c))
}

// String prints the program for people: one op a line, "@" its offset in memory
// and "$" its slot, parts that are called or looped over as numbered blocks.
func (t *Transfer) String() string {
	return fmt.Sprintf("transfer %s to %s, %s", t.src, t.dst, t.tuple.print())
}

// String prints the program as [Transfer.String] does.
func (w *Wire) String() string { return fmt.Sprintf("wire %s, %s", w.enc, w.tuple.print()) }

func (t *tuple) print() string {
	p := printer{ids: make(map[*block]int)}
	fmt.Fprintf(&p, "size %d align %d flat %v\n", t.size, t.align, t.flat)
	p.block("memory", t.mem, false)
	if t.slots != nil {
		p.block("flat", t.slots, true)
	}
	for len(p.queue) > 0 {
		next := p.queue[0]
		p.queue = p.queue[1:]
		p.block(fmt.Sprintf("block %d", p.ids[next.b]), next.b, next.flat)
	}
	return p.String()
}

type queued struct {
	b    *block
	flat bool
}

type printer struct {
	strings.Builder
	ids   map[*block]int
	queue []queued
}

// id numbers a block, and queues it the first time.
func (p *printer) id(b *block, flat bool) int {
	n, ok := p.ids[b]
	if !ok {
		n = len(p.ids) + 1
		p.ids[b] = n
		p.queue = append(p.queue, queued{b, flat})
	}
	return n
}

func (p *printer) block(name string, b *block, flat bool) {
	fmt.Fprintf(p, "%s:\n", name)
	for i := range b.ops {
		o := &b.ops[i]
		fmt.Fprintf(p, "%4d  %s", i, o.code)
		switch {
		case o.code == opJump:
			fmt.Fprintf(p, " %d\n", o.arg)
			continue
		case flat:
			fmt.Fprintf(p, " $%d @%d", o.slot, o.off)
		default:
			fmt.Fprintf(p, " @%d", o.off)
		}
		p.operands(o, b, flat)
		p.WriteByte('\n')
	}
}

func (p *printer) operands(o *op, b *block, flat bool) {
	switch o.code {
	case opFlags, opEnum:
		fmt.Fprintf(p, " n=%d size=%d", o.n, o.size)
	case opCopy:
		fmt.Fprintf(p, " n=%d", o.n)
	case opFixed:
		fmt.Fprintf(p, " n=%d", o.fixed.size)
		for _, w := range o.fixed.words {
			fmt.Fprintf(p, " %d&%016x", w.off, w.mask)
			if w.some != 0 {
				fmt.Fprintf(p, "|%016x?%d", w.some, w.disc)
			}
		}
		for _, c := range o.fixed.checks {
			fmt.Fprintf(p, " %s@%d", c.code, c.off)
		}
	case opRun:
		for _, r := range o.run.ops {
			fmt.Fprintf(p, " %s@%d", r.code, r.off)
		}
	case opVariant:
		fmt.Fprintf(p, " size=%d to %v", o.size, b.jumps[o.arg:][:o.n])
	case opCall:
		fmt.Fprintf(p, " block %d", p.id(o.sub, flat))
	case opRepeat:
		fmt.Fprintf(p, " n=%d step=%d block %d", o.n, o.arg, p.id(o.sub, flat))
	case opList:
		fmt.Fprintf(p, " of %d align=%d block %d", o.n, o.size, p.id(o.sub, false))
	case opListCopy:
		fmt.Fprintf(p, " of %d align=%d", o.n, o.size)
	case opOwn, opBorrow:
		fmt.Fprintf(p, " %s", resourceName(o.res))
	}
}

func resourceName(r *wit.Resource) string {
	if r == nil {
		return "?"
	}
	return r.Name
}
