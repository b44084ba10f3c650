package bindgen

import (
	"fmt"
	"os"
	"path/filepath"
)

// Part is a set of things to generate for a package.
type Part uint8

// The parts.
const (
	Contract Part = 1 << iota
	Glue
	Stubs
)

// Target says what to generate from which .wit.
type Target struct {
	Dir   string // "wasi/io": the .wit is wit/wasi/io/io.wit
	Parts Part
}

// Targets are the packages whose bindings the repository holds.
var Targets = []Target{
	{"wasi/io", Contract | Glue},
	{"wasi/clocks", Contract | Glue},
	{"wasi/random", Contract | Glue},
	{"wasi/cli", Contract | Glue},
	{"wasi/filesystem", Contract | Glue},
	{"wasi/sockets", Contract | Glue},
	{"wasi/http", Contract | Glue},
	{"wasi/keyvalue", Contract | Glue},
	{"wasi/config", Contract | Glue},
	{"wasi/logging", Contract | Glue},
	{"wrpc/keyvalue", Contract | Stubs},
}

// File returns the path of the target's .wit from the module's root.
func (t Target) File() string { return "wit/" + t.Dir + "/" + filepath.Base(t.Dir) + ".wit" }

// Generate reads the .wit of each target below root, the module's folder, and
// returns the generated files by their path from root. The same input gives
// the same bytes.
func Generate(root string, targets []Target) (map[string][]byte, error) {
	var sources []Source
	for _, t := range targets {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(t.File())))
		if err != nil {
			return nil, err
		}
		sources = append(sources, Source{Path: t.File(), Text: string(text)})
	}
	pkgs, err := Load(sources...)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for i, t := range targets {
		files, err := pkgs[i].generate(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.File(), err)
		}
		for _, f := range files {
			if out[f.path], err = f.bytes(); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (p *Package) generate(t Target) ([]*file, error) {
	var files []*file
	if t.Parts&Contract != 0 {
		files = append(files, p.contract(t.File())...)
	}
	if t.Parts&Glue != 0 {
		files = append(files, p.glue(t.File())...)
	}
	if t.Parts&Stubs != 0 {
		stubs, err := p.stubs(t.File())
		if err != nil {
			return nil, err
		}
		files = append(files, stubs...)
	}
	return files, nil
}
