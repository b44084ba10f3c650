package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lathhost/lath/host/component/trap"
)

// trapTexts says which traps of the runtime a script's text stands for: one
// entry whose text is part of the script's must have the trap's code, and words
// that are part of its text.
var trapTexts = []struct {
	script string
	codes  []trap.Code
	words  string
}{
	{"unknown handle index", []trap.Code{trap.Handle}, "unknown handle index"},
	{"used with the wrong type", []trap.Code{trap.Handle}, "used with the wrong type"},
	{"cannot remove owned resource while borrowed", []trap.Code{trap.Handle}, "borrowed"},
	{"borrow handles still remain", []trap.Code{trap.Handle}, "borrow handles still remain"},
	{"unaligned pointer", []trap.Code{trap.Abi}, "align"},
	{"not aligned", []trap.Code{trap.Abi}, "align"},
	{"string content out-of-bounds", []trap.Code{trap.Abi}, "out of bounds"},
	{"string pointer/length out of bounds", []trap.Code{trap.Abi}, "out of bounds"},
	{"list content out-of-bounds", []trap.Code{trap.Abi}, "out of bounds"},
	{"realloc return: beyond end of memory", []trap.Code{trap.Abi}, "realloc"},
	{"invalid `char` bit pattern", []trap.Code{trap.Abi}, "char"},
	{"utf-8", []trap.Code{trap.Abi}, "UTF-8"},
	{"discriminant", []trap.Code{trap.Abi}, "discriminant"},
	{"cannot leave component instance", []trap.Code{trap.MayNotLeave}, ""},
	{"cannot enter component instance", []trap.Code{trap.Reentrance}, ""},
	{"uncaught exception", []trap.Code{trap.Other}, "exception"},
	{"unreachable", []trap.Code{trap.Unreachable}, ""},
}

// tooLong is the script that tells how wasmtime fails with strings of up to
// 2^31-1 bytes. The specification forbids them from 2^28 bytes on
// (MAX_STRING_BYTE_LENGTH), before it looks at bounds or calls realloc.
const tooLong = "big-strings.wast"

// trapped reports whether err is the trap that the script's text asks for.
func trapped(err error, script, text string) error {
	t := trap.As(err)
	if t == nil {
		return fmt.Errorf("not a trap: %w", err)
	}
	if script == tooLong && t.Code == trap.Abi && strings.Contains(t.Error(), "string is too long") {
		return nil
	}
	known := false
	for _, want := range trapTexts {
		if !strings.Contains(text, want.script) {
			continue
		}
		known = true
		if slices.Contains(want.codes, t.Code) && strings.Contains(t.Error(), want.words) {
			return nil
		}
	}
	if !known {
		return fmt.Errorf("this tool does not know the text %q", text)
	}
	return fmt.Errorf("another trap than %q: %w", text, t)
}
