package claims

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/lathhost/lath/lattice"
)

// OfProvider reads a token that stands in a provider's archive, verifies its
// signature, and checks that it is good now and a provider's. Of the files that it
// is about, each is checked by [Token.CheckFile]. Errors match lattice.ErrInvalid
// or [ErrExpired].
func OfProvider(text string, now time.Time) (*Token, error) {
	t, err := Parse(text)
	if err == nil {
		err = t.Check(now)
	}
	if err != nil {
		return nil, err
	}
	if !t.IsProvider() {
		return nil, fmt.Errorf("claims: %w: they are of a component (%s), not of a provider", lattice.ErrInvalid, t.Subject)
	}
	return t, nil
}

// IsProvider says whether the token is a provider's and not a component's.
func (t *Token) IsProvider() bool { return t.Subject[0] == 'V' }

// CheckFile reports whether a file of a provider's archive, of which the SHA-256
// is given, is not the one that the token was made for. The name is that of a
// target, such as x86_64-linux, or of another file with its extension.
func (t *Token) CheckFile(name string, sum []byte) error {
	want, ok := t.targets[name]
	if !ok {
		return fmt.Errorf("claims: %w: they do not say what %.80q is", lattice.ErrInvalid, name)
	}
	if got := hex.EncodeToString(sum); !strings.EqualFold(got, want) {
		return fmt.Errorf("claims: %w: they were made for another %.80q (hash %.64s) than this (%s)", lattice.ErrInvalid, name, want, got)
	}
	return nil
}
