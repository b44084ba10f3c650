//go:build !linux

package engine

// background does nothing: threads have no priority of their own here, or none
// that is lowered by the means at hand.
func background() {}
