package provider

import (
	"context"
	"strings"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
)

// Incoming says whether a link is the one by which the call of ctx has come to the
// provider target: of the interface's package, such as "wrpc:keyvalue". Who calls, and
// along which link, is what a caller says of itself: whoever names a link that there
// is not must get no configuration and no secret of any.
//
// Guests import wasi:keyvalue, wasi:blobstore and wasi:http, and links name those;
// their twins on the wire are found under either name.
func Incoming(ctx context.Context, l lattice.Link, target, pkg string) bool {
	m, ok := wrpc.MetaFromContext(ctx)
	if !ok || m.SourceID == "" {
		return false
	}
	name := m.LinkName
	if name == "" {
		name = lattice.DefaultLinkName
	}
	return l.SourceID == m.SourceID && l.Target == target && l.Name == name && Carries(l.Package(), pkg)
}

// Carries says whether links of one package carry calls of the other: the same, or
// its twin on the wire.
func Carries(linked, called string) bool {
	if linked == called {
		return true
	}
	name, isTwin := strings.CutPrefix(called, "wrpc:")
	return isTwin && linked == "wasi:"+name
}
