package fs

import (
	"path/filepath"
	"testing"
)

func FuzzName(f *testing.F) {
	for _, name := range []string{"", ".", "..", "a/b", "%", "%2e", "\x00", "a.b", ".a", "ü"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if file, err := fileName(name); err == nil {
			if back, ok := nameOf(file); !ok || back != name {
				t.Fatalf("%q became %q, which is %q, %v", name, file, back, ok)
			}
			if !filepath.IsLocal(file) || filepath.Base(file) != file || file[0] == '.' {
				t.Fatalf("%q became %q, which is no plain file name", name, file)
			}
		}
		if back, ok := nameOf(name); ok { // as the name of a file
			if file, err := fileName(back); err == nil && file != name {
				t.Fatalf("file %q is %q, whose file is %q", name, back, file)
			}
		}
	})
}
