// Package must builds types that are known to be valid when the program is
// written. Only generated contracts use it.
package must

import "github.com/lathhost/lath/wit"

// Type returns t. An error is a bug of the generator, which checked the type
// before it wrote it down, and panics when the program starts.
func Type(t *wit.Type, err error) *wit.Type {
	if err != nil {
		panic(err)
	}
	return t
}
