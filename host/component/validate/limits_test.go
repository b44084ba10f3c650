package validate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/binary"
	. "github.com/lathhost/lath/host/component/binary/binarytest"
	"github.com/lathhost/lath/host/component/validate"
)

// doubling is a chain of n tuples, each of the one before it twice: small to
// write, and of 2^n parts when written out. wrap goes around each.
func doubling(n int, first ...byte) []byte {
	types := [][]byte{first}
	for i := range n {
		types = append(types, Cat(byte(0x6f), Vec(Index(i*2), Index(i*2))), Cat(byte(0x70), Index(i*2+1)))
	}
	return Component(Section(Type, types...))
}

func TestLimitTypeParts(t *testing.T) {
	t.Parallel()
	_, err := check(t, doubling(10, 0x7d), validate.Limits{})
	require.NoError(t, err)
	_, err = check(t, doubling(40, 0x7d), validate.Limits{})
	require.ErrorContains(t, err, "type has too many parts")
}

func TestLimitTypeDepth(t *testing.T) {
	t.Parallel()
	chain := func(n int) []byte {
		types := [][]byte{{0x42, 0}}
		for i := range n { // each exports an instance of the one before
			types = append(types, Cat(byte(0x42), Vec(Cat([]byte{2, 3, 2, 1}, i), Cat(byte(4), Extern("a"), []byte{5, 0}))))
		}
		return Component(Section(Type, types...))
	}
	_, err := check(t, chain(4), validate.Limits{TypeDepth: 5})
	require.NoError(t, err)
	_, err = check(t, chain(5), validate.Limits{TypeDepth: 5})
	require.ErrorContains(t, err, "instance type nests deeper than 5")
	_, err = check(t, chain(5000), validate.Limits{})
	require.ErrorContains(t, err, "nests deeper than 100")

	options := [][]byte{{0x7d}}
	for i := range 200 {
		options = append(options, Cat(byte(0x6b), Index(i)))
	}
	_, err = check(t, Component(Section(Type, options...)), validate.Limits{})
	require.ErrorContains(t, err, "nests deeper than 100")
}

func TestLimitSupertypes(t *testing.T) {
	t.Parallel()
	chain := func(n int) []byte { // in groups of two, to count through both
		types := [][]byte{{0x50, 0, 0x60, 0, 0}}
		for i := 0; i < n; i += 2 {
			types = append(types, Cat(byte(0x4e), Vec(
				Cat([]byte{0x50, 1}, i, []byte{0x60, 0, 0}), Cat([]byte{0x50, 1}, i+1, []byte{0x60, 0, 0}))))
		}
		return Component(Raw(CoreModule, Module(Section(1, types...))))
	}
	_, err := check(t, chain(62), validate.Limits{})
	require.NoError(t, err)
	_, err = check(t, chain(64), validate.Limits{})
	require.ErrorContains(t, err, "more than 63 supertypes")
}

// TestLimitWork instantiates a component that instantiates one twice, and so
// on: each level doubles what has to be copied.
func TestLimitWork(t *testing.T) {
	t.Parallel()
	// level 0 exports a resource; level i instantiates level i-1 twice and
	// exports both.
	level := Component(Section(Type, []byte{0x3f, 0x7f, 0}), Section(Export, Cat(Extern("r"), []byte{3, 0, 0})))
	for range 24 {
		level = Component(Raw(Nested, level), Section(Instance, []byte{0, 0, 0}, []byte{0, 0, 0}),
			Section(Export, Cat(Extern("a"), []byte{5, 0, 0}), Cat(Extern("b"), []byte{5, 1, 0})))
	}
	_, err := check(t, level, validate.Limits{})
	require.ErrorContains(t, err, "too much work to check")
	var e *binary.Error
	require.ErrorAs(t, err, &e)
}

func BenchmarkValidate(b *testing.B) {
	c, err := binary.Decode(fixture(b, "valid", "store"), binary.Limits{})
	require.NoError(b, err)
	for b.Loop() {
		if _, err := validate.Validate(c, validate.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzValidate(f *testing.F) {
	for _, dir := range []string{"valid", "invalid"} {
		for name := range cases(f, dir+".wast") {
			f.Add(fixture(f, dir, name))
		}
	}
	f.Add(doubling(20, 0x73))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := binary.Decode(b, binary.Limits{Items: 10_000})
		if err != nil {
			return
		}
		info, err := validate.Validate(c, validate.Limits{Work: 100_000})
		if (info == nil) == (err == nil) {
			t.Fatalf("info %v and error %v", info, err)
		}
	})
}
