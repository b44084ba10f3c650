package rules

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// These bound a file that people write. Tables of cases may be longer.
const (
	maxLines     = 500
	maxTestLines = 700
)

// checkInit: nothing happens at import.
func checkInit(t tree) (faults []string) {
	for _, f := range t {
		for _, decl := range f.syntax.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if ok && fn.Recv == nil && fn.Name.Name == "init" {
				faults = append(faults, fmt.Sprintf("%s: no init functions: what a package needs, its constructor does, or a sync.OnceValue", f.at(fn.Pos())))
			}
		}
	}
	return faults
}

// leavers are calls that end the process or write to its terminal. Only a
// main package may.
var leavers = map[string][]string{
	"os":  {"Exit", "Stdout", "Stderr"},
	"log": {"Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "Print", "Printf", "Println"},
	"fmt": {"Print", "Printf", "Println"},
}

// checkLeavers: a library returns errors and values.
func checkLeavers(t tree) (faults []string) {
	for _, f := range t {
		if f.test || f.syntax.Name.Name == "main" || under(f.pkg, "test", "cmd") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if ok && slices.Contains(leavers[pkg.Name], sel.Sel.Name) && f.importsStd(pkg.Name) {
				faults = append(faults, fmt.Sprintf("%s: %s.%s is for main packages: return an error or a value, or take a writer",
					f.at(sel.Pos()), pkg.Name, sel.Sel.Name))
			}
			return true
		})
	}
	return faults
}

func (f file) importsStd(name string) bool {
	return slices.ContainsFunc(f.imports, func(i imported) bool { return i.path == name })
}

// checkLength: a file that nobody can hold in mind is two files.
func checkLength(t tree) (faults []string) {
	for _, f := range t {
		limit := maxLines
		if f.test {
			limit = maxTestLines
		}
		if !f.generated && f.lines > limit {
			faults = append(faults, fmt.Sprintf("%s: %d lines: more than %d; split it by concern", f.path, f.lines, limit))
		}
	}
	return faults
}

// checkComments: every package says what it is for.
func checkComments(t tree) (faults []string) {
	documented := map[string]bool{}
	for _, f := range t {
		if f.test || f.pkg == "." { // which checkTopLevel is about
			continue
		}
		documented[f.pkg] = documented[f.pkg] || f.syntax.Doc != nil
	}
	for pkg, ok := range documented {
		if !ok {
			faults = append(faults, fmt.Sprintf("%s: no package comment: say in doc.go what it is for and what it must not know", pkg))
		}
	}
	return faults
}

// drawers are names under which anything can be put.
var drawers = []string{"util", "utils", "common", "types", "helper", "helpers", "misc", "shared", "pkg", "lib", "base"}

// checkNames: a package is named by what it is for, a generated one by its
// contract.
func checkNames(t tree) (faults []string) {
	seen := map[string]bool{}
	for _, f := range t {
		base := path.Base(f.pkg)
		if seen[f.pkg] || f.generated || !slices.Contains(drawers, base) && !slices.Contains(drawers, strings.TrimSuffix(f.syntax.Name.Name, "_test")) {
			continue
		}
		seen[f.pkg] = true
		faults = append(faults, fmt.Sprintf("%s: the name %q says nothing: name the package by what it is for", f.pkg, base))
	}
	return faults
}
