package rules

import (
	"fmt"
	"go/ast"
	"slices"
)

// clockless are rooms that must not decide anything by the clock of another machine,
// since nobody says that it goes right. Times that they tell or are told are exported
// fields; those that they measure by their own clock are not.
var clockless = []string{"lattice", "host"}

// clocked are exceptions: signed tokens are valid from a time to a time, as in v1.
var clocked = []string{"lattice/claims"}

// comparisons are what is done to times to decide by them.
var comparisons = []string{"Before", "After", "Sub", "Compare", "Since", "Until"}

// checkClocks: hosts whose clocks differ agree all the same.
func checkClocks(t tree) (faults []string) {
	for _, f := range t {
		if f.test || !under(f.pkg, clockless...) || under(f.pkg, clocked...) {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			fn, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains(comparisons, fn.Sel.Name) {
				return true
			}
			for _, operand := range []ast.Expr{fn.X, call.Args[0]} {
				if field, ok := operand.(*ast.SelectorExpr); ok && field.Sel.IsExported() {
					faults = append(faults, fmt.Sprintf("%s: .%s is a time that others tell, by their own clock: measure what has to be compared here",
						f.at(field.Pos()), field.Sel.Name))
				}
			}
			return true
		})
	}
	return faults
}
