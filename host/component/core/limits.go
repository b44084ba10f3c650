package core

import "fmt"

// Limits bound what [Parse] and [Rewrite] accept. A zero field means its
// default, which [DefaultLimits] lists.
type Limits struct {
	ModuleSize  int // bytes of the whole module
	Types       int
	Params      int // of one function type
	Results     int // of one function type
	Imports     int
	Exports     int
	Functions   int // imported ones included
	Tables      int // imported ones included
	Globals     int // imported ones included
	Tags        int // imported ones included
	Elements    int // element segments
	Data        int // data segments
	BodySize    int // bytes of one function body
	Locals      int // of one function, parameters included
	TotalLocals int // of all functions: the engine allocates for each
	Nesting     int // of blocks in one function
	NameSize    int // bytes of one import or export name
}

// DefaultLimits returns the defaults. They are at or below what browsers
// enforce, except for those that a real toolchain is known to reach.
func DefaultLimits() Limits {
	return Limits{
		ModuleSize:  64 << 20,
		Types:       100_000,
		Params:      1_000,
		Results:     1_000,
		Imports:     100_000,
		Exports:     100_000,
		Functions:   1_000_000,
		Tables:      100,
		Globals:     100_000,
		Tags:        10_000,
		Elements:    100_000,
		Data:        100_000,
		BodySize:    7_654_321,
		Locals:      50_000,
		TotalLocals: 16_000_000,
		Nesting:     50_000,
		NameSize:    100_000,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ v, d *int }{
		{&l.ModuleSize, &d.ModuleSize},
		{&l.Types, &d.Types},
		{&l.Params, &d.Params},
		{&l.Results, &d.Results},
		{&l.Imports, &d.Imports},
		{&l.Exports, &d.Exports},
		{&l.Functions, &d.Functions},
		{&l.Tables, &d.Tables},
		{&l.Globals, &d.Globals},
		{&l.Tags, &d.Tags},
		{&l.Elements, &d.Elements},
		{&l.Data, &d.Data},
		{&l.BodySize, &d.BodySize},
		{&l.Locals, &d.Locals},
		{&l.TotalLocals, &d.TotalLocals},
		{&l.Nesting, &d.Nesting},
		{&l.NameSize, &d.NameSize},
	} {
		if *f.v <= 0 {
			*f.v = *f.d
		}
	}
	return l
}

// Reason says why a module was refused.
type Reason string

// The reasons.
const (
	// Malformed: the bytes are not a module.
	Malformed Reason = "malformed"
	// Invalid: a rule of validation is broken.
	Invalid Reason = "invalid"
	// Unsupported: a feature that this runtime does not have.
	Unsupported Reason = "unsupported"
	// LimitExceeded: a limit of [Limits] or [Plan] is exceeded.
	LimitExceeded Reason = "limit exceeded"
)

// Error says why and where a module was refused.
type Error struct {
	Reason Reason
	Offset int // in the module, bytes; -1 where no place can be named
	Msg    string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("core module: %s: %s", e.Reason, e.Msg)
	}
	return fmt.Sprintf("core module at offset %#x: %s: %s", e.Offset, e.Reason, e.Msg)
}
