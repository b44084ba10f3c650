// Package http is the contract wrpc:http@0.1.0: HTTP without resources, as
// wasmCloud v1 sends it across a lattice. Its values have streams and futures,
// which generated bindings do not have, so it is the type model alone: the codec
// is lattice/wrpchttp.
//
// Source: wasmCloud v1 protocol, "WIT contracts on the wire".
package http

import (
	"slices"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/internal/must"
	wasihttp "github.com/lathhost/lath/wit/wasi/http"
)

// The types of the package, and those of wasi:http that it uses.
var (
	Fields = must.Type(wit.NewList(must.Type(wit.NewTuple(wit.String, must.Type(wit.NewList(must.Type(wit.NewList(wit.U8))))))))
	// Trailers are what the futures of requests and responses have.
	Trailers = must.Type(wit.NewOption(Fields))
	Request  = must.Type(wit.NewRecord(
		wit.Field{Name: "body", Type: must.Type(wit.NewStream(wit.U8))},
		wit.Field{Name: "trailers", Type: must.Type(wit.NewFuture(Trailers))},
		wit.Field{Name: "method", Type: used("method")},
		wit.Field{Name: "path-with-query", Type: must.Type(wit.NewOption(wit.String))},
		wit.Field{Name: "scheme", Type: must.Type(wit.NewOption(used("scheme")))},
		wit.Field{Name: "authority", Type: must.Type(wit.NewOption(wit.String))},
		wit.Field{Name: "headers", Type: Fields})).Named("request")
	Response = must.Type(wit.NewRecord(
		wit.Field{Name: "body", Type: must.Type(wit.NewStream(wit.U8))},
		wit.Field{Name: "trailers", Type: must.Type(wit.NewFuture(Trailers))},
		wit.Field{Name: "status", Type: wit.U16},
		wit.Field{Name: "headers", Type: Fields})).Named("response")
	ErrorCode = used("error-code")
	Result    = must.Type(wit.NewResult(Response, ErrorCode))
)

// used is a type of wasi:http.
func used(name string) *wit.Type {
	types := wasihttp.TypesInterface.Types
	return types[slices.IndexFunc(types, func(d wit.TypeDef) bool { return d.Name == name })].Type
}

// IncomingHandlerInterface is wrpc:http/incoming-handler@0.1.0 in the type model.
var IncomingHandlerInterface = &wit.Interface{
	Name:  "wrpc:http/incoming-handler@0.1.0",
	Docs:  "Answering requests.",
	Types: types(),
	Funcs: []*wit.Func{{Name: "handle", Params: []wit.Param{{Name: "request", Type: Request}}, Result: Result}},
}

// types are those that handle uses, so that the text of the contract stands on
// its own.
func types() []wit.TypeDef {
	var list []wit.TypeDef
	for _, d := range wasihttp.TypesInterface.Types {
		switch d.Name {
		case "method", "scheme", "DNS-error-payload", "TLS-alert-received-payload", "field-size-payload", "error-code":
			list = append(list, d)
		}
	}
	return append(list,
		wit.TypeDef{Name: "request", Type: Request, Docs: "A request. Body and trailers come on their paths."},
		wit.TypeDef{Name: "response", Type: Response, Docs: "A response. Body and trailers come on their paths."})
}
