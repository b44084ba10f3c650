package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// script is one converted file. convert.mjs writes it.
type script struct {
	// Source is the .wast file's path in its suite.
	Source string `json:"source"`
	Forms  []form `json:"forms"`
}

// form is one top-level form of a script.
type form struct {
	Kind string `json:"kind"`
	Line int    `json:"line"`
	// Name is the identifier that the form defines, Definition the one that an
	// instance is made of.
	Name       string `json:"name"`
	Definition string `json:"definition"`
	// Wasm is the binary's path from the converted suite's root. Refused is what
	// the assembler said where there is none.
	Wasm    string `json:"wasm"`
	Refused string `json:"refused"`
	// Quoted: the component is text on purpose, to test assemblers.
	Quoted  bool       `json:"quoted"`
	Message string     `json:"message"`
	Action  *action    `json:"action"`
	Results []constant `json:"results"`
}

// action is an invocation of an exported function.
type action struct {
	Instance string     `json:"instance"`
	Func     string     `json:"func"`
	Args     []constant `json:"args"`
}

// constant is a literal: its type's keyword with the parts that it has.
type constant struct {
	Type  string     `json:"type"`
	Text  string     `json:"text"`
	Elems []constant `json:"elems"`
	Names []string   `json:"names"`
}

// load reads the scripts of a converted suite in order of their paths. Folders
// named "async" are left out unless asked for.
func load(suite fs.FS, async bool) ([]script, error) {
	var list []script
	err := fs.WalkDir(suite, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "async" && !async:
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".json":
			return nil
		}
		text, err := fs.ReadFile(suite, name)
		if err != nil {
			return err
		}
		var s script
		if err := json.Unmarshal(text, &s); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, s)
		return nil
	})
	if err == nil && len(list) == 0 {
		err = errors.New("no converted scripts")
	}
	slices.SortFunc(list, func(a, b script) int { return strings.Compare(a.Source, b.Source) })
	return list, err
}
