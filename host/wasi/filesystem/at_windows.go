package filesystem

import (
	"os"

	"golang.org/x/sys/windows"
)

// chtimes sets the times of an open file.
func chtimes(f *os.File, t fileTimes) error {
	at, mt := windows.NsecToFiletime(t.accessed.UnixNano()), windows.NsecToFiletime(t.modified.UnixNano())
	return windows.SetFileTime(windows.Handle(f.Fd()), nil, &at, &mt)
}
