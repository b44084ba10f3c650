// Command gen writes the bindings of every contract in the repository and
// removes generated files that no contract has any more. Run it in the
// module's root: go run ./wit/bindgen/gen.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/lathhost/lath/wit/bindgen"
)

func main() {
	root := flag.String("root", ".", "the module's root `folder`")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := bindgen.Generate(root, bindgen.Targets)
	if err != nil {
		return err
	}
	return bindgen.Write(root, files)
}
