package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed adapt.mjs
var adapter []byte

// adapt makes components of those programs that are core modules, in dir.
func adapt(ctx context.Context, jco string, tests []test, dir string, stderr io.Writer) ([]test, error) {
	tests = slices.Clone(tests)
	var list strings.Builder
	for i := range tests {
		t := &tests[i]
		module, err := isModule(t.program)
		if err != nil {
			return nil, err
		}
		if !module {
			continue
		}
		component := filepath.Join(dir, strings.ReplaceAll(t.name, "/", "-")+".wasm")
		fmt.Fprintf(&list, "%s\t%s\n", t.program, component)
		t.program = component
	}
	if list.Len() == 0 {
		return tests, nil
	}
	if jco == "" {
		return nil, errors.New("the programs are core modules: -jco must name a folder that can adapt them")
	}
	listed := filepath.Join(dir, "programs")
	if err := os.WriteFile(listed, []byte(list.String()), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "node", "--input-type=module", "-", jco, listed)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(adapter), stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("make components of the programs: %w", err)
	}
	return tests, nil
}

// isModule tells core modules from components by their preambles.
func isModule(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var preamble [8]byte
	if _, err := io.ReadFull(f, preamble[:]); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return bytes.Equal(preamble[:], []byte("\x00asm\x01\x00\x00\x00")), nil
}
