package component_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	bin "github.com/lathhost/lath/host/component/binary/binarytest"
	"github.com/lathhost/lath/host/component/trap"
)

// wrapped makes a component of a core module, whose functions of s32 it
// exports, by the number of their parameters.
func wrapped(module []byte, params map[string]int) []byte {
	const s32 = byte(0x7a)
	var aliases, types, canons, exports [][]byte
	for name, n := range params {
		i := len(types)
		aliases = append(aliases, bin.Cat(byte(0), byte(0), byte(1), 0, name)) // a core function of core instance 0
		list := [][]byte{}
		for k := range n {
			list = append(list, bin.Cat(fmt.Sprintf("p%d", k), s32))
		}
		types = append(types, bin.Cat(byte(0x40), bin.Vec(list...), byte(0), s32))
		canons = append(canons, bin.Cat(byte(0), byte(0), i, bin.Vec(), i))
		exports = append(exports, bin.Cat(bin.Extern(name), byte(1), i, byte(0)))
	}
	return bin.Component(bin.Raw(bin.CoreModule, module), bin.Section(bin.CoreInstance, bin.Cat(byte(0), 0, bin.Vec())),
		bin.Section(bin.Alias, aliases...), bin.Section(bin.Type, types...), bin.Section(bin.Canon, canons...), bin.Section(bin.Export, exports...))
}

func divideGuest(t *testing.T, file string, debug bool) *component.Template {
	t.Helper()
	module, err := os.ReadFile("source/testdata/" + file)
	require.NoError(t, err)
	c, err := newRuntime(t).Compile(wrapped(module, map[string]int{"divide": 2, "recurse": 1}))
	require.NoError(t, err)
	return linkTo(t, c, component.LinkConfig{Name: "calc", Debug: debug})
}

func TestBacktracesNameFunctions(t *testing.T) {
	t.Parallel()
	tm := divideGuest(t, "divide5.wasm", false)
	_, err := call(t, tm, "divide(1, 0)")
	require.Equal(t, trap.DivideByZero, trap.As(err).Code)
	require.Equal(t, "quotient (divide5.wasm)\ndivide (divide5.wasm)", trap.As(err).Stack.String())
	require.Equal(t, "calc: divide: integer divide by zero\nbacktrace, innermost first:\n"+
		"    quotient (divide5.wasm)\n    divide (divide5.wasm)", trap.Format(err))
	require.NotContains(t, err.Error(), "quotient", "whoever called sees no backtrace")
}

func TestDebugNamesSourceLines(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"divide4.wasm", "divide5.wasm"} {
		tm := divideGuest(t, file, true)
		_, err := call(t, tm, "divide(1, 0)")
		require.Equal(t, "quotient (divide.c:6:16)\ndivide (divide.c:10:10)", trap.As(err).Stack.String())
		_, err = call(t, tm, "recurse(2)")
		require.Equal(t, trap.Unreachable, trap.As(err).Code)
		require.Equal(t, "recurse (divide.c:19:15)\nrecurse (divide.c:20:10)\nrecurse (divide.c:20:10)", trap.As(err).Stack.String())
	}
}

func TestDeepStacksAreCut(t *testing.T) {
	t.Parallel()
	tm := divideGuest(t, "divide4.wasm", true)
	_, err := call(t, tm, "recurse(3000)")
	require.Equal(t, trap.Unreachable, trap.As(err).Code)
	stack := trap.As(err).Stack
	require.NotEmpty(t, stack)
	require.LessOrEqual(t, len(stack), trap.MaxFrames)

	types := linkTo(t, compile(t, newRuntime(t), "../../examples/types/types.wasm"), component.LinkConfig{Name: "types"})
	_, err = call(t, types, "example:types/failures.recurse(50000000)")
	require.Equal(t, trap.StackOverflow, trap.As(err).Code)
	for _, f := range trap.As(err).Stack {
		require.Contains(t, f.Func, "recurse", "the check that it trapped at is hidden")
	}
}

func TestLineTablesOfStrangers(t *testing.T) {
	t.Parallel()
	module, err := os.ReadFile("source/testdata/divide4.wasm")
	require.NoError(t, err)
	module = []byte(strings.ReplaceAll(string(module), ".debug_line", ".debug_xxxx"))
	line := append([]byte("\x0b.debug_line"), strings.Repeat("\xff", 100)...)
	c, err := newRuntime(t).Compile(wrapped(append(module, bin.Raw(0, line)...), map[string]int{"divide": 2}))
	require.NoError(t, err)
	_, err = call(t, linkTo(t, c, component.LinkConfig{Name: "calc", Debug: true}), "divide(1, 0)")
	stack := trap.As(err).Stack
	require.Len(t, stack, 2)
	require.Empty(t, stack[0].File)
	require.Contains(t, stack.String(), "quotient (divide4.wasm at code offset 0x")
}
