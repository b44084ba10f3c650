// Package rules keeps the house in order: its tests read the source of every
// package and fail where one imports what its room must not know, or does what
// this project does not do (init functions, panicking loggers, files without
// end). The rules are those of the section "Imports go down only" of the
// architecture; each failure says which rule, why it is there, and what to do
// instead.
//
// The package has no code outside its tests.
package rules
