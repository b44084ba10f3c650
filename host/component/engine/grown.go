package engine

import "reflect"

// callShape is where a call engine of wazero's has what may grow. It is asked of
// the type because wazero tells nobody; TestGrown holds it in place.
type callShape struct {
	typ      reflect.Type
	stack    int // fields, -1 where there is none
	handlers int
}

func shapeOf(typ reflect.Type) *callShape {
	s := &callShape{typ: typ, stack: -1, handlers: -1}
	if typ.Kind() != reflect.Struct {
		return s
	}
	for i := range typ.NumField() {
		if f := typ.Field(i); f.Type.Kind() == reflect.Slice {
			switch f.Name {
			case "stack":
				s.stack = i
			case "tryHandlers":
				s.handlers = i
			}
		}
	}
	return s
}

// Grown tells whether the function's call engine holds more of the host's memory
// than it need: a stack of more than keep bytes, which stays as large as it ever
// was, or the copies of it that guests with exceptions make. What holds too much
// is better forgotten: another one costs little. No call may be running.
func (f *Func) Grown(keep int) bool {
	v := reflect.ValueOf(f.fn)
	if v.Kind() != reflect.Pointer {
		return false
	}
	v = v.Elem()
	e := f.m.meter.e
	s := e.shape.Load()
	if s == nil || s.typ != v.Type() {
		s = shapeOf(v.Type())
		e.shape.Store(s)
	}
	if s.handlers >= 0 && v.Field(s.handlers).Cap() > 0 {
		return true
	}
	if s.stack < 0 {
		return false
	}
	stack := v.Field(s.stack)
	return stack.Cap()*int(stack.Type().Elem().Size()) > keep
}
