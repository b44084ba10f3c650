package rules

import (
	"fmt"
	"strings"
)

// rooms is the top level of the module, and which rooms the product code of
// each may import besides itself.
var rooms = map[string][]string{
	"wit":       {},
	"lattice":   {"wit"},
	"host":      {"wit", "lattice"},
	"providers": {"wit", "lattice"},
	"cmd":       {"wit", "lattice", "host", "providers"},
	"examples":  {"wit", "lattice", "host", "providers"},
	"test":      {"wit", "lattice", "host", "providers", "cmd", "examples"},
}

// innerWalls stand between folders of one room, or keep a folder from what its
// room may have.
var innerWalls = []struct {
	folder string
	except []string // folders below it that the wall does not hold for
	may    []string // what else of this module it may import
	why    string
}{
	{"host/component", nil, []string{"wit"}, "the component runtime is a library on its own: it knows no network, links or registries"},
	{"host/wasi", nil, []string{"wit", "host/component", "host/bind"}, "WASI is written against generated bindings and knows no lattice"},
	{"host/bind", nil, []string{"wit", "host/component"}, "guest glue joins contracts to the component runtime, nothing else"},
	{"host/blob", nil, []string{"lattice"}, "files know only their digests; lattice is for its error kinds"},
	{"host/oci", nil, []string{"lattice", "host/blob"}, "registries know bytes and references, not components; lattice is for its error kinds"},
	{"host/par", nil, []string{"lattice", "host/blob"}, "archives know claims, not where they come from or what is run"},
}

// owners says who may import a library: in product code, one room or folder
// each, so that swapping the library is that room's work alone.
var owners = []struct {
	library string
	by      []string
	instead string
}{
	{"github.com/tetratelabs/wazero", []string{"host/component/engine", "examples/internal/build", "test/bench/peers"},
		"use host/component/engine (the others are tools, and no part of a host)"},
	{"oras.land/oras-go/v2", []string{"host/oci"}, "use host/oci"},
	{"github.com/opencontainers", []string{"host/oci"}, "use host/oci"},
	{"github.com/nats-io", []string{"lattice", "providers/keyvalue/nats", "providers/messaging/nats", "providers/blobstore/nats", "providers/cron", "test"}, "use lattice, and lattice/wrpc for calls"},
	{"github.com/redis/go-redis", []string{"providers/keyvalue/redis"}, "use providers/keyvalue/redis"},
	{"github.com/jackc/pgx", []string{"providers/postgres"}, "use providers/postgres"},
	{"github.com/minio/minio-go", []string{"providers/blobstore/s3"}, "use providers/blobstore/s3"},
	{"github.com/johannesboyne/gofakes3", []string{"test"}, "it is the object store of tests"},
	{"go.etcd.io/bbolt", []string{"providers/keyvalue/bolt"}, "use providers/keyvalue/bolt"},
	{"go.bytecodealliance.org", []string{"wit/text", "wit/bindgen"}, "use wit/text: WIT text is for tools"},
	{"github.com/cloudevents/sdk-go/v2", []string{"lattice/event", "test"}, "use lattice/event"},
	{"go.uber.org/zap", []string{"host", "lattice", "providers", "cmd", "test"}, "return the error, or let the caller report it"},
	{"github.com/spf13", []string{"cmd"}, "flags end in cmd: take a Config"},
	{"github.com/vbauerster/mpb/v8", []string{"cmd"}, "terminals end in cmd: report progress to a callback"},
	{"github.com/mattn/go-isatty", []string{"cmd"}, "terminals end in cmd"},
	{"github.com/jedib0t/go-pretty/v6", []string{"cmd", "test"}, "terminals end in cmd: return values"},
	{"github.com/dustin/go-humanize", []string{"cmd", "host/grant", "test"}, "what people write and read ends in cmd and host/grant: return numbers"},
	{"github.com/google/go-containerregistry", []string{"test"}, "it is the registry of tests"},
	{"github.com/stretchr/testify", []string{"test"}, "it is for tests"},
	{"github.com/rogpeppe/go-internal", []string{"test"}, "it is for tests"},
	{"github.com/google/go-cmp", []string{"test"}, "it is for tests"},
	{"go.yaml.in/yaml", []string{"host/grant"}, "use host/grant: files that people write are its concern"},
	{"go.uber.org/goleak", []string{"test"}, "it is for tests"},
	{"pgregory.net/rapid", []string{"test"}, "it is for tests"},
	{"C", []string{"test/bench/peers"}, "write Go: the binary is static and cross-compiles"},
	{"unsafe", []string{"host/component", "test/bench/peers"}, "only the runtime's inner loops have a case for it"},
	{"github.com/spf13/viper", nil, "take a Config: viper is global state"},
}

// farAway are libraries that some packages must not even reach through others.
var farAway = []struct {
	library string
	from    []string
	except  []string
	why     string
}{
	{"go.bytecodealliance.org", []string{"host", "lattice", "providers"}, nil,
		"it compiles wasm-tools: no running host may take that path"},
	{"github.com/nats-io", []string{"wit", "host/component", "host/wasi", "host/bind"}, nil,
		"the component runtime embeds without a network"},
	{"github.com/tetratelabs/wazero", []string{"wit", "lattice", "providers"}, nil,
		"a provider or a tool of the lattice needs no WebAssembly engine"},
}

// checkTopLevel: code lives in the rooms.
func checkTopLevel(t tree) (faults []string) {
	for _, f := range t {
		if _, ok := rooms[room(f.pkg)]; !ok {
			faults = append(faults, fmt.Sprintf("%s: no room %q: the top level is fixed; put it where it belongs (%s)",
				f.path, room(f.pkg), "cmd, examples, host, lattice, providers, test, wit"))
		}
	}
	return faults
}

// checkRooms: imports go down only, and tests' helpers stay in tests.
func checkRooms(t tree) (faults []string) {
	for _, f := range t {
		if f.test {
			continue
		}
		from := room(f.pkg)
		for _, imp := range f.imports {
			pkg, ok := internal(imp.path)
			if ok && forTests(pkg) && from != "test" {
				faults = append(faults, fmt.Sprintf("%s:%d: only tests may import %s", f.path, imp.line, pkg))
				continue
			}
			if !ok || room(pkg) == from || under(room(pkg), rooms[from]...) {
				continue
			}
			faults = append(faults, fmt.Sprintf("%s:%d: %s must not import %s: %s",
				f.path, imp.line, from, pkg, whyNotRoom(from, room(pkg))))
		}
	}
	return faults
}

func whyNotRoom(from, to string) string {
	switch {
	case to == "test" || to == "examples":
		return "product code never depends on " + to + "; move what is shared into its room"
	case to == "cmd":
		return "cmd is the leaf: move what is shared into its room"
	case from == "host" && to == "providers" || from == "providers" && to == "host":
		return "they meet on the wire, or in the slice of built-ins in cmd/lath"
	}
	return "imports go down: cmd, then host and providers, then lattice, then wit; declare an interface here and let the upper room implement it"
}

// checkWalls: some folders know less than their room.
func checkWalls(t tree) (faults []string) {
	for _, wall := range innerWalls {
		for _, f := range t {
			if f.test || !under(f.pkg, wall.folder) || under(f.pkg, wall.except...) {
				continue
			}
			for _, imp := range f.imports {
				pkg, ok := internal(imp.path)
				if ok && !under(pkg, wall.folder) && !under(pkg, wall.may...) {
					faults = append(faults, fmt.Sprintf("%s:%d: %s must not import %s: %s", f.path, imp.line, wall.folder, pkg, wall.why))
				}
			}
		}
	}
	return faults
}

// checkOwners: each library has one place.
func checkOwners(t tree) (faults []string) {
	for _, owner := range owners {
		for _, f := range t {
			if f.test || f.pkg == "." || under(f.pkg, owner.by...) {
				continue
			}
			for _, imp := range f.imports {
				if under(imp.path, owner.library) {
					faults = append(faults, fmt.Sprintf("%s:%d: only %s may import %s: %s",
						f.path, imp.line, orNobody(owner.by), imp.path, owner.instead))
				}
			}
		}
	}
	return faults
}

func orNobody(by []string) string {
	if len(by) == 0 {
		return "nobody"
	}
	return strings.Join(by, ", ")
}

// checkContracts: the type model and the contracts import nothing that is not
// the standard library's or wit's.
func checkContracts(t tree) (faults []string) {
	for _, f := range t {
		if f.test || !under(f.pkg, "wit") || under(f.pkg, "wit/text", "wit/bindgen") {
			continue
		}
		for _, imp := range f.imports {
			if _, ok := internal(imp.path); !ok && !stdlib(imp.path) {
				faults = append(faults, fmt.Sprintf("%s:%d: wit imports the standard library only, not %s", f.path, imp.line, imp.path))
			}
		}
	}
	return faults
}

// checkFarAway: some libraries are out of reach, not only unused.
func checkFarAway(t tree) (faults []string) {
	for _, far := range farAway {
		for pkg, way := range t.reaches(far.library) {
			if under(pkg, far.from...) && !under(pkg, far.except...) && !under(pkg, "wit/text", "wit/bindgen") {
				faults = append(faults, fmt.Sprintf("%s reaches %s (%s): %s", pkg, far.library, strings.Join(way, " -> "), far.why))
			}
		}
	}
	return faults
}
