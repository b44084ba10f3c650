package bindgen

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// Target says what to generate from which .wit. The contract is always
// generated.
type Target struct {
	Dir string // "wasi/io": the folder of the contract below wit
	// File is the .wit, by its path from the module's root; empty for the one
	// beside the contract, named like its folder.
	File string
	// Glue asks for guest glue.
	Glue bool
	// Callers are the interfaces of which the host's Go code calls a guest's; they
	// need Glue.
	Callers []string
	// Stubs are the interfaces to write wRPC stubs of.
	Stubs []string
}

// Targets are the packages whose bindings the repository holds.
var Targets = []Target{
	{Dir: "wasi/io", Glue: true},
	{Dir: "wasi/clocks", Glue: true},
	{Dir: "wasi/random", Glue: true},
	{Dir: "wasi/cli", Glue: true, Callers: []string{"run"}},
	{Dir: "wasi/filesystem", Glue: true},
	{Dir: "wasi/sockets", Glue: true},
	{Dir: "wasi/http", Glue: true, Callers: []string{"incoming-handler"}},
	{Dir: "wasi/keyvalue", Glue: true, Callers: []string{"watcher"}},
	{Dir: "wasi/config", Glue: true},
	{Dir: "wasi/logging", Glue: true},
	{Dir: "wasi/blobstore", Glue: true},
	{Dir: "wasmcloud/messaging", Glue: true, Stubs: []string{"consumer", "handler"}},
	{Dir: "wasmcloud/secrets", Glue: true},
	{Dir: "wasmcloud/bus", Glue: true},
	{Dir: "wasmcloud/postgres", Glue: true, Stubs: []string{"query", "prepared"}},
	{Dir: "wrpc/keyvalue", Stubs: []string{"store", "atomics", "batch", "watcher"}},
	// For tests of generated code: examples/types has every value type, shapes
	// has what that lacks.
	{Dir: "example/types", File: "examples/types/wit/world.wit", Glue: true, Callers: []string{"values", "failures"}, Stubs: []string{"values"}},
	{Dir: "lath/shapes", Glue: true, Stubs: []string{"outcomes"}},
}

// file returns the path of the target's .wit from the module's root.
func (t Target) file() string {
	if t.File != "" {
		return t.File
	}
	return "wit/" + t.Dir + "/" + path.Base(t.Dir) + ".wit"
}

// Generate reads the .wit of each target below root, the module's folder, and
// returns the generated files by their path from root. The same input gives
// the same bytes.
func Generate(root string, targets []Target) (map[string][]byte, error) {
	var sources []Source
	for _, t := range targets {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(t.file())))
		if err != nil {
			return nil, err
		}
		sources = append(sources, Source{Path: t.file(), Text: string(text)})
	}
	pkgs, err := Load(sources...)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for i, t := range targets {
		files, err := pkgs[i].generate(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.file(), err)
		}
		for _, f := range files {
			if _, ok := out[f.path]; ok {
				return nil, fmt.Errorf("%s: two files %s", t.file(), f.path)
			}
			if out[f.path], err = f.bytes(); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (p *Package) generate(t Target) ([]*file, error) {
	files := p.contract(t.file())
	if t.Glue {
		callers, err := p.callers(t.Callers)
		if err != nil {
			return nil, err
		}
		files = append(files, p.glue(t.file(), callers)...)
	}
	if len(t.Stubs) > 0 {
		stubs, err := p.stubs(t.file(), t.Stubs)
		if err != nil {
			return nil, err
		}
		files = append(files, stubs...)
	}
	return files, errors.Join(p.problems...)
}
