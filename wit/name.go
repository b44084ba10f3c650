package wit

import (
	"fmt"
	"strings"
)

// ID is a parsed interface name, "ns:pkg/iface@version".
type ID struct {
	Namespace string
	Package   string
	Interface string
	Version   string // empty where the name has none
}

// ParseID parses an interface name. It checks the shape, not the letters.
func ParseID(s string) (ID, error) {
	name, version, versioned := strings.Cut(s, "@")
	ns, rest, ok := strings.Cut(name, ":")
	pkg, iface, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || ns == "" || pkg == "" || iface == "" || versioned && version == "" ||
		strings.ContainsAny(iface, "/:") || strings.ContainsAny(pkg, ":") {
		return ID{}, fmt.Errorf("interface name %q: want namespace:package/interface[@version]", s)
	}
	return ID{Namespace: ns, Package: pkg, Interface: iface, Version: version}, nil
}

// String returns the full name.
func (id ID) String() string {
	if id.Version == "" {
		return id.Unversioned()
	}
	return id.Unversioned() + "@" + id.Version
}

// Unversioned returns the name without its version, the key of v1 links.
func (id ID) Unversioned() string { return id.Namespace + ":" + id.Package + "/" + id.Interface }

// Track returns the name with its version cut to the part within which
// versions are compatible: "0.2" for 0.2.x, "1" for 1.x, the whole version for
// 0.0.x and for pre-releases. Two interfaces with the same track are served by
// one implementation.
func (id ID) Track() string {
	if id.Version == "" {
		return id.Unversioned()
	}
	return id.Unversioned() + "@" + versionTrack(id.Version)
}

func versionTrack(v string) string {
	core, _, _ := strings.Cut(v, "+")
	if strings.Contains(core, "-") {
		return core
	}
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return core
	}
	switch {
	case parts[0] != "0":
		return parts[0]
	case parts[1] != "0":
		return "0." + parts[1]
	}
	return core
}

// Track returns [ID.Track] of an interface name, and the name itself where it
// is not one.
func Track(name string) string {
	id, err := ParseID(name)
	if err != nil {
		return name
	}
	return id.Track()
}
