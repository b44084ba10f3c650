package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A test is one program of the suite and what must come of it.
type test struct {
	name    string // "C/lseek": the suite's language and the program
	program string // path of the module or component
	root    string // the directory that the program finds as /, or empty
	spec    spec
}

// spec is a test's file <program>.json. A missing file is the zero spec.
type spec struct {
	Args []string          `json:"args"`
	Env  map[string]string `json:"env"`
	// Root is a directory, relative to the file, that the program finds as /.
	Root     string  `json:"root"`
	ExitCode int     `json:"exit_code"`
	Stdout   *string `json:"stdout"`
	Stderr   *string `json:"stderr"`
}

// manifest is the file that makes a folder a suite.
type manifest struct{ Name, Version string }

// preview1 is the version of the suites that are played. The others are of
// WASI 0.3.
const preview1 = "wasm32-wasip1"

// find returns the tests of all suites below dir whose names match.
func find(dir string, only *regexp.Regexp) ([]test, error) {
	var tests []test
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() != "manifest.json" {
			return err
		}
		found, err := findSuite(path)
		for _, t := range found {
			if only.MatchString(t.name) {
				tests = append(tests, t)
			}
		}
		return err
	})
	if err == nil && len(tests) == 0 {
		err = errors.New("no built tests of " + preview1 + ": is it a checkout of the branch prod/testsuite-base?")
	}
	return tests, err
}

func findSuite(path string) ([]test, error) {
	var m manifest
	if err := readJSON(path, &m); err != nil {
		return nil, err
	}
	if m.Version != preview1 {
		return nil, nil
	}
	language, _, _ := strings.Cut(strings.TrimPrefix(m.Name, "WASI "), " ")
	programs, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.wasm"))
	if err != nil {
		return nil, err
	}
	var tests []test
	for _, program := range programs {
		base := strings.TrimSuffix(program, ".wasm")
		t := test{name: language + "/" + filepath.Base(base), program: program}
		if err := readJSON(base+".json", &t.spec); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if t.spec.Root != "" {
			t.root = filepath.Join(filepath.Dir(program), t.spec.Root)
		}
		tests = append(tests, t)
	}
	return tests, nil
}

// readJSON is strict: a key that is not known would be an expectation that is
// not checked.
func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
