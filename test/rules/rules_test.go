package rules

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// checks are all rules about Go source.
var checks = map[string]func(tree) []string{
	"top level":                 checkTopLevel,
	"imports go down":           checkRooms,
	"inner walls":               checkWalls,
	"one owner per library":     checkOwners,
	"contracts are plain":       checkContracts,
	"far libraries":             checkFarAway,
	"no init":                   checkInit,
	"libraries return":          checkLeavers,
	"files end":                 checkLength,
	"packages say what for":     checkComments,
	"packages are named for it": checkNames,
	"clocks are one's own":      checkClocks,
}

const root = "../.."

func TestTheTreeKeepsTheRules(t *testing.T) {
	t.Parallel()
	source, err := load(os.DirFS(root))
	require.NoError(t, err)
	require.Greater(t, len(source), 50, "this is not the tree")
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := check(source)
			slices.Sort(faults)
			for _, fault := range faults {
				t.Error(fault)
			}
		})
	}
}

// TestRulesFindWhatBreaksThem: each rule, on a module that breaks it in one
// file and keeps it in another.
func TestRulesFindWhatBreaksThem(t *testing.T) {
	t.Parallel()
	importing := func(paths ...string) string {
		s := "// Package x is a test's.\npackage x\n"
		for _, p := range paths {
			s += fmt.Sprintf("import _ %q\n", p)
		}
		return s
	}
	const m = module
	for _, test := range []struct {
		rule  string
		files map[string]string
		want  string // empty: no fault
	}{
		{"top level", map[string]string{"pkg/x.go": importing()}, `pkg/x.go: no room "pkg"`},
		{"top level", map[string]string{"x.go": importing()}, `x.go: no room "."`},
		{"top level", map[string]string{"host/x.go": importing()}, ""},

		{"imports go down", map[string]string{"lattice/x.go": importing(m + "/host")}, "lattice/x.go:3: lattice must not import host"},
		{"imports go down", map[string]string{"lattice/x.go": importing("fmt", m+"/providers/keyvalue")}, "lattice/x.go:4: lattice must not import providers/keyvalue"},
		{"imports go down", map[string]string{"host/x.go": importing(m + "/providers/keyvalue")}, "meet on the wire"},
		{"imports go down", map[string]string{"providers/a/x.go": importing(m + "/host/oci")}, "meet on the wire"},
		{"imports go down", map[string]string{"wit/x.go": importing(m + "/lattice")}, "wit must not import lattice"},
		{"imports go down", map[string]string{"host/x.go": importing(m + "/cmd/lath")}, "cmd is the leaf"},
		{"imports go down", map[string]string{"cmd/lath/x.go": importing(m + "/test/lattice")}, "never depends on test"},
		{"imports go down", map[string]string{"cmd/lath/x.go": importing(m+"/host", m+"/providers/keyvalue", m+"/wit")}, ""},
		{"imports go down", map[string]string{"host/x_test.go": importing(m + "/test/lattice")}, ""},
		{"imports go down", map[string]string{"lattice/x.go": importing(m + "/hostile")}, "lattice must not import hostile"},

		{"imports go down", map[string]string{"wit/x.go": importing(m + "/wit/internal/wittest")}, "only tests may import wit/internal/wittest"},
		{"imports go down", map[string]string{"wit/x_test.go": importing(m + "/wit/internal/wittest")}, ""},

		{"inner walls", map[string]string{"host/component/abi/x.go": importing(m + "/lattice")}, "host/component must not import lattice"},
		{"inner walls", map[string]string{"host/component/x.go": importing(m + "/host/oci")}, "host/component must not import host/oci"},
		{"inner walls", map[string]string{"host/wasi/io/x.go": importing(m + "/lattice/wrpc")}, "host/wasi must not import lattice/wrpc"},
		{"inner walls", map[string]string{"host/component/x.go": importing(m+"/wit", m+"/host/component/abi")}, ""},

		{"one owner per library", map[string]string{"host/workload/x.go": importing("github.com/tetratelabs/wazero/api")}, "only host/component/engine, examples/internal/build, test/bench/peers may import"},
		{"one owner per library", map[string]string{"host/component/engine/x.go": importing("github.com/tetratelabs/wazero")}, ""},
		{"one owner per library", map[string]string{"host/x.go": importing("oras.land/oras-go/v2/registry")}, "use host/oci"},
		{"one owner per library", map[string]string{"host/x.go": importing("github.com/nats-io/nats.go")}, "use lattice"},
		{"one owner per library", map[string]string{"lattice/ctl/x.go": importing("github.com/nats-io/nats.go")}, ""},
		{"one owner per library", map[string]string{"host/x.go": importing("github.com/stretchr/testify/require")}, "it is for tests"},
		{"one owner per library", map[string]string{"host/x_test.go": importing("github.com/stretchr/testify/require")}, ""},
		{"one owner per library", map[string]string{"host/x.go": importing("C")}, "only test/bench/peers may import C"},

		{"contracts are plain", map[string]string{"wit/wasi/io/x.go": importing("go.uber.org/zap")}, "standard library only"},
		{"contracts are plain", map[string]string{"wit/text/x.go": importing("go.bytecodealliance.org/wit")}, ""},
		{"contracts are plain", map[string]string{"wit/x.go": importing("math/bits", m+"/wit/wire")}, ""},

		{"far libraries", map[string]string{
			"host/x.go": importing(m + "/host/a"), "host/a/x.go": importing(m + "/wit/text"),
			"wit/text/x.go": importing("go.bytecodealliance.org/wit"),
		}, "host reaches go.bytecodealliance.org (host -> host/a -> wit/text -> go.bytecodealliance.org/wit)"},
		{"far libraries", map[string]string{
			"cmd/lath/x.go": importing(m + "/wit/text"), "wit/text/x.go": importing("go.bytecodealliance.org/wit"),
		}, ""},
		{"far libraries", map[string]string{
			"lattice/x.go": importing(m + "/wit"), "wit/x.go": importing(m + "/lattice"),
		}, ""},

		{"no init", map[string]string{"host/x.go": importing() + "func init() {}"}, "host/x.go:3: no init functions"},
		{"no init", map[string]string{"host/x.go": importing() + "type t int\nfunc (t) init() {}"}, ""},

		{"libraries return", map[string]string{"host/x.go": importing() + "import \"os\"\nfunc f() { os.Exit(1) }"}, "os.Exit is for main packages"},
		{"libraries return", map[string]string{"host/x.go": importing() + "import \"log\"\nfunc f() { log.Fatal(1) }"}, "log.Fatal is for main packages"},
		{"libraries return", map[string]string{"examples/x/x.go": "package main\nimport \"os\"\nfunc main() { os.Exit(1) }"}, ""},
		{"libraries return", map[string]string{"host/x.go": importing() + "import log \"x.y/z\"\nfunc f() { log.Print(1) }"}, ""},

		{"files end", map[string]string{"host/x.go": importing() + lines(600)}, "split it by concern"},
		{"files end", map[string]string{"host/x.go": "// Code generated by x. DO NOT EDIT.\n\n" + importing() + lines(600)}, ""},

		{"files end", map[string]string{"host/x_test.go": importing() + lines(600)}, ""},
		{"files end", map[string]string{"host/x_test.go": importing() + lines(700)}, "more than 700"},

		{"packages say what for", map[string]string{"host/x.go": "package x\n"}, "host: no package comment"},
		{"packages say what for", map[string]string{"host/x.go": "package x\n", "host/doc.go": importing()}, ""},

		{"packages are named for it", map[string]string{"host/util/x.go": importing()}, `the name "util" says nothing`},
		{"packages are named for it", map[string]string{"host/x/x.go": "package helpers\n"}, "says nothing"},
		{"packages are named for it", map[string]string{"wit/a/types/x.gen.go": "// Code generated by x. DO NOT EDIT.\n\npackage types\n"}, ""},
		{"clocks are one's own", map[string]string{"host/x.go": importing() + "import \"time\"\nvar _ = time.Since(op.Ended)"}, "host/x.go:4: .Ended is a time that others tell"},
		{"clocks are one's own", map[string]string{"lattice/x.go": importing() + "var _ = now.Before(e.Time)"}, ".Time is a time"},
		{"clocks are one's own", map[string]string{"lattice/x.go": importing() + "import \"time\"\nvar _ = time.Since(h.started)"}, ""},
		{"clocks are one's own", map[string]string{"lattice/claims/x.go": importing() + "var _ = now.Before(t.Expires)"}, ""},
		{"packages are named for it", map[string]string{"examples/types/wit/x.go": importing()}, ""},
	} {
		files := fstest.MapFS{}
		for name, content := range test.files {
			files[name] = &fstest.MapFile{Data: []byte(content)}
		}
		source, err := load(files)
		require.NoError(t, err)
		faults := checks[test.rule](source)
		if test.want == "" {
			require.Empty(t, faults, "%s: %v", test.rule, test.files)
			continue
		}
		require.NotEmpty(t, faults, "%s: %v", test.rule, test.files)
		require.Contains(t, strings.Join(faults, "\n"), test.want)
	}
}

func lines(n int) string { return string(slices.Repeat([]byte("//\n"), n)) }

// homes matches paths of somebody's machine, and not "/home" in a sentence.
var homes = regexp.MustCompile(`(^|[\s"'(=:` + "`" + `])/(home|root|Users|work|workspace)/[A-Za-z0-9._-]`)

// TestNoFileNamesAMachine: the tree builds anywhere, and its text is true
// anywhere.
func TestNoFileNamesAMachine(t *testing.T) {
	t.Parallel()
	require.NoError(t, fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", "bin", "build"}, name) {
				return fs.SkipDir
			}
			return nil
		}
		switch path.Ext(name) {
		case ".go", ".md", ".c", ".h", ".wit", ".yml", ".yaml", ".txtar", ".sh", "":
		default:
			return nil
		}
		text, err := os.ReadFile(path.Join(root, name))
		if err != nil {
			return err
		}
		if at := homes.Find(text); at != nil {
			t.Errorf("%s names a path of one machine (%q): name it relative to the module, or take it from the environment", name, at)
		}
		return nil
	}))
	require.True(t, homes.MatchString(`open "/`+`home/ann/x"`))
	require.False(t, homes.MatchString("a home/work balance"))
}
