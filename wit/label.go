package wit

import (
	"fmt"
	"strings"
)

// ValidLabel reports whether s is a kebab-case label: words of letters and
// digits joined by single hyphens, each word in one case, the first one
// beginning with a letter (Explainer, Import and Export Definitions).
func ValidLabel(s string) bool {
	for i, word := range strings.Split(s, "-") {
		if !validWord(word, true) || i == 0 && word[0] <= '9' {
			return false
		}
	}
	return true
}

// validWords is ValidLabel for namespaces and packages, which are in lower
// case.
func validWords(s string) bool { return ValidLabel(s) && strings.ToLower(s) == s }

func validWord(s string, upper bool) bool {
	var hasLower, hasUpper bool
	for _, c := range []byte(s) {
		switch {
		case '0' <= c && c <= '9':
		case 'a' <= c && c <= 'z':
			hasLower = true
		case 'A' <= c && c <= 'Z' && upper:
			hasUpper = true
		default:
			return false
		}
	}
	return s != "" && !(hasLower && hasUpper)
}

// ValidVersion reports whether s is a version of Semantic Versioning 2.0.0.
func ValidVersion(s string) bool {
	rest, build, built := strings.Cut(s, "+")
	core, pre, isPre := strings.Cut(rest, "-")
	numbers := strings.Split(core, ".")
	if len(numbers) != 3 || built && !validIdents(build, false) || isPre && !validIdents(pre, true) {
		return false
	}
	for _, n := range numbers {
		if !isNumber(n) || len(n) > 1 && n[0] == '0' {
			return false
		}
	}
	return true
}

// validIdents checks dot-separated identifiers; strict ones have no leading
// zeros in numbers.
func validIdents(s string, strict bool) bool {
	for id := range strings.SplitSeq(s, ".") {
		if id == "" || strict && isNumber(id) && len(id) > 1 && id[0] == '0' {
			return false
		}
		for _, c := range []byte(id) {
			if c != '-' && !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
				return false
			}
		}
	}
	return true
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Valid reports whether every part of the name is written as the explainer
// wants it, which [ParseID] does not check.
func (id ID) Valid() bool {
	return validWords(id.Namespace) && validWords(id.Package) && ValidLabel(id.Interface) &&
		(id.Version == "" || ValidVersion(id.Version))
}

// FuncKind says what a function is to a resource.
type FuncKind uint8

// The function kinds.
const (
	FuncPlain FuncKind = iota
	FuncConstructor
	FuncMethod
	FuncStatic
)

var funcPrefixes = [...]string{"", "[constructor]", "[method]", "[static]"}

// FuncName is the parsed plain name of a function.
type FuncName struct {
	Kind     FuncKind
	Resource string // empty for FuncPlain
	Name     string // empty for FuncConstructor
}

// ParseFuncName parses a plain name: "f", "[constructor]r", "[method]r.f" or
// "[static]r.f", each label in kebab-case.
func ParseFuncName(s string) (FuncName, error) {
	n := FuncName{Name: s}
	for k := FuncConstructor; k <= FuncStatic; k++ {
		rest, ok := strings.CutPrefix(s, funcPrefixes[k])
		if !ok {
			continue
		}
		n = FuncName{Kind: k, Resource: rest}
		if k != FuncConstructor {
			n.Resource, n.Name, _ = strings.Cut(rest, ".")
		}
	}
	if n.Kind != FuncPlain && !ValidLabel(n.Resource) || n.Kind != FuncConstructor && !ValidLabel(n.Name) {
		return FuncName{}, fmt.Errorf("function name %q: want a kebab-case name, [constructor]resource, [method]resource.name or [static]resource.name", s)
	}
	return n, nil
}

// String returns the plain name.
func (n FuncName) String() string {
	switch n.Kind {
	case FuncPlain:
		return n.Name
	case FuncConstructor:
		return funcPrefixes[n.Kind] + n.Resource
	default:
		return funcPrefixes[n.Kind] + n.Resource + "." + n.Name
	}
}

// Wire returns the name that wRPC gives the function: "f", and for functions
// of a resource "r" (constructor) or "r.f".
func (n FuncName) Wire() string { return WireFunc(n.String()) }

// WireFunc returns the name that wRPC gives the function with that plain name.
// It does not check the name.
func WireFunc(name string) string {
	if strings.HasPrefix(name, "[") {
		if _, rest, ok := strings.Cut(name, "]"); ok {
			return rest
		}
	}
	return name
}
