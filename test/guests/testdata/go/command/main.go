//go:build wasip1

// Command command counts words; test/guests says what is asked of it.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	_ "github.com/lathhost/lath/test/guests/testdata/go/abi"
)

func report(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		data, err := os.ReadFile(path)
		return fmt.Sprintf("%s: %d words\n", path, len(bytes.Fields(data))), err
	}
	entries, err := os.ReadDir(path)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return fmt.Sprintf("%s: %s\n", path, strings.Join(names, " ")), err
}

func run() (status int, err error) {
	var text strings.Builder
	for _, path := range os.Args[1:] {
		line, err := report(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, path+":", err)
			status = 1
			continue
		}
		text.WriteString(line)
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 2, err
	}
	fmt.Fprintf(&text, "input: %d words\n", len(bytes.Fields(input)))
	fmt.Print(text.String())
	if path := os.Getenv("SUMMARY"); path != "" {
		err = os.WriteFile(path, []byte(text.String()), 0o600)
	}
	return status, err
}

// main is not called: a component exports a function to run.
func main() {}

//go:wasmexport wasi:cli/run@0.2.12#run
func start() (failed uint32) {
	status, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if status != 0 || err != nil {
		return 1
	}
	return 0
}
