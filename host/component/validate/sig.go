package validate

import "github.com/lathhost/lath/wit"

// FlatTypes returns the core types that values of the given types flatten to,
// one after the other, and false where these are more than limit. A nil type
// takes no place.
func FlatTypes(limit int, types ...*wit.Type) ([]wit.CoreType, bool) {
	var flat []wit.CoreType
	for _, t := range types {
		if t == nil {
			continue
		}
		if len(flat)+len(t.Flat) > limit {
			return nil, false
		}
		flat = append(flat, t.Flat...)
	}
	return flat, true
}

func flatParams(f *wit.Func, limit int) []wit.CoreType {
	var flat []wit.CoreType
	for _, p := range f.Params {
		if len(flat)+len(p.Type.Flat) > limit {
			return []wit.CoreType{wit.CoreI32}
		}
		flat = append(flat, p.Type.Flat...)
	}
	return flat
}

// LiftSig returns the core signature of a function that is lifted with the
// synchronous ABI: parameters that are more than [wit.MaxFlatParams] go behind
// one pointer, and a result that is more than [wit.MaxFlatResults] comes back
// as one (Canonical ABI, Flattening).
func LiftSig(f *wit.Func) (params, results []wit.CoreType) {
	results, ok := FlatTypes(wit.MaxFlatResults, f.Result)
	if !ok {
		results = []wit.CoreType{wit.CoreI32}
	}
	return flatParams(f, wit.MaxFlatParams), results
}

// LowerSig is [LiftSig] for a lowered function: a result that does not fit is
// written to a pointer, which is then the last parameter.
func LowerSig(f *wit.Func) (params, results []wit.CoreType) {
	params = flatParams(f, wit.MaxFlatParams)
	results, ok := FlatTypes(wit.MaxFlatResults, f.Result)
	if !ok {
		return append(params, wit.CoreI32), nil
	}
	return params, results
}

// AsyncLiftSig returns the core signature of a function that is lifted with
// the asynchronous ABI: it returns its result with task.return, so the core
// result is a status where it has a callback, and nothing where it has none.
func AsyncLiftSig(f *wit.Func, callback bool) (params, results []wit.CoreType) {
	if callback {
		results = []wit.CoreType{wit.CoreI32}
	}
	return flatParams(f, wit.MaxFlatParams), results
}

// AsyncLowerSig returns the core signature of a function that is lowered with
// the asynchronous ABI: at most [wit.MaxFlatAsyncParams] flat parameters, the
// result always behind a pointer, the core result is the subtask's state.
func AsyncLowerSig(f *wit.Func) (params, results []wit.CoreType) {
	params = flatParams(f, wit.MaxFlatAsyncParams)
	if f.Result != nil {
		params = append(params, wit.CoreI32)
	}
	return params, []wit.CoreType{wit.CoreI32}
}
