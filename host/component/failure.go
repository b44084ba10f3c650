package component

import (
	"strings"
	"unicode/utf8"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
)

// maxFailureText bounds the text of a failure that a guest is told.
const maxFailureText = 1 << 10

// failureValue encodes a failure to call as a value of the function's result
// type, where that has room for a text: result<_, string>, or an error variant
// with a case of one string, preferring one named "other".
func failureValue(t *wit.Type, msg string) ([]byte, bool) {
	if t == nil || t.Kind != wit.KindResult || t.Cases[1].Type == nil {
		return nil, false
	}
	if len(msg) > maxFailureText {
		msg = msg[:maxFailureText]
	}
	msg = strings.ToValidUTF8(msg, string(utf8.RuneError))
	e, isError := t.Cases[1].Type, []byte{1}
	if e.Kind == wit.KindString {
		return wire.AppendString(isError, msg), true
	}
	found := -1
	for k, c := range e.Cases {
		if e.Kind == wit.KindVariant && c.Type != nil && c.Type.Kind == wit.KindString && (found < 0 || c.Name == "other") {
			found = k
		}
	}
	if found < 0 {
		return nil, false
	}
	return wire.AppendString(wire.AppendULEB(isError, uint64(found)), msg), true
}
