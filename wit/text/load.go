package text

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	bca "go.bytecodealliance.org/wit"

	"github.com/lathhost/lath/wit"
)

// ErrNoWorld: there is no such world, or none is named and there is not
// exactly one to choose.
var ErrNoWorld = errors.New("no such world")

// Load reads a world from a WIT file or a folder of them, with dependencies in
// its folder "deps". The world is named in full or in part ("command",
// "wasi:cli/command"); empty means the only one of the package that path
// holds. Interfaces that are imported and exported have resources of their own
// on each side. The parser cannot be interrupted: ctx is looked at before and
// after it.
func Load(ctx context.Context, path, world string) (*wit.World, error) {
	r, err := parse(ctx, path, func() (*bca.Resolve, error) { return bca.LoadWIT(path) })
	if err != nil {
		return nil, err
	}
	return loadWorld(r, path, world)
}

// Read is [Load] of a single text without dependencies; name is for messages.
func Read(ctx context.Context, name string, src io.Reader, world string) (*wit.World, error) {
	r, err := parse(ctx, name, func() (*bca.Resolve, error) { return bca.DecodeWIT(src) })
	if err != nil {
		return nil, err
	}
	return loadWorld(r, name, world)
}

// LoadInterfaces reads every interface of a WIT file or folder and of its
// dependencies, each after those whose types it uses. A type that is used by
// several has one identity in all of them.
func LoadInterfaces(ctx context.Context, path string) ([]*wit.Interface, error) {
	r, err := parse(ctx, path, func() (*bca.Resolve, error) { return bca.LoadWIT(path) })
	if err != nil {
		return nil, err
	}
	l := newLoader()
	for _, p := range r.Packages {
		for _, i := range p.Interfaces.All() {
			if _, err := l.instance(key{i, false}); err != nil {
				return nil, fmt.Errorf("read WIT %s: %w", path, err)
			}
		}
	}
	return l.order, nil
}

func parse(ctx context.Context, name string, run func() (*bca.Resolve, error)) (*bca.Resolve, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read WIT %s: %w", name, err)
	}
	r, err := run()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("read WIT %s: %w", name, err)
	}
	return r, nil
}

func loadWorld(r *bca.Resolve, path, name string) (*wit.World, error) {
	src, err := choose(r, name)
	if err != nil {
		return nil, fmt.Errorf("read WIT %s: %w", path, err)
	}
	l := newLoader()
	w, err := l.world(src)
	if err != nil {
		return nil, fmt.Errorf("read WIT %s: world %s: %w", path, src.Name, err)
	}
	return w, nil
}

// choose finds a world. The package that was asked for is the last one, since
// none depends on it.
func choose(r *bca.Resolve, name string) (*bca.World, error) {
	var found []*bca.World
	var all []string
	for i, p := range slices.Backward(r.Packages) {
		for _, w := range p.Worlds.All() {
			all = append(all, fullName(p, w.Name))
			if name == "" && i == len(r.Packages)-1 || name != "" && w.Match(name) {
				found = append(found, w)
			}
		}
		if len(found) > 0 {
			break // a name of the package itself comes before one of a dependency
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%w %q: %d match, there are %s", ErrNoWorld, name, len(found), strings.Join(all, ", "))
	}
	return found[0], nil
}

func fullName(p *bca.Package, name string) string {
	id := wit.ID{Namespace: p.Name.Namespace, Package: p.Name.Package, Interface: name}
	if p.Name.Version != nil {
		id.Version = p.Name.Version.String()
	}
	return id.String()
}
