package rules

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/lathhost/lath"

// A file is one Go source file. Build tags are ignored: rules hold everywhere.
type file struct {
	path      string // from the module's root, with slashes
	pkg       string // the folder; "." is the root
	test      bool   // *_test.go, or of a package for tests
	generated bool
	lines     int
	imports   []imported
	syntax    *ast.File
	fset      *token.FileSet
}

type imported struct {
	path string
	line int
}

// tree is all Go source of a module.
type tree []file

// load reads the Go files of a module. It leaves out what the go command
// leaves out.
func load(root fs.FS) (tree, error) {
	var t tree
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		hidden := base != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_"))
		if d.IsDir() {
			if hidden || base == "testdata" || guestModule(name) {
				return fs.SkipDir
			}
			return nil
		}
		if hidden || path.Ext(name) != ".go" {
			return nil
		}
		f, err := loadFile(root, name)
		t = append(t, f)
		return err
	})
	return t, err
}

// guestModule says whether a folder is a guest in Go, examples/NAME/guest: a module
// of its own, for other toolchains and machines of 32 bits.
func guestModule(dir string) bool {
	is, _ := path.Match("examples/*/guest", dir)
	return is
}

func loadFile(root fs.FS, name string) (file, error) {
	f := file{path: name, pkg: path.Dir(name), fset: token.NewFileSet()}
	f.test = strings.HasSuffix(name, "_test.go") || forTests(f.pkg)
	source, err := fs.ReadFile(root, name)
	if err != nil {
		return f, err
	}
	f.syntax, err = parser.ParseFile(f.fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return f, err
	}
	f.generated = ast.IsGenerated(f.syntax)
	f.lines = bytes.Count(source, []byte("\n"))
	for _, spec := range f.syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return f, fmt.Errorf("%s: %w", name, err)
		}
		f.imports = append(f.imports, imported{path: p, line: f.fset.Position(spec.Pos()).Line})
	}
	return f, nil
}

func (f file) at(pos token.Pos) string {
	return fmt.Sprintf("%s:%d", f.path, f.fset.Position(pos).Line)
}

// internal returns the package of this module that an import names.
func internal(importPath string) (pkg string, ok bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// stdlib tells the standard library by its first element, which has no dot.
func stdlib(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".") && importPath != "C"
}

// under tells whether a path is one of the roots or below one of them.
func under(p string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return p == root || strings.HasPrefix(p, root+"/")
	})
}

// forTests tells the packages that help a room's tests, named as the standard
// library names them: httptest, iotest.
func forTests(pkg string) bool {
	return strings.HasSuffix(path.Base(pkg), "test") && pkg != "test"
}

// room is the top-level folder of a package.
func room(pkg string) string {
	first, _, _ := strings.Cut(pkg, "/")
	return first
}

// reaches returns, for every package that gets to an import with this prefix
// through product code, the packages on the way there.
func (t tree) reaches(prefix string) map[string][]string {
	way := map[string][]string{}
	for changed := true; changed; {
		changed = false
		for _, f := range t {
			if f.test || way[f.pkg] != nil {
				continue
			}
			for _, imp := range f.imports {
				next, ok := internal(imp.path)
				switch {
				case under(imp.path, prefix):
					way[f.pkg] = []string{f.pkg, imp.path}
				case ok && way[next] != nil:
					way[f.pkg] = append([]string{f.pkg}, way[next]...)
				default:
					continue
				}
				changed = true
				break
			}
		}
	}
	return way
}
