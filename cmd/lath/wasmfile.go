package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checkFile says what is wrong with a file that was named as a component, as far
// as its first bytes tell it, in words for who typed its name.
func checkFile(name string) error {
	// The file may be anything, such as a pipe that nobody writes to: it is only
	// opened when it is known to be one to read.
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no file %s", name)
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory, not a component: name a .wasm file", name)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var head [64]byte
	n, err := io.ReadFull(f, head[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return checkHead(name, head[:n])
}

// checkHead looks at the first bytes of a file.
func checkHead(name string, head []byte) error {
	const magic, coreVersion = "\x00asm", "\x01\x00\x00\x00"
	text := bytes.TrimSpace(head)
	switch {
	case len(head) == 0:
		return fmt.Errorf("%s is empty: it is not a component", name)
	case bytes.HasPrefix(head, []byte(magic+coreVersion)):
		return errCoreModule(name)
	case bytes.HasPrefix(head, []byte(magic)):
		return nil // what is wrong with it is the decoder's to say
	case bytes.HasPrefix(text, []byte("(component")), bytes.HasPrefix(text, []byte("(module")), bytes.HasPrefix(text, []byte(";;")):
		return fmt.Errorf("%s is WebAssembly text: make it binary with wasm-tools parse %s -o %s", name, name, outName(name, ".wasm"))
	}
	return fmt.Errorf("%s is not WebAssembly: it begins with %q", name, head[:min(len(head), len(magic+coreVersion))])
}

// outName is a name for what a tool makes of a file, in the working directory.
func outName(name, end string) string {
	base := filepath.Base(name)
	return strings.TrimSuffix(base, filepath.Ext(base)) + end
}

func errCoreModule(name string) error {
	out := outName(name, ".component.wasm")
	return fmt.Errorf(`%s is a core module, not a component
make a component of a WASI preview 1 command with one of:
  npx @bytecodealliance/jco new --wasi-command %s -o %s
  wasm-tools component new --adapt wasi_snapshot_preview1=wasi_snapshot_preview1.command.wasm %s -o %s
where the second needs that file of wasmtime's releases`, name, name, out, name, out)
}
