package lattice

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// EncodeJSON writes v as v1 peers write JSON: compact and without escaping what
// HTML would need escaped.
func EncodeJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte{'\n'}), nil
}

// DecodeJSON reads one JSON value of at most limit bytes into v. Fields that v
// does not have are skipped, since a peer may be newer; anything after the value
// is an error. All its errors match ErrInvalid.
func DecodeJSON(data []byte, limit int, v any) error {
	if len(data) > limit {
		return fmt.Errorf("JSON: %w: %d bytes, the limit is %d", ErrInvalid, len(data), limit)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("JSON: %w: %w", ErrInvalid, err)
	}
	return nil
}
