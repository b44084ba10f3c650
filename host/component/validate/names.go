package validate

import (
	"fmt"
	"strings"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/wit"
)

// nameKind is the shape of an import or export name.
type nameKind uint8

const (
	namePlain nameKind = iota
	nameConstructor
	nameMethod
	nameStatic
	nameInterface
)

// externName is a parsed import or export name.
type externName struct {
	kind nameKind
	// resource is the label before the dot, of a constructor the only one.
	resource string
}

// isWords reports whether s is a label without acronyms.
func isWords(s string) bool { return wit.ValidLabel(s) && s == strings.ToLower(s) }

func checkLabel(s string) error {
	if !wit.ValidLabel(s) {
		return fmt.Errorf("`%s` is not in kebab case", s)
	}
	return nil
}

// parseExternName parses externname.
func parseExternName(s string) (externName, error) {
	if strings.Contains(s, ":") {
		return externName{kind: nameInterface}, checkInterfaceName(s)
	}
	if label, ok := strings.CutPrefix(s, "[constructor]"); ok {
		return externName{kind: nameConstructor, resource: label}, checkLabel(label)
	}
	if rest, ok := strings.CutPrefix(s, "[method]"); ok {
		return parseDotted(nameMethod, rest)
	}
	if rest, ok := strings.CutPrefix(s, "[static]"); ok {
		return parseDotted(nameStatic, rest)
	}
	return externName{}, checkLabel(s)
}

func parseDotted(kind nameKind, s string) (externName, error) {
	resource, label, ok := strings.Cut(s, ".")
	if !ok {
		return externName{}, fmt.Errorf("failed to find `.` character in `%s`", s)
	}
	if err := checkLabel(resource); err != nil {
		return externName{}, err
	}
	return externName{kind: kind, resource: resource}, checkLabel(label)
}

// checkInterfaceName checks interfacename, without nested namespaces and
// packages, which are gated.
func checkInterfaceName(s string) error {
	name, version, versioned := strings.Cut(s, "@")
	namespace, rest, _ := strings.Cut(name, ":")
	pkg, projection, ok := strings.Cut(rest, "/")
	switch {
	case !isWords(namespace) || !isWords(pkg):
		return fmt.Errorf("`%s` is not a valid extern name", s)
	case !ok:
		return fmt.Errorf("`%s`: expected `/` after package name", s)
	case strings.Contains(projection, "/"):
		return fmt.Errorf("`%s`: nested packages are not supported", s)
	case versioned && !wit.ValidVersion(version) && !isCanonVersion(version):
		return fmt.Errorf("`%s` is not a valid semver", version)
	}
	return checkLabel(projection)
}

// isNumber reports whether s is a decimal number without leading zeros.
func isNumber(s string) bool {
	return s != "" && (s == "0" || s[0] != '0') && strings.Trim(s, "0123456789") == ""
}

// isCanonVersion reports whether s is the part of a version within which
// versions are compatible.
func isCanonVersion(s string) bool {
	parts := strings.Split(s, ".")
	for _, p := range parts {
		if !isNumber(p) {
			return false
		}
	}
	switch len(parts) {
	case 1:
		return parts[0] != "0"
	case 2:
		return parts[0] == "0" && parts[1] != "0"
	case 3:
		return parts[0] == "0" && parts[1] == "0"
	}
	return false
}

// uniqueKey maps names that are not strongly unique to the same string.
func uniqueKey(name string) string {
	key := strings.ToLower(name)
	rest, ok := strings.CutPrefix(key, "[method]")
	if !ok {
		rest, ok = strings.CutPrefix(key, "[static]")
	}
	if !ok {
		return key
	}
	if l, r, _ := strings.Cut(rest, "."); l == r {
		return l
	}
	return rest
}

// nameSet holds names that must be strongly unique.
type nameSet map[string]string

// add takes a name in, or says which earlier one it conflicts with.
func (s nameSet) add(what, name string) error {
	key := uniqueKey(name)
	if old, ok := s[key]; ok {
		return fmt.Errorf("%s `%s` conflicts with previous name `%s`", what, name, old)
	}
	s[key] = name
	return nil
}

// checkLabels checks labels of one type: kebab case and strongly unique.
func checkLabels(what string, n int, label func(int) string) error {
	seen := make(nameSet, n)
	for i := range n {
		l := label(i)
		if l == "" {
			return fmt.Errorf("%s cannot be empty", what)
		}
		if !wit.ValidLabel(l) {
			return fmt.Errorf("%s `%s` is not in kebab case", what, l)
		}
		if err := seen.add(what, l); err != nil {
			return err
		}
	}
	return nil
}

// checkAttributes checks what the attributes of a name require of it.
func checkAttributes(n binary.ExternName, kind nameKind, sort binary.Sort) error {
	if n.Has&binary.AttrImplements != 0 {
		switch {
		case n.Implements == "":
			return fmt.Errorf("`implements`: `` is not a valid name")
		case !strings.Contains(n.Implements, ":"):
			return fmt.Errorf("`implements`: `%s` must be an interface", n.Implements)
		case sort != binary.SortInstance:
			return fmt.Errorf("only instances can have an `implements`")
		case kind == nameInterface:
			return fmt.Errorf("name `%s` is not valid with `implements`", n.Name)
		}
		if err := checkInterfaceName(n.Implements); err != nil {
			return fmt.Errorf("`implements`: %w", err)
		}
	}
	if n.Has&binary.AttrVersionSuffix != 0 {
		_, version, _ := strings.Cut(n.Name, "@")
		if kind != nameInterface || !isCanonVersion(version) || !wit.ValidVersion(version+n.VersionSuffix) {
			return fmt.Errorf("`versionsuffix` `%s` does not complete the version of `%s`", n.VersionSuffix, n.Name)
		}
	}
	return nil
}
