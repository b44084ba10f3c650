// Package link flattens a validated component. It walks nested components,
// instances, aliases, bags of exports and type imports once and leaves a
// [Plan]: a straight list of core instantiations whose every import is
// resolved to a source, the canonical functions they need, and the exports.
// What a component tree is at run time is then only a number of [Instance]
// records: a handle table and a few flags each. Helper modules by which imports
// take a detour through a table are left out where nothing needs them.
//
// The package trusts validity: package validate has checked every index, type
// and name before. It does check what validation cannot know, that is, the
// imports of the root component against what the host offers.
//
// It must not know wazero, memory or values.
//
// Source: component model explainer, "Instance Definitions", "Alias
// Definitions", "Import and Export Definitions".
package link
