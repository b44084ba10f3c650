package blobstore

import (
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/internal/must"
)

// The types of the package.
var (
	// Outcome is how a stream ended, or an operation.
	Outcome       = result(nil)
	objectID      = record("object-id", wit.Field{Name: "container", Type: wit.String}, wit.Field{Name: "object", Type: wit.String})
	containerInfo = record("container-metadata", wit.Field{Name: "created-at", Type: wit.U64})
	objectInfo    = record("object-metadata", wit.Field{Name: "created-at", Type: wit.U64}, wit.Field{Name: "size", Type: wit.U64})
	optionU64     = must.Type(wit.NewOption(wit.U64))
	listString    = must.Type(wit.NewList(wit.String))
	streamU8      = must.Type(wit.NewStream(wit.U8))
	streamString  = must.Type(wit.NewStream(wit.String))
	future        = must.Type(wit.NewFuture(Outcome))
)

func result(ok *wit.Type) *wit.Type { return must.Type(wit.NewResult(ok, wit.String)) }

func record(name string, fields ...wit.Field) *wit.Type {
	return must.Type(wit.NewRecord(fields...)).Named(name)
}

// with is a stream and how it ended.
func with(stream *wit.Type) *wit.Type { return must.Type(wit.NewTuple(stream, future)) }

// Interface is wrpc:blobstore/blobstore@0.2.0, whose streams are followed by how
// they ended.
var Interface = model("wrpc:blobstore/blobstore@0.2.0", result(with(streamString)), result(with(streamU8)), result(future))

// Interface010 is wrpc:blobstore/blobstore@0.1.0, whose streams are not.
var Interface010 = model("wrpc:blobstore/blobstore@0.1.0", result(streamString), result(streamU8), Outcome)

// model is the interface, in which the results of three functions differ by
// version.
func model(name string, list, read, write *wit.Type) *wit.Interface {
	container, id := wit.Param{Name: "name", Type: wit.String}, wit.Param{Name: "id", Type: objectID}
	src, dest := wit.Param{Name: "src", Type: objectID}, wit.Param{Name: "dest", Type: objectID}
	fn := func(name string, result *wit.Type, params ...wit.Param) *wit.Func {
		return &wit.Func{Name: name, Params: params, Result: result}
	}
	return &wit.Interface{
		Name: name,
		Docs: "Objects of any size by name, in containers.",
		Types: []wit.TypeDef{
			{Name: "object-id", Type: objectID, Docs: "An object, by where it is."},
			{Name: "container-metadata", Type: containerInfo, Docs: "What is known of a container."},
			{Name: "object-metadata", Type: objectInfo, Docs: "What is known of an object."},
		},
		Funcs: []*wit.Func{
			fn("clear-container", Outcome, container),
			fn("container-exists", result(wit.Bool), container),
			fn("create-container", Outcome, container),
			fn("delete-container", Outcome, container),
			fn("get-container-info", result(containerInfo), container),
			fn("list-container-objects", list, container, wit.Param{Name: "limit", Type: optionU64}, wit.Param{Name: "offset", Type: optionU64}),
			fn("copy-object", Outcome, src, dest),
			fn("delete-object", Outcome, id),
			fn("delete-objects", Outcome, wit.Param{Name: "container", Type: wit.String}, wit.Param{Name: "objects", Type: listString}),
			fn("get-container-data", read, id, wit.Param{Name: "start", Type: wit.U64}, wit.Param{Name: "end", Type: wit.U64}),
			fn("get-object-info", result(objectInfo), id),
			fn("has-object", result(wit.Bool), id),
			fn("move-object", Outcome, src, dest),
			fn("write-container-data", write, id, wit.Param{Name: "data", Type: streamU8}),
		},
	}
}
