package wit

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// TextError says where WIT text is wrong.
type TextError struct {
	Line, Column int // from 1; columns are characters
	Reason       string
}

func (e *TextError) Error() string {
	return fmt.Sprintf("WIT line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

func textError(src string, pos int, format string, args ...any) error {
	before := src[:min(pos, len(src))]
	return &TextError{
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1,
		Reason: fmt.Sprintf(format, args...),
	}
}

// word is a token of WIT text.
type word struct {
	text    string // "" at the end; an identifier without its "%"
	ident   bool
	escaped bool // an identifier with "%", which is no keyword
	pos     int
	docs    string // the documentation before it
}

func (w word) String() string {
	if w.text == "" {
		return "the end"
	}
	return fmt.Sprintf("%q", w.text)
}

// scanner splits WIT text into words. The first error sticks, and everything
// after it is the end.
type scanner struct {
	src string
	pos int
	cur word
	err error
}

func (s *scanner) fail(pos int, format string, args ...any) {
	if s.err == nil {
		s.err = textError(s.src, pos, format, args...)
		s.cur = word{pos: pos}
	}
}

// next passes the current word and returns it.
func (s *scanner) next() word {
	w := s.cur
	if s.err != nil {
		return w
	}
	docs := s.skipBlank()
	s.cur = word{pos: s.pos, docs: docs}
	rest := s.src[s.pos:]
	if rest == "" || s.err != nil {
		return w
	}
	switch c := rest[0]; {
	case strings.HasPrefix(rest, "->"):
		s.cur.text = "->"
		s.pos += 2
	case strings.IndexByte("{}()<>:;,=/.@_*", c) >= 0:
		s.cur.text = rest[:1]
		s.pos++
	default:
		s.identifier(rest)
	}
	return w
}

// identifier reads a label, or a number, which only versions and lengths have.
func (s *scanner) identifier(rest string) {
	name, escaped := strings.CutPrefix(rest, "%")
	n := 0
	for n < len(name) && (name[n] == '-' || isAlnum(name[n])) {
		n++
	}
	name = name[:n]
	if !ValidLabel(name) && (!isNumber(name) || escaped) {
		r, _ := utf8.DecodeRuneInString(rest)
		if n > 0 {
			s.fail(s.pos, "%.80q is no kebab-case name", name)
			return
		}
		s.fail(s.pos, "unexpected character %q", r)
		return
	}
	s.cur.text, s.cur.escaped, s.cur.ident = name, escaped, !isNumber(name)
	s.pos += n
	if escaped {
		s.pos++
	}
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// skipBlank passes blanks and comments and returns the documentation among
// them.
func (s *scanner) skipBlank() string {
	var docs []string
	for s.pos < len(s.src) {
		rest := s.src[s.pos:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			s.pos++
		case strings.HasPrefix(rest, "//"):
			line, _, _ := strings.Cut(rest, "\n")
			s.pos += len(line)
			if text, ok := strings.CutPrefix(line, "///"); ok && !strings.HasPrefix(text, "/") {
				docs = append(docs, strings.TrimPrefix(strings.TrimRight(text, " \t\r"), " "))
			}
		case strings.HasPrefix(rest, "/*"):
			n := blockComment(rest)
			if n == 0 {
				s.fail(s.pos, "comment without its closing */")
				return ""
			}
			s.pos += n
		default:
			return strings.Join(docs, "\n")
		}
	}
	return strings.Join(docs, "\n")
}

// blockComment returns the length of a comment, within which comments may
// nest, or 0 where it does not end.
func blockComment(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return i + 1
		}
	}
	return 0
}

// version reads what follows an "@" that is the current word.
func (s *scanner) version() string {
	if s.err != nil {
		return ""
	}
	rest := s.src[s.pos:]
	// A dot may end a path before "{names}", and is no part of the version then.
	n := 0
	for n < len(rest) && (isAlnum(rest[n]) || strings.IndexByte("-+.", rest[n]) >= 0) {
		n++
	}
	v := strings.TrimSuffix(rest[:n], ".")
	if !ValidVersion(v) {
		s.fail(s.pos, "%.80q is no version", v)
		return ""
	}
	s.pos += len(v)
	s.next()
	return v
}
