package wave

import (
	"strings"
	"unicode/utf8"

	"github.com/lathhost/lath/wit"
)

type tokenKind byte

// Punctuation is its own kind.
const (
	tokenEnd       tokenKind = 0
	tokenNumber    tokenKind = 'n'
	tokenLabel     tokenKind = 'l' // or a keyword; with "%" if there is one
	tokenChar      tokenKind = 'c'
	tokenString    tokenKind = 's'
	tokenMultiline tokenKind = 'm'
)

type token struct {
	kind tokenKind
	text string
	pos  int // byte offset
}

// String describes a token for errors.
func (t token) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenNumber, tokenChar:
		return clip(t.text, 40)
	case tokenString, tokenMultiline:
		return "string " + clip(strings.ReplaceAll(t.text, "\n", `\n`), 40)
	default:
		return `"` + clip(t.text, 40) + `"`
	}
}

// lexer splits a text into tokens. It is not told which token is wanted:
// WAVE's tokens do not depend on types.
type lexer struct {
	src string // the whole text, for positions
	pos int
	end int // where the part to read ends
}

func (l *lexer) next() (token, error) {
	l.skipBlank()
	start := l.pos
	if start >= l.end {
		return token{pos: l.end}, nil
	}
	rest := l.src[start:l.end]
	kind, n := tokenEnd, 0
	switch c := rest[0]; {
	case strings.IndexByte("{}()[]:,", c) >= 0:
		kind, n = tokenKind(c), 1
	case c == '-' || isDigit(c):
		kind, n = tokenNumber, numberLen(rest)
	case c == '%' || isLetter(c):
		kind, n = tokenLabel, labelLen(rest)
	case c == '\'':
		kind, n = tokenChar, quotedLen(rest, '\'')
	case strings.HasPrefix(rest, `"""`):
		kind, n = tokenMultiline, multilineLen(rest)
	case c == '"':
		kind, n = tokenString, quotedLen(rest, '"')
	}
	if n == 0 {
		return token{}, l.bad(kind, rest)
	}
	l.pos += n
	return token{kind: kind, text: rest[:n], pos: start}, nil
}

func (l *lexer) bad(kind tokenKind, rest string) error {
	got := ""
	switch kind {
	case tokenChar:
		got = "a character literal without its closing '"
	case tokenString:
		got = `a string without its closing " on the same line`
	case tokenMultiline:
		got = `a string without its closing """`
	case tokenLabel:
		got = `a name that is no kebab-case label: "` + clip(firstWord(rest), 40) + `"`
	case tokenNumber:
		got = `a number that is none: "` + clip(firstWord(rest), 40) + `"`
	default:
		r, _ := utf8.DecodeRuneInString(rest)
		got = "character " + string(appendQuoted(nil, string(r), '\''))
	}
	return errorAt(l.src, l.pos, "", "", got)
}

// skipBlank passes blanks and comments.
func (l *lexer) skipBlank() {
	for l.pos < l.end {
		switch rest := l.src[l.pos:l.end]; {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			l.pos++
		case strings.HasPrefix(rest, "//"):
			i := strings.IndexByte(rest, '\n')
			if i < 0 {
				i = len(rest)
			}
			l.pos += i
		default:
			return
		}
	}
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func firstWord(s string) string {
	i := strings.IndexAny(s, " \t\r\n{}()[]:,'\"")
	if i < 0 {
		return s
	}
	return s[:max(i, 1)]
}

// numberLen returns the length of the number that s begins with, or 0.
func numberLen(s string) int {
	if strings.HasPrefix(s, "-inf") {
		return numberEnd(s, 4)
	}
	i := 0
	if s[0] == '-' {
		i++
	}
	switch n := digits(s[i:]); {
	case n == 0, n > 1 && s[i] == '0':
		return 0
	default:
		i += n
	}
	if i < len(s) && s[i] == '.' {
		n := digits(s[i+1:])
		if n == 0 {
			return 0
		}
		i += 1 + n
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		n := digits(s[j:])
		if n == 0 {
			return 0
		}
		i = j + n
	}
	return numberEnd(s, i)
}

// numberEnd refuses a number that runs into a word.
func numberEnd(s string, i int) int {
	if i < len(s) && (isLetter(s[i]) || isDigit(s[i]) || s[i] == '-' || s[i] == '.') {
		return 0
	}
	return i
}

func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func labelLen(s string) int {
	i := 0
	if s[0] == '%' {
		i = 1
	}
	start := i
	for i < len(s) && (isLetter(s[i]) || isDigit(s[i]) || s[i] == '-') {
		i++
	}
	if !wit.ValidLabel(s[start:i]) {
		return 0
	}
	return i
}

// quotedLen returns the length of the literal that s begins with, or 0 where
// it does not end on its line. What is inside is checked when it is decoded.
func quotedLen(s string, quote byte) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case quote:
			return i + 1
		case '\\':
			i++
			if i < len(s) && s[i] == '\n' {
				return 0
			}
		case '\n':
			return 0
		}
	}
	return 0
}

func multilineLen(s string) int {
	if i := strings.Index(s[3:], `"""`); i >= 0 {
		return 3 + i + 3
	}
	return 0
}
