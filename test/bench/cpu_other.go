//go:build !unix

package main

import "time"

// processorTime is how long this process has run so far; this system is not
// asked.
func processorTime() time.Duration { return 0 }
