package lattice

import (
	"fmt"
	"strings"

	"github.com/nats-io/nkeys"
)

// MaxIDLen bounds every name that becomes a NATS token, in bytes, so that a
// subject made of several of them fits NATS's control line.
const MaxIDLen = 256

// ValidLattice checks the name of a lattice.
func ValidLattice(name string) error { return validToken("lattice name", name) }

// ValidID checks the id of a component or a provider.
func ValidID(id string) error { return validToken("id", id) }

// ValidLinkName checks the name of a link.
func ValidLinkName(name string) error { return validToken("link name", name) }

// ValidConfigName checks the name of a config or, with its SECRET_ before it,
// of a secret reference.
func ValidConfigName(name string) error { return validToken("config name", name) }

// MaxSecretKeyLen is the largest length of the key of a secret, in bytes.
const MaxSecretKeyLen = 255

// ValidSecretKey checks what a secret is stored under: names with '/' or '.'
// between them, as in "prod/db".
func ValidSecretKey(key string) error {
	if len(key) > MaxSecretKeyLen {
		return fmt.Errorf("secret key %q: %w: it has %d bytes, the limit is %d", clip(key), ErrInvalid, len(key), MaxSecretKeyLen)
	}
	for dir := range strings.SplitSeq(key, "/") {
		for part := range strings.SplitSeq(dir, ".") {
			if err := validToken("secret key", part); err != nil {
				return fmt.Errorf("%w, with '/' or '.' between names", err)
			}
		}
	}
	return nil
}

// ValidHostID checks the public key of a host: 56 characters, N first.
func ValidHostID(id string) error {
	if !nkeys.IsValidPublicServerKey(id) {
		return fmt.Errorf("host id %q: %w: want a server public key (56 characters, N first)", clip(id), ErrInvalid)
	}
	return nil
}

// validToken accepts what is one token of a subject, part of a bucket's name
// and part of a key at once: letters, digits, '-' and '_'. wash accepts the same.
func validToken(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%s: %w: it is empty", what, ErrInvalid)
	case len(s) > MaxIDLen:
		return fmt.Errorf("%s %q: %w: it has %d bytes, the limit is %d", what, clip(s), ErrInvalid, len(s), MaxIDLen)
	}
	for _, r := range s {
		if !tokenRune(r) {
			return fmt.Errorf("%s %q: %w: %s; use letters, digits, '-' and '_'", what, clip(s), ErrInvalid, whyNot(r))
		}
	}
	return nil
}

func tokenRune(r rune) bool {
	return r == '-' || r == '_' ||
		'0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func whyNot(r rune) string {
	switch r {
	case '.':
		return "'.' separates the tokens of a NATS subject"
	case '*', '>':
		return fmt.Sprintf("%q is a NATS wildcard", r)
	case ' ', '\t', '\n', '\r':
		return "it holds white space"
	default:
		return fmt.Sprintf("%q is not allowed", r)
	}
}

// validWIT checks one part of a WIT name (namespace, package or interface),
// loosely: the part must not break the full name that is built of it.
func validWIT(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%s: %w: it is empty", what, ErrInvalid)
	case len(s) > MaxIDLen:
		return fmt.Errorf("%s %q: %w: it has %d bytes, the limit is %d", what, clip(s), ErrInvalid, len(s), MaxIDLen)
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return !tokenRune(r) }); i >= 0 {
		return fmt.Errorf("%s %q: %w: want a WIT name such as %q, without version", what, clip(s), ErrInvalid, "keyvalue")
	}
	return nil
}

// clip keeps a hostile name from flooding a log or an answer.
func clip(s string) string { return clipTo(s, 80+len("…")) }

// clipTo cuts a text to at most limit bytes, and says so by its end.
func clipTo(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit-len("…")], "") + "…"
}
