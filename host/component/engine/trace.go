package engine

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero/sys"

	"github.com/lathhost/lath/host/component/trap"
)

// Symbols knows the functions of the modules that have a number: see [Source].
type Symbols interface {
	// Frames appends what one frame of the engine's stack stands for, innermost
	// first: nothing for a function that the host put in, several where others
	// are inlined. offset is where in the code section of the module as it was
	// compiled, 0 where that is not known.
	Frames(dst trap.Stack, module, function, offset uint32) trap.Stack
}

// mark returns a module that is compiled once and by itself, whatever else is:
// a custom section has its serial number. Its frames in backtraces can be told
// from others': wazero gives backtraces as text alone, of names that a guest may
// choose, so the module gets the name of a number, unless it has names. With
// offsets, backtraces say where in the code section each frame is; compiling
// costs more then.
func mark(wasm []byte, named bool, number uint32, offsets bool, serial uint64) []byte {
	out := append(make([]byte, 0, len(wasm)+256), wasm...)
	if named {
		name := markPrefix + strconv.FormatUint(uint64(number), 10)
		out = appendCustom(out, "name", append([]byte{0, byte(len(name) + 1), byte(len(name))}, name...))
	}
	if offsets {
		for _, s := range probe {
			out = appendCustom(out, s.name, s.data)
		}
	}
	return appendCustom(out, "lath", binary.LittleEndian.AppendUint64(nil, serial))
}

const markPrefix = "m"

// appendCustom appends a custom section; the name and the data are short.
func appendCustom(out []byte, name string, data []byte) []byte {
	size := 1 + len(name) + len(data)
	out = append(out, 0, byte(size)|0x80, byte(size>>7))
	out = append(append(out, byte(len(name))), name...)
	return append(out, data...)
}

// probe is debugging information, DWARF 4, of one unit of one line that spans
// all code. wazero tells the offset of a frame only with the line that it finds
// for it; this way it finds this one, at once, and never reads what a guest
// claims.
var probe = []struct {
	name string
	data []byte
}{
	{".debug_abbrev", []byte{
		1, 0x11, 0, // 1: a compile unit without children
		0x10, 0x17, // its lines: an offset in .debug_line
		0x11, 0x01, 0x12, 0x06, // from an address, so many bytes
		0, 0, 0,
	}},
	{".debug_info", []byte{
		20, 0, 0, 0, 4, 0, 0, 0, 0, 0, 4, // length, version, abbreviations, size of an address
		1, 0, 0, 0, 0, 1, 0, 0, 0, 0xfe, 0xff, 0xff, 0x7f, // 0x00000001 to 0x7fffffff
	}},
	{".debug_line", []byte{
		49, 0, 0, 0, 4, 0, 25, 0, 0, 0, // length, version, length of the header
		1, 1, 1, 0xfb, 14, 13, // the usual encoding
		0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, // lengths of standard opcodes
		0,                  // no directories
		'm', 0, 0, 0, 0, 0, // one file
		0, 5, 2, 0, 0, 0, 0, 1, // from 0
		0, 5, 2, 0xff, 0xff, 0xff, 0x7f, // to the end
		0, 1, 1,
	}},
}

// The parts of wazero's error texts.
const (
	wasmPrefix  = "wasm error: "
	stackMarker = "\nwasm stack trace:\n\t"
	goMarker    = "\n\nGo runtime stack trace:\n"
	recovered   = " (recovered by wazero)"
)

// asTrap converts an error of wazero.
func asTrap(symbols Symbols, err error) *trap.Error {
	msg, text := err.Error(), ""
	if i := strings.LastIndex(msg, stackMarker); i >= 0 {
		msg, text = msg[:i], msg[i+len(stackMarker):]
	}
	text, goStack, _ := strings.Cut(text, goMarker)
	stack := parseStack(symbols, text)
	if t := trap.As(err); t != nil {
		c := *t // it may be shared
		c.Stack = trap.Join(c.Stack, stack)
		return &c
	}
	if _, ok := errors.AsType[*sys.ExitError](err); ok {
		return &trap.Error{Code: trap.Poisoned, Msg: "the instance is closed"}
	}
	if text, ok := strings.CutPrefix(msg, wasmPrefix); ok || traps[msg] != "" {
		code, known := traps[text]
		if !known {
			return &trap.Error{Code: trap.Other, Msg: text, Stack: stack}
		}
		return &trap.Error{Code: code, Stack: stack}
	}
	return &trap.Error{Code: trap.Host, Msg: strings.TrimSuffix(msg, recovered), Stack: stack, GoStack: goStack, Err: err}
}

// parseStack reads the text of a stack: lines such as "m3.$17(i32,i32) i32",
// each of which one of the form "\t0x1f: file:line" may follow.
func parseStack(symbols Symbols, text string) trap.Stack {
	var stack trap.Stack
	lines := strings.Split(text, "\n\t")
	for i, line := range lines {
		module, function, ok := parseFrame(line)
		if !ok {
			continue
		}
		var offset uint32
		if i+1 < len(lines) {
			offset = parseOffset(lines[i+1])
		}
		if symbols == nil {
			stack = append(stack, trap.Frame{Index: function, Offset: offset})
		} else {
			stack = symbols.Frames(stack, module, function, offset)
		}
		if len(stack) >= trap.MaxFrames {
			return stack[:trap.MaxFrames]
		}
	}
	return stack
}

// parseFrame reads the line of a frame. Frames of modules without a mark, the
// host's among them, are passed over.
func parseFrame(line string) (module, function uint32, ok bool) {
	line, ok = strings.CutPrefix(line, markPrefix)
	if !ok {
		return 0, 0, false
	}
	name, rest, ok := strings.Cut(line, ".$")
	if !ok {
		return 0, 0, false
	}
	index, _, _ := strings.Cut(rest, "(")
	m, err := strconv.ParseUint(name, 10, 32)
	f, err2 := strconv.ParseUint(index, 10, 32)
	return uint32(m), uint32(f), err == nil && err2 == nil
}

func parseOffset(line string) uint32 {
	line, ok := strings.CutPrefix(line, "\t0x")
	if !ok {
		return 0
	}
	hex, _, _ := strings.Cut(line, ":")
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}
