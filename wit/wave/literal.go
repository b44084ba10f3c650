package wave

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	errEscape    = errors.New(`escape that is none of \' \" \\ \t \n \r \u{…}`)
	errScalar    = errors.New("escape of what is no Unicode scalar value")
	errUTF8      = errors.New("text that is not UTF-8")
	errOneChar   = errors.New("character literal of none or more than one character")
	errOpening   = errors.New(`text after the opening """, which must end its line`)
	errClosing   = errors.New(`closing """ that is not on a line of its own`)
	errIndent    = errors.New(`line with fewer spaces before it than the closing """ has`)
	errTripleEsc = errors.New(`\""" within a string: write ""\"`)
)

// unescape decodes the escapes of s. Where it fails it returns the offset of
// what is wrong.
func unescape(s string) (out string, at int, err error) {
	if !utf8.ValidString(s) {
		return "", 0, errUTF8
	}
	if strings.IndexByte(s, '\\') < 0 {
		return s, 0, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			i++
			continue
		}
		r, n, err := escape(s[i:])
		if err != nil {
			return "", i, err
		}
		b.WriteRune(r)
		i += n
	}
	return b.String(), 0, nil
}

// escape decodes the escape that s begins with and returns its length.
func escape(s string) (r rune, n int, err error) {
	if len(s) < 2 {
		return 0, 0, errEscape
	}
	switch s[1] {
	case '\'', '"', '\\':
		return rune(s[1]), 2, nil
	case 't':
		return '\t', 2, nil
	case 'n':
		return '\n', 2, nil
	case 'r':
		return '\r', 2, nil
	case 'u':
		hex, ok := strings.CutPrefix(s, `\u{`)
		end := strings.IndexByte(hex, '}')
		if !ok || end < 1 || end > 6 || strings.Trim(hex[:end], "0123456789abcdefABCDEF") != "" {
			return 0, 0, errEscape
		}
		v, err := strconv.ParseUint(hex[:end], 16, 32)
		if err != nil || !utf8.ValidRune(rune(v)) {
			return 0, 0, errScalar
		}
		return rune(v), len(`\u{`) + end + 1, nil
	}
	return 0, 0, errEscape
}

// decodeChar decodes a character literal with its quotes.
func decodeChar(lit string) (rune, int, error) {
	s, at, err := unescape(lit[1 : len(lit)-1])
	if err != nil {
		return 0, at + 1, err
	}
	r, n := utf8.DecodeRuneInString(s)
	if s == "" || n != len(s) {
		return 0, 0, errOneChar
	}
	return r, 0, nil
}

// decodeString decodes a string literal with its quotes.
func decodeString(lit string) (string, int, error) {
	s, at, err := unescape(lit[1 : len(lit)-1])
	return s, at + 1, err
}

// decodeMultiline decodes a literal with its triple quotes. Each line loses
// the spaces that stand before the closing quotes.
func decodeMultiline(lit string) (string, int, error) {
	body, ok := strings.CutPrefix(strings.TrimPrefix(lit[3:len(lit)-3], "\r"), "\n")
	if !ok {
		return "", 3, errOpening
	}
	last := strings.LastIndexByte(body, '\n')
	if strings.HasSuffix(body, `\`) {
		return "", len(lit) - 4, errTripleEsc
	}
	indent := body[last+1:]
	if strings.Trim(indent, " ") != "" {
		return "", len(lit) - 3, errClosing
	}
	if last < 0 {
		return "", 0, nil // one line break only
	}
	at := len(lit) - 3 - len(body)
	var out strings.Builder
	for i, line := range strings.SplitAfter(body[:last+1], "\n") {
		if line == "" {
			break // after the last line break
		}
		text, ok := strings.CutPrefix(line, indent)
		if !ok {
			return "", at, errIndent
		}
		if i > 0 {
			out.WriteByte('\n')
		}
		s, bad, err := unescape(strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"))
		if err != nil {
			return "", at + len(indent) + bad, err
		}
		out.WriteString(s)
		at += len(line)
	}
	return out.String(), 0, nil
}

// appendQuoted appends a literal of s between quotes. What a terminal might
// not show as it is becomes an escape.
func appendQuoted(dst []byte, s string, quote byte) []byte {
	dst = append(dst, quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\t':
			dst = append(dst, `\t`...)
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case unicode.IsPrint(r):
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, `\u{`...)
			dst = strconv.AppendUint(dst, uint64(r), 16)
			dst = append(dst, '}')
		}
	}
	return append(dst, quote)
}
