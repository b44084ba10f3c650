// Package examples is guests to learn from and to test with: their sources,
// most of them in C, their WIT, and the components built from them (make guests).
//
//   - cat is a program: it copies files, its standard input, or both.
//   - chain calls the next component of a chain, which may be itself, and at the
//     end succeeds, fails, traps or never returns.
//   - counter keeps counts in a key-value store.
//   - divide traps in its arithmetic, and tells the lines of its sources.
//   - fetch is a program: it prints what an HTTP server answers.
//   - gallery keeps objects in a blob store, and copies them as they come; it
//     answers HTTP, too.
//   - greeter greets by the count that counter keeps, and logs what it does.
//   - greetings-js, in JavaScript, greets people by how often it has greeted them,
//     which it keeps in a key-value store.
//   - hello-go, in Go, answers HTTP requests with a greeting.
//   - http-counter answers HTTP requests with how often each path was asked for,
//     which it keeps in a key-value store.
//   - http-hello answers HTTP requests: it greets, echoes, and tells events.
//   - mirror keeps copies of what it hears is set in a key-value store.
//   - notes keeps texts in a directory that the operator of its host grants.
//   - ping-pong answers the messages that a broker hands it.
//   - prefix is a key-value provider that is a component: it keeps its values in
//     another one, under keys of its own.
//   - provider-keyvalue and provider-http are no guests but capability providers in
//     Go, which a host runs as processes.
//   - shop is an app of three components: till, which has resources of baskets,
//     which asks prices. shop.wasm is all three composed into one.
//   - stores chooses, call by call, among the key-value stores that are linked to
//     it; stores-v1 does so by the first version of wasmcloud:bus.
//   - todo keeps things to do in a table of a PostgreSQL database; sql-relay hands
//     every call of wasmcloud:postgres on.
//   - types exports every value type, a resource, and functions that fail in
//     every way. types-utf16 and types-latin1 are the same with other string
//     encodings; relay, relay-utf16 and relay-latin1 import what types exports
//     and hand every call on; holder has cells, the resource that types exports.
//
// The package only reads its files: it knows nothing of hosts.
package examples

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
)

//go:embed cat chain counter divide fetch gallery greeter greetings-js hello-go http-counter http-hello mirror notes ping-pong prefix shop stores todo types
var files embed.FS

// Component returns a built component by its name: "counter", "types-utf16".
func Component(name string) ([]byte, error) {
	built, err := fs.Glob(files, "*/*.wasm")
	if err != nil {
		return nil, err
	}
	for _, file := range built {
		if path.Base(file) == name+".wasm" {
			return files.ReadFile(file)
		}
	}
	return nil, fmt.Errorf("no example component %q", name)
}
