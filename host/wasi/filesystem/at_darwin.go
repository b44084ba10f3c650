package filesystem

import "os"

// chtimes sets the times of an open file.
func chtimes(f *os.File, t fileTimes) error {
	spec, err := t.spec()
	if err != nil {
		return err
	}
	return futimes(f, spec)
}
