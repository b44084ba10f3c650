// Package source finds the places in source files that a core module's code
// came from, in the line tables (.debug_line) that toolchains leave in custom
// sections.
//
// It is written for modules of strangers: work is proportional to the bytes of
// the table, what is kept is bounded, and what cannot be read is a place that
// is not known. debug/dwarf promises neither: it makes tables as long as a
// header claims.
//
// It knows neither components nor traps. Sources: DWARF versions 2 to 5,
// section 6.2; DWARF for WebAssembly, by which an address is an offset in the
// payload of the code section.
package source
