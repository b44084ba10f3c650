package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/text"
)

// contract finds out what a component or provider can be called for: from a
// host that runs it, from the image that the inventory names, or from a file.
func (c *cli) contract(ctx context.Context, s *session, f *callFlags, target string) (*wit.World, error) {
	answer, err := s.ctl.Contract(ctx, target)
	if err == nil {
		w, err := wit.ParseWorld(answer.WIT)
		if err != nil {
			return nil, fmt.Errorf("contract of %s: %w", target, err)
		}
		return w, nil
	}
	if !errors.Is(err, lattice.ErrNotFound) && f.wit == "" {
		return nil, err
	}
	w, err := c.imageContract(ctx, s, f, target)
	if err == nil || f.wit == "" {
		return w, err
	}
	return readWIT(ctx, f.wit)
}

// imageContract reads the contract out of the image of a component whose host
// does not tell it.
func (c *cli) imageContract(ctx context.Context, s *session, f *callFlags, target string) (*wit.World, error) {
	all, err := s.inventories(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, s.errNoHost()
	}
	var others []string
	for _, inv := range all {
		for _, d := range runningOn(inv, "component") {
			if d.ID == target {
				return c.pullContract(ctx, f, d.Ref)
			}
			others = append(others, d.ID)
		}
		for _, d := range runningOn(inv, "provider") {
			if d.ID == target {
				return nil, fmt.Errorf("provider %q does not tell its contract: name it with --wit FILE", target)
			}
			others = append(others, d.ID)
		}
	}
	return nil, s.errUnknown(target, others)
}

func (s *session) errUnknown(target string, others []string) error {
	return fmt.Errorf("unknown component %q: nothing of that id runs in lattice %s; %s%s",
		target, s.lattice, list("running:", unique(others)), didYouMean(target, others))
}

func (c *cli) pullContract(ctx context.Context, f *callFlags, ref string) (*wit.World, error) {
	dir := f.cacheDir
	if dir != "" {
		dir = filepath.Join(dir, "oci")
	}
	f.registries.allowLatest = true // a host chose it
	client, err := oci.New(f.registries.config(dir))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	a, err := client.Pull(ctx, ref, nil)
	if err != nil {
		return nil, fmt.Errorf("its host does not tell its contract, and its image cannot be read: %w; name the contract with --wit FILE", err)
	}
	comp, err := decode(ctx, a.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	return comp.World(), nil
}

// readWIT reads a world from a file, or from a folder of them.
func readWIT(ctx context.Context, path string) (*wit.World, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("--wit: %w", err)
	}
	if info.Mode().IsRegular() && info.Size() <= wit.MaxText {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("--wit: %w", err)
		}
		// What stands alone is read at once; the rest needs wasm-tools.
		if w, err := wit.ParseWorld(string(data)); err == nil {
			return w, nil
		}
	}
	w, err := text.Load(ctx, path, "")
	if err != nil {
		return nil, fmt.Errorf("--wit %s: %w", path, err)
	}
	return w, nil
}

// unique keeps the first of each.
func unique(names []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

// function is an exported function and the interface it is in.
type function struct {
	instance string // empty: of the world
	*wit.Func
}

// callName is the function as it is typed.
func (f function) callName() string {
	name := wit.WireFunc(f.Name)
	if f.instance == "" {
		return name
	}
	return f.instance + "." + name
}

// functions lists what a world exports.
func functions(w *wit.World) []function {
	var out []function
	for _, x := range w.Exports {
		if x.Func != nil {
			out = append(out, function{"", x.Func})
			continue
		}
		for _, fn := range x.Interface.Funcs {
			out = append(out, function{x.Name, fn})
		}
	}
	return out
}

// findFunction finds what a call names. The version may be left out, and the
// whole interface, where that leaves one function.
func findFunction(w *wit.World, instance, name string) (function, error) {
	all := functions(w)
	var found []function
	for _, f := range all {
		sameName := f.Name == name || wit.WireFunc(f.Name) == name
		if sameName && (instance == "" || f.instance == instance || unversioned(f.instance) == instance) {
			found = append(found, f)
		}
		if sameName && f.instance == instance {
			return f, nil
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return function{}, errNoFunction(all, instance, name)
	}
	return function{}, fmt.Errorf("%q names %d functions: give the interface: %s", name, len(found), signatures(found))
}

func unversioned(name string) string {
	name, _, _ = strings.Cut(name, "@")
	return name
}

// errNoFunction says what there is instead.
func errNoFunction(all []function, instance, name string) error {
	if len(all) == 0 {
		return fmt.Errorf("no function %q: nothing is exported", name)
	}
	asked, exact, plain := name, []string{}, []string{}
	if instance != "" {
		asked = instance + "." + name
	}
	for _, f := range all {
		exact = append(exact, f.callName())
		plain = append(plain, unversioned(f.instance)+"."+wit.WireFunc(f.Name))
	}
	near := didYouMean(asked, append(exact, plain...))
	if instance == "" {
		for i, f := range all {
			plain[i] = wit.WireFunc(f.Name)
		}
		near = didYouMean(name, plain)
	}
	if here := slices.DeleteFunc(slices.Clone(all), func(f function) bool {
		return f.instance != instance && unversioned(f.instance) != instance
	}); len(here) > 0 {
		all = here
	}
	return fmt.Errorf("no function %q%s\nthere is:%s", asked, near, signatures(all))
}

// signatures lists functions with their types, of at most 20.
func signatures(all []function) string {
	const most = 20
	var b strings.Builder
	for _, f := range all[:min(len(all), most)] {
		b.WriteString("\n  " + f.callName() + ": " + f.Signature())
	}
	if len(all) > most {
		fmt.Fprintf(&b, "\n  … and %d more", len(all)-most)
	}
	return b.String()
}
