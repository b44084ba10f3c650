package binary

// Limits bound what one component may ask of the host that reads it. They
// count over the whole input, nested components included. A zero field means
// its default.
type Limits struct {
	// Bytes is the most bytes of input. Default 64 MiB.
	Bytes int
	// Modules is the most core modules. Default 1,000.
	Modules int
	// Instances is the most definitions of core and component instances.
	// Default 10,000.
	Instances int
	// Types is the most type definitions, core ones included. Default
	// 1,000,000.
	Types int
	// Externs is the most imports and exports, those of component and instance
	// types included. Default 100,000.
	Externs int
	// Items is the most definitions and parts of definitions of any kind
	// (fields, cases, arguments, aliases, options). Default 4,000,000. The
	// input's length bounds them too, as each takes a byte at least.
	Items int
	// Depth is the deepest nesting of components and types. Default 100.
	Depth int
	// NameBytes is the longest name. Default 100,000.
	NameBytes int
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		field *int
		value int
	}{
		{&l.Bytes, 64 << 20}, {&l.Modules, 1_000}, {&l.Instances, 10_000}, {&l.Types, 1_000_000},
		{&l.Externs, 100_000}, {&l.Items, 4_000_000}, {&l.Depth, 100}, {&l.NameBytes, 100_000},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return l
}
