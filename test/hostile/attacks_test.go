package hostile_test

import (
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
)

// attack is what one guest tries.
type attack struct {
	guest string
	// calls are made on one instance, in order; none: it is enough to make one.
	calls []string
	// ends cuts the calls off after that time: these have no end of their own.
	ends   time.Duration
	limits component.Limits
	// code is of the trap that ends it; empty: answer is what it gets.
	code   trap.Code
	answer string
	// text is part of the error.
	text string
	// refused: Link refuses the guest, with text.
	refused bool
}

func calls(list ...string) []string { return list }

// soon is long enough for an attack to show, and cuts it off.
const soon = 25 * time.Millisecond

// endless are attacks that only their deadline ends.
func endless(guest string, exprs ...string) (list []attack) {
	for _, expr := range exprs {
		list = append(list, attack{guest: guest, calls: calls(expr), ends: soon, code: trap.Deadline})
	}
	return list
}

// traps are attacks that all end in one kind of trap, by themselves.
func traps(code trap.Code, guest string, exprs ...string) (list []attack) {
	for _, expr := range exprs {
		list = append(list, attack{guest: guest, calls: calls(expr), code: code})
	}
	return list
}

func refused(guest, text string) []attack {
	return []attack{{guest: guest, refused: true, text: text}}
}

// attacks are all of them, by what they are after.
var attacks = map[string][][]attack{
	"time": {
		endless("cpu", "tree()", "tail()", "branches()", "fill()", "copy()", "table-fill()", "table-copy()", "ref()", "throw()", "deep-throw()"),
		endless("loops", "spin()", "dtor()"),
		{{guest: "start", ends: soon, code: trap.Deadline}},
		{{guest: "postreturn", calls: calls("run(3)"), ends: soon, code: trap.Deadline}},
		{{guest: "realloc", calls: calls("set(3, 0)", `hostile:test/self.take("x")`), ends: soon, code: trap.Deadline}},
		{{guest: "objects", calls: calls("run(5)"), ends: soon, code: trap.Deadline}},
		{{guest: "cpu", calls: calls("tree()"), limits: component.Limits{CPU: time.Millisecond}, code: trap.Limit, text: "ticks of CPU time"}},
		{{guest: "storms", calls: calls("clock()"), limits: component.Limits{CPU: time.Millisecond}, code: trap.Limit, text: "ticks of CPU time"}},
		traps(trap.Other, "cpu", "uncaught()"),
	},
	"stack": {
		traps(trap.StackOverflow, "cpu", "recurse()", "mutual()", "indirect()", "wide()", "tries()"),
		{{guest: "start-recursion", code: trap.StackOverflow}},
		traps(trap.StackOverflow, "recursion", "run(4000000000)"),
		traps(trap.StackOverflow, "dtor-recursion", "run()"),
	},
	"memory": {
		endless("cpu", "grow()", "table-grow()"),
		refused("minimum-memory", "memory of 65536 pages, at most 4096 are allowed"),
		refused("minimum-table", "4294967295"),
		refused("bomb-memories", "101 memories, at most 100 are allowed"),
		refused("bomb-tables", "tables of 1200000 entries, at most 1000000 are allowed"),
		{{guest: "memories", limits: component.Limits{Memory: 7 << 20}, code: trap.Limit}},
		{{guest: "lies", calls: calls("strings(200000)"), code: trap.Limit, text: "more host memory than one call may"}},
	},
	"compiler": {
		refused("bomb-exports", "component executes more than 1000000 definitions"),
		refused("bomb-types", "component executes more than 1000000 definitions"),
		refused("bomb-imports", "component executes more than 1000000 definitions"),
		refused("bomb-canons", "component has more than 20000 canonical functions"),
		{{guest: "bomb-modules", limits: component.Limits{CodeBytes: 1 << 20}, refused: true, text: "at most 1048576 are allowed"}},
		{{guest: "bomb-modules", limits: component.Limits{CompileTime: time.Millisecond}, refused: true, text: "compiling took more than 1ms"}},
	},
	"engine": {
		{{guest: "elements", code: trap.TableOutOfBounds}},
		{{guest: "data", code: trap.MemoryOutOfBounds}},
		traps(trap.TableOutOfBounds, "adapters", "run(0)", "run(77)", "run(4294967295)"),
		traps(trap.IndirectCall, "adapters", "run(1)"),
		traps(trap.Abi, "adapters", "text()"),
	},
	"values": {
		traps(trap.Abi, "lies",
			"char(55296)", "char(1114112)", "char(4294967295)", "enum(3)", "enum(4294967295)",
			"option(40)", "result(40)", "option(2)", "option(65532)", "option(4294967292)",
			"numbers(65536, 1)", "numbers(8, 4294967295)", "numbers(8, 536870912)", "numbers(4, 1)", "bytes(1, 4294967295)", "bytes(65535, 2)",
			"enums(40, 1)", "chars(32, 1)",
			"utf8(16, 2)", "utf8(18, 3)", "utf8(22, 4)", "utf8(26, 2)", "utf8(65536, 1)", "utf8(0, 4294967295)",
			"utf16(32, 2)", "utf16(36, 1)", "utf16(33, 1)", "utf16(65534, 2)", "utf16(0, 2147483647)", "utf16(0, 4294967295)",
			"latin1(32, 2147483650)", "latin1(36, 2147483649)", "latin1(33, 2147483649)", "latin1(65535, 2)", "latin1(0, 4294967295)",
			"log8(6, 0, 0)", "log8(4294967295, 0, 0)", "log8(1, 16, 2)", "log8(1, 18, 3)", "log8(1, 65535, 2)", "log8(1, 0, 4294967295)",
			"log16(1, 32, 2)", "log16(1, 33, 1)", "log16(1, 0, 2147483647)", "log1(1, 32, 2147483650)", "log1(1, 0, 4294967295)"),
		{{guest: "lies", calls: calls("flags(4294967295)"), answer: "{a, b}"}}, // the specification drops what has no name
		{{guest: "lies", calls: calls("bool(2)"), answer: "true"}},
	},
	"handles": {
		{{guest: "loops", calls: calls("bomb()"), code: trap.Limit, text: "too many open handles"}},
		{{guest: "hoard", calls: calls("run(4000000000, false)"), limits: component.Limits{Handles: 5000}, code: trap.Limit}},
		traps(trap.Limit, "storms", "pollables()", "streams()"),
		traps(trap.Handle, "handles", "twice()", "guess(0)", "guess(1)", "guess(4294967295)", "rep(1)", "other()", "moved()", "in-dtor()", "chain()"),
		traps(trap.Handle, "objects", "run(2)", "run(3)"),
		traps(trap.MayNotLeave, "postreturn", "run(1)", "run(2)"),
	},
	"re-entrance": {
		{{guest: "reenter", calls: calls("back()")}},
		traps(trap.Reentrance, "reenter", "again()", "dtor()"),
		{{guest: "realloc", calls: calls("set(5, 0)", `hostile:test/self.take("x")`), code: trap.MayNotLeave}},
		{{guest: "reenter", calls: calls("back()", "again()"), code: trap.Reentrance}},
	},
	"host": {
		endless("storms", "clock()", "random(1000000)", "random(0)", "environment()", "open-drop()", "flood(120)", "flood(10)", "flood(0)"),
		endless("storms", "sleep(9223372036854775807)", "sleep(18446744073709551615)", "read()", "poll(1)", "poll(60000)"),
		endless("objects", "run(6)"),
		traps(trap.Limit, "storms", "random(67108864)", "random(18446744073709551615)"),
		traps(trap.Import, "storms", "poll(1000000)"),
	},
}
