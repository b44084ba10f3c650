package secret

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzResponse: no answer of a backend is taken for more than it is, and no error
// has a value.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{`{"secret":{"string_secret":"hush"}}`, `{"secret":{"binary_secret":[1,256]}}`, `{"error":{"Other":"x"}}`,
		`{"error":[]}`, `{"secret":{"string_secret":7}}hush`, ``} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, sealed bool) {
		s, err := decodeResponse(data, sealed)
		if err == nil {
			require.True(t, sealed)
			require.LessOrEqual(t, len(s.Bytes()), MaxValue)
			return
		}
		require.Less(t, len(err.Error()), 1000)
		if !strings.Contains(string(data), "error") {
			require.NotContains(t, err.Error(), "hush")
		}
	})
}
