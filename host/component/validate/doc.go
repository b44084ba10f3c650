// Package validate checks a decoded component in full before anything of it is
// compiled: index spaces, names, types, subtyping of every instantiation,
// canonical options and the core signature of every canonical function.
//
// After [Validate] succeeds, later stages may index without checks and need
// only resolve. They share this package's type construction ([BuildType],
// [BuildFunc]) and signatures ([LiftSig], [LowerSig]), so that there is one
// place that turns the binary's types into package wit's.
//
// Of core modules it reads only the interface: types, imports, exports. Bodies
// are the engine's to check. The package knows no engine and runs nothing.
//
// Source: the component model's "Binary.md" (validation notes), "Explainer.md"
// (Type Checking, Import and Export Definitions) and "CanonicalABI.md"
// (Canonical Definitions, Flattening).
package validate
