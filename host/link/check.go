package link

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
)

// twins are the interfaces with resources that a host adapts, by the name
// that guests import, without version: the resource-free interface that
// travels instead, and that a target must export.
var twins = map[string]string{
	"wasi:keyvalue/store":   "wrpc:keyvalue/store@0.2.0-draft",
	"wasi:keyvalue/atomics": "wrpc:keyvalue/atomics@0.2.0-draft",
	"wasi:keyvalue/batch":   "wrpc:keyvalue/batch@0.2.0-draft",
	httpOutgoing:            "wrpc:http/outgoing-handler@0.1.0",
	// The one interface that travels has what all three have.
	"wasi:blobstore/blobstore": "wrpc:blobstore/blobstore@0.2.0",
	"wasi:blobstore/container": "wrpc:blobstore/blobstore@0.2.0",
	"wasi:blobstore/types":     "wrpc:blobstore/blobstore@0.2.0",
}

// httpOutgoing is what components send HTTP requests by. They may be linked to what
// sends them on, or to what answers them itself.
const httpOutgoing = "wasi:http/outgoing-handler"

// answersHTTP says whether a target answers HTTP requests itself, and does not send
// them on.
func answersHTTP(target *wit.World) bool {
	return target != nil && byName(target.Exports, twins[httpOutgoing]) == nil &&
		(byName(target.Exports, "wasi:http/incoming-handler") != nil || byName(target.Exports, "wrpc:http/incoming-handler") != nil)
}

// adapted are the interfaces with resources that a host serves for the components
// that export them, by their names without version: to callers, they are the
// resource-free interface that travels.
var adapted = map[string]string{
	"wasi:http/incoming-handler": "wrpc:http/incoming-handler@0.1.0",
	"wasi:keyvalue/watcher":      "wrpc:keyvalue/watcher@0.2.0-draft",
}

// Check holds a link against what its ends are, wherever they run: see [Bound]. Either world may be nil, where
// that end is not known: the link is pending then, unless the other end alone
// shows that it cannot be satisfied.
func Check(l lattice.Link, source, target *wit.World) lattice.LinkStatus {
	s := lattice.LinkStatus{Link: l, State: lattice.LinkReady}
	known := map[*wit.Resource]*wit.Resource{}
	for _, name := range l.Interfaces {
		if err := checkInterface(l, name, source, target, known); err != nil {
			s.State, s.Reason = lattice.LinkRefused, err.Error()
			return s
		}
	}
	var missing []string
	if source == nil {
		missing = append(missing, fmt.Sprintf("source %q does not run", l.SourceID))
	}
	if target == nil {
		missing = append(missing, fmt.Sprintf("target %q does not run, or does not tell what it exports", l.Target))
	}
	if len(missing) > 0 {
		s.State, s.Reason = lattice.LinkPending, strings.Join(missing, "; ")
	}
	return s
}

// checkInterface is Check for one interface; known are the resources of the source
// that the target's stand for, as far as the interfaces before tell.
func checkInterface(l lattice.Link, name string, source, target *wit.World, known map[*wit.Resource]*wit.Resource) error {
	key := l.Interface(name)
	if twin, ok := adapted[key]; ok {
		return checkAdapted(l, key, twin, source, target)
	}
	var imported, exported *wit.Interface
	if source != nil {
		if imported = byName(source.Imports, key); imported == nil {
			return fmt.Errorf("component %q does not import %s; it imports %s", l.SourceID, key, names(source.Imports))
		}
	}
	twin, hasTwin := twins[key]
	if target == nil {
		return nil
	}
	if key == httpOutgoing && answersHTTP(target) {
		return nil
	}
	want := key
	if hasTwin {
		want = twin
	}
	if exported = byName(target.Exports, want); exported == nil {
		return fmt.Errorf("target %q does not export %s; it exports %s", l.Target, want, names(target.Exports))
	}
	if imported == nil || hasTwin {
		return nil
	}
	for _, f := range imported.Funcs {
		e := exported.Func(f.Name)
		if e == nil {
			return fmt.Errorf("target %q has no %s.%s", l.Target, exported.Name, f.Name)
		}
		if !wit.MatchFunc(f, e, known) {
			return fmt.Errorf("%s.%s: component %q wants %s, target %q has %s", key, f.Name, l.SourceID, signature(f), l.Target, signature(e))
		}
	}
	for theirs, ours := range known {
		if i := owner(target.Imports, theirs); i != nil {
			return fmt.Errorf("%s carries a resource (%s) that target %q does not define but imports (%s): a component hands on only its own", exported.Name, theirs.Name, l.Target, i.Name)
		}
		if i := owner(source.Imports, ours); i != nil && i != imported && strings.HasPrefix(i.Name, "wasi:") {
			return fmt.Errorf("%s carries a resource (%s) of %s, which is the host's: no link can carry that", imported.Name, ours.Name, i.Name)
		}
	}
	return nil
}

// owner returns the first interface that has a resource, which the others use.
func owner(list []wit.Extern, r *wit.Resource) *wit.Interface {
	for _, x := range list {
		if x.Interface != nil && slices.ContainsFunc(x.Interface.Types, func(d wit.TypeDef) bool { return d.Resource == r }) {
			return x.Interface
		}
	}
	return nil
}

// checkAdapted is checkInterface for what hosts adapt at the target. Either name
// is good at either end.
func checkAdapted(l lattice.Link, key, twin string, source, target *wit.World) error {
	if source != nil && byName(source.Imports, key) == nil && byName(source.Imports, twin) == nil {
		return fmt.Errorf("%q does not call %s; it imports %s", l.SourceID, key, names(source.Imports))
	}
	if target != nil && byName(target.Exports, key) == nil && byName(target.Exports, twin) == nil {
		return fmt.Errorf("target %q does not export %s; it exports %s", l.Target, key, names(target.Exports))
	}
	return nil
}

// signature is a function's type without its name.
func signature(f *wit.Func) string { return strings.TrimPrefix(f.String(), f.Name+": ") }

// byName finds an interface by its name without version, or with one.
func byName(list []wit.Extern, name string) *wit.Interface {
	for _, x := range list {
		if x.Interface == nil {
			continue
		}
		if x.Name == name || wit.Track(x.Name) == wit.Track(name) {
			return x.Interface
		}
		if id, err := wit.ParseID(x.Name); err == nil && id.Unversioned() == name {
			return x.Interface
		}
	}
	return nil
}

// names lists interfaces for a message, without those that every host has.
func names(list []wit.Extern) string {
	var out []string
	for _, x := range list {
		if x.Interface != nil && !strings.HasPrefix(x.Name, "wasi:cli/") && !strings.HasPrefix(x.Name, "wasi:io/") &&
			!strings.HasPrefix(x.Name, "wasi:clocks/") && !strings.HasPrefix(x.Name, "wasi:random/") {
			out = append(out, x.Name)
		}
	}
	if len(out) == 0 {
		return "nothing that a link could carry"
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func resources(i *wit.Interface) string {
	var out []string
	for _, d := range i.Types {
		if d.Resource != nil {
			out = append(out, d.Name)
		}
	}
	if len(out) == 0 {
		return "of another interface"
	}
	return strings.Join(out, ", ")
}
