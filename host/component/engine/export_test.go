package engine

import "reflect"

// StackSize returns the bytes that f's stack has on the host's heap. wazero does
// not tell, so a test looks into it.
func StackSize(f *Func) int { return reflect.ValueOf(f.fn).Elem().FieldByName("stack").Len() }
