package messaging

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lathhost/lath/lattice"
)

// maxSubject bounds a subject.
const maxSubject = 255

// Rules say which subjects components may reach. Those on which the lattice or
// NATS itself works are not among them: who publishes there commands hosts, and
// who listens there reads what others say.
type Rules struct {
	// Lattice is the name of the lattice.
	Lattice string
	// Inbox begins the inboxes of a connection; empty: "_INBOX".
	Inbox string
}

// reserved are the patterns that no subscription may overlap.
func (r Rules) reserved() []string {
	list := []string{"wasmbus.>", "lath.>", "_INBOX.>"}
	if r.Lattice != "" {
		list = append(list, lattice.InvocationSubject(lattice.RPCPrefix(r.Lattice, "*"), "", ">"))
	}
	if r.Inbox != "" {
		list = append(list, r.Inbox+".>")
	}
	return list
}

// CheckPublish refuses a subject that is none, or that components may not publish
// to, nor have answers sent to. An inbox is allowed: nobody knows one who was not
// told it with a message.
func (r Rules) CheckPublish(subject string) error {
	if err := checkSubject(subject); err != nil {
		return err
	}
	if strings.ContainsAny(subject, "*>") {
		return fmt.Errorf("subject %.80q: wildcards are for subscriptions", subject)
	}
	first, _, _ := strings.Cut(subject, ".")
	if first == "wasmbus" || first == "lath" || strings.HasPrefix(first, "$") || strings.Contains("."+subject+".", "."+lattice.WRPCVersion+".") {
		return fmt.Errorf("subject %.80q: it is the lattice's own", subject)
	}
	return nil
}

// CheckSubscribe refuses a pattern that is none, or that may match what components
// must not read.
func (r Rules) CheckSubscribe(pattern string) error {
	if err := checkSubject(pattern); err != nil {
		return err
	}
	tokens := strings.Split(pattern, ".")
	for i, t := range tokens {
		if t == ">" && i < len(tokens)-1 {
			return fmt.Errorf("subscription %.80q: > stands for all that follows, and is last", pattern)
		}
		if len(t) > 1 && strings.ContainsAny(t, "*>") {
			return fmt.Errorf("subscription %.80q: a wildcard stands alone between dots", pattern)
		}
	}
	if strings.HasPrefix(pattern, "$") || slices.ContainsFunc(r.reserved(), func(own string) bool { return Overlap(pattern, own) }) {
		return fmt.Errorf("subscription %.80q: it could match subjects of the lattice's own; begin it with a word", pattern)
	}
	return nil
}

// checkSubject refuses what no broker takes as a subject or pattern.
func checkSubject(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("the subject is empty")
	case len(s) > maxSubject:
		return fmt.Errorf("subject %.40q…: %d bytes are over the limit of %d", s, len(s), maxSubject)
	case s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, ".."):
		return fmt.Errorf("subject %.80q: there is nothing between two dots", s)
	case strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f || c == utf8.RuneError }):
		return fmt.Errorf("subject %.80q: it has spaces or control characters", s)
	}
	return nil
}

// Match says whether a pattern matches a subject: * is one word, > at the end is one
// or more.
func Match(pattern, subject string) bool {
	for {
		p, restP, moreP := strings.Cut(pattern, ".")
		s, restS, moreS := strings.Cut(subject, ".")
		switch {
		case p == ">":
			return true
		case p != "*" && p != s:
			return false
		case !moreP || !moreS:
			return moreP == moreS
		}
		pattern, subject = restP, restS
	}
}

// Overlap says whether some subject matches both patterns.
func Overlap(a, b string) bool {
	for {
		x, restA, moreA := strings.Cut(a, ".")
		y, restB, moreB := strings.Cut(b, ".")
		switch {
		case x == ">" || y == ">":
			return true
		case x != "*" && y != "*" && x != y:
			return false
		case !moreA || !moreB:
			return moreA == moreB
		}
		a, b = restA, restB
	}
}

// Cover says whether every subject that matches inner matches outer.
func Cover(outer, inner string) bool {
	for {
		x, restO, moreO := strings.Cut(outer, ".")
		y, restI, moreI := strings.Cut(inner, ".")
		switch {
		case x == ">":
			return true
		case y == ">" || x != "*" && x != y:
			return false
		case !moreO || !moreI:
			return moreO == moreI
		}
		outer, inner = restO, restI
	}
}

// JoinPatterns returns patterns that match all that list and more match, and none of which
// overlaps another: where two do, what they begin with and all that follows.
func JoinPatterns(list []string, more ...string) []string {
	var out []string
	for _, p := range slices.Concat(list, more) {
		if slices.ContainsFunc(out, func(o string) bool { return Cover(o, p) }) {
			continue
		}
		for i := 0; i < len(out); {
			o := out[i]
			if !Overlap(o, p) {
				i++
				continue
			}
			if !Cover(p, o) {
				p = begin(o, p) + ">"
			}
			out, i = slices.Delete(out, i, i+1), 0 // p may now overlap those before
		}
		out = append(out, p)
	}
	return out
}

// begin are the words that two patterns begin with, and a dot.
func begin(a, b string) string {
	var same strings.Builder
	for {
		x, restA, moreA := strings.Cut(a, ".")
		y, restB, moreB := strings.Cut(b, ".")
		if x != y || !moreA || !moreB || x == "*" {
			return same.String()
		}
		same.WriteString(x + ".")
		a, b = restA, restB
	}
}
