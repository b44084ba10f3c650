package workload

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasi/keyvalue"
)

// Every function of wrpc:keyvalue has one of wasi:keyvalue to be carried out by, and
// what differs in anything is found out.
func TestKeyvalueTwins(t *testing.T) {
	t.Parallel()
	open := keyvalue.StoreInterface.Func("open")
	bucket := open.Result.Cases[0].Type.Resource
	for _, x := range keyvalueTwins {
		require.NotEmpty(t, x.served.Funcs)
		for _, fn := range x.served.Funcs {
			by := x.export.Func(x.prefix + fn.Name)
			require.NotNil(t, by, fn.Name)
			require.True(t, twinOf(fn, by, open, bucket), fn.Name)
			require.False(t, twinOf(fn, by, open, &wit.Resource{Name: "bucket"}), "%s: another resource", fn.Name)
			for _, change := range []func(*wit.Func){
				func(f *wit.Func) { f.Async = true },
				func(f *wit.Func) { f.Params = f.Params[1:] },
				func(f *wit.Func) { f.Params[0].Type = wit.String },
				func(f *wit.Func) { f.Params[len(f.Params)-1].Type = wit.U8 },
				func(f *wit.Func) { f.Result = nil },
				func(f *wit.Func) { f.Result = open.Result },
			} {
				other := *by
				other.Params = append([]wit.Param(nil), by.Params...)
				change(&other)
				require.False(t, twinOf(fn, &other, open, bucket), fn.Name)
			}
			for _, change := range []func(*wit.Func){
				func(f *wit.Func) { f.Params = nil },
				func(f *wit.Func) { f.Params = []wit.Param{{Name: "id", Type: wit.U32}} },
				func(f *wit.Func) { f.Async = true },
			} {
				other := *open
				change(&other)
				require.False(t, twinOf(fn, by, &other, bucket), fn.Name)
			}
		}
	}
}
