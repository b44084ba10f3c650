package bindgen

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// rooms are the folders below which generated files live.
var rooms = []string{"wit", "host/bind", "lattice/bind"}

// Committed returns the paths of the generated files below root.
func Committed(root string) ([]string, error) {
	var paths []string
	for _, room := range rooms {
		dir := filepath.Join(root, filepath.FromSlash(room))
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return filepath.SkipDir
			case strings.HasSuffix(path, ".gen.go"):
				rel, err := filepath.Rel(root, path)
				paths = append(paths, filepath.ToSlash(rel))
				return err
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// Write makes the generated files below root exactly the given ones.
func Write(root string, files map[string][]byte) error {
	old, err := Committed(root)
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, ok := files[path]; ok {
			continue
		}
		if err := os.Remove(filepath.Join(root, filepath.FromSlash(path))); err != nil {
			return err
		}
	}
	for path, data := range files {
		path = filepath.Join(root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
