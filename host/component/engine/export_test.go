package engine

import "reflect"

// StackSize returns the bytes that f's stack has on the host's heap. wazero does
// not tell, so a test looks into it.
func StackSize(f *Func) int { return reflect.ValueOf(f.fn).Elem().FieldByName("stack").Len() }

// WaitForCompiles waits until what was compiled is kept.
func WaitForCompiles(e *Engine) { e.wg.Wait() }

// TakeSlots takes all slots for compiles.
func TakeSlots(e *Engine) (free func()) {
	for range cap(e.slots) {
		e.slots <- struct{}{}
	}
	return func() {
		for range cap(e.slots) {
			<-e.slots
		}
	}
}
