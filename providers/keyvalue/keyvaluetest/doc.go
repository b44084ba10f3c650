// Package keyvaluetest is what every key-value backend must do, as tests: [Run]
// for the behaviour, [RunLimits] for a backend's own limits. A backend is done
// when both pass, called directly and through the generated stubs.
package keyvaluetest
