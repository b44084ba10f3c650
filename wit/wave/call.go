package wave

import (
	"fmt"
	"strings"

	"github.com/lathhost/lath/wit"
)

// Call is a function call as a person writes it, not yet held against a type.
type Call struct {
	// Instance is the interface's name as written, with its version if one was
	// written; empty where the call names a function only.
	Instance string
	// Func is the function's name as written: "increment", or for a function
	// of a resource "[method]bucket.get" or "bucket.get".
	Func string
	Args []Arg

	src   string
	close int // offset of the closing parenthesis
}

// Arg is the text of one argument.
type Arg struct {
	Text   string
	Offset int // in bytes, from the start of the call
}

// ParseCall splits a call into its function and its arguments: the name of an
// interface (which has a "/") and a dot, both optional, the name of a function
// and arguments in parentheses. With a version in between, the function is
// what follows the version's third number, or, where the version has a
// pre-release or build part, what follows the last dot; a function name with
// its [kind] in brackets begins at the bracket in any case. Errors are
// [*Error].
func ParseCall(s string) (Call, error) {
	if len(s) > MaxText {
		return Call{}, tooLong(s)
	}
	open := strings.IndexByte(s, '(')
	if open < 0 {
		return Call{}, errorAt(s, len(s), "", `a call like function(arguments)`, `no "("`)
	}
	c := Call{src: s}
	head := strings.TrimLeft(s[:open], " \t\r\n")
	at := open - len(head)
	head = strings.TrimRight(head, " \t\r\n")
	if err := c.parseHead(head, at); err != nil {
		return Call{}, err
	}
	if err := c.splitArgs(open); err != nil {
		return Call{}, err
	}
	return c, nil
}

func (c *Call) parseHead(head string, at int) error {
	c.Func = head
	if i := headSplit(head); i >= 0 {
		c.Instance, c.Func = head[:i], head[i+1:]
		if id, err := wit.ParseID(c.Instance); err != nil || !id.Valid() {
			return errorAt(c.src, at, "", "an interface name like namespace:package/interface[@version]", `"`+clip(c.Instance, 80)+`"`)
		}
	} else if strings.ContainsAny(head, "/:@") {
		return errorAt(c.src, at+len(head), "", `"." and the name of a function after the interface`, `the end of "`+clip(head, 80)+`"`)
	}
	if !validFunc(c.Func) {
		return errorAt(c.src, at+len(head)-len(c.Func), "", "the name of a function", `"`+clip(c.Func, 80)+`"`)
	}
	return nil
}

// headSplit returns the offset of the dot between interface and function, or
// -1 where the head names no interface.
func headSplit(head string) int {
	slash := strings.IndexByte(head, '/')
	if slash < 0 {
		return -1
	}
	if i := strings.Index(head, ".["); i > slash {
		return i
	}
	version := strings.IndexByte(head, '@')
	switch {
	case version < 0:
		if i := strings.IndexByte(head[slash:], '.'); i >= 0 {
			return slash + i
		}
		return -1
	case strings.ContainsAny(head[version:], "+") || strings.Contains(versionCore(head[version+1:]), "-"):
		return strings.LastIndexByte(head, '.')
	}
	i := version
	for range 3 {
		n := strings.IndexByte(head[i+1:], '.')
		if n < 0 {
			return -1
		}
		i += 1 + n
	}
	return i
}

// versionCore returns the first three dot-separated parts, which hold the
// hyphen of a pre-release if there is one.
func versionCore(s string) string {
	parts := strings.SplitN(s, ".", 4)
	return strings.Join(parts[:min(len(parts), 3)], ".")
}

// validFunc accepts a plain name, and "resource.name" for one with its kind
// left out.
func validFunc(name string) bool {
	if r, f, ok := strings.Cut(name, "."); ok && !strings.HasPrefix(name, "[") {
		return wit.ValidLabel(r) && wit.ValidLabel(f)
	}
	_, err := wit.ParseFuncName(name)
	return err == nil
}

// splitArgs finds the arguments without knowing their types: commas outside of
// any brackets separate them.
func (c *Call) splitArgs(open int) error {
	lex := lexer{src: c.src, pos: open + 1, end: len(c.src)}
	closers := []byte{')'}
	from, end := -1, -1 // of the argument that is being read
	for len(closers) > 0 {
		t, err := lex.next()
		if err != nil {
			return err
		}
		top := closers[len(closers)-1]
		switch {
		case t.kind == tokenEnd:
			return errorAt(c.src, t.pos, "", `"`+string(top)+`"`, "the end")
		case len(closers) == 1 && (t.kind == ',' || t.kind == ')'):
			if from < 0 && t.kind == ',' {
				return errorAt(c.src, t.pos, "", "an argument", t.String())
			}
			if from >= 0 {
				c.Args = append(c.Args, Arg{Text: c.src[from:end], Offset: from})
			}
			if from = -1; t.kind == ')' {
				closers, c.close = nil, t.pos
			}
			continue
		case t.kind == '(':
			closers = append(closers, ')')
		case t.kind == '[':
			closers = append(closers, ']')
		case t.kind == '{':
			closers = append(closers, '}')
		case t.kind == ')' || t.kind == ']' || t.kind == '}':
			if byte(t.kind) != top {
				return errorAt(c.src, t.pos, "", `"`+string(top)+`"`, t.String())
			}
			closers = closers[:len(closers)-1]
		}
		if from < 0 {
			from = t.pos
		}
		end = t.pos + len(t.text)
	}
	t, err := lex.next()
	if err == nil && t.kind != tokenEnd {
		err = errorAt(c.src, t.pos, "", `the end after ")"`, t.String())
	}
	return err
}

// ParseArgs reads the arguments of a call as values of the parameters. Options
// at the end may be left out. Errors are [*Error], with positions in the whole
// call.
func ParseArgs(params []wit.Param, c Call) ([]wit.Value, error) {
	if len(c.Args) > len(params) {
		return nil, errorAt(c.src, c.Args[len(params)].Offset, "",
			fmt.Sprintf("%s for %s%s", count(len(params)), c.Func, paramList(params)), fmt.Sprintf("%d", len(c.Args)))
	}
	vs := make([]wit.Value, len(params))
	values := MaxValues
	for i, p := range params {
		context := fmt.Sprintf("argument %q", p.Name)
		if i >= len(c.Args) {
			if p.Type.Kind == wit.KindOption {
				continue
			}
			return nil, errorAt(c.src, c.close, context, describe(p.Type), "no more arguments")
		}
		a := c.Args[i]
		v, err := parseWhole(p.Type, c.src, a.Offset, a.Offset+len(a.Text), context, &values)
		if err != nil {
			return nil, err
		}
		vs[i] = v
	}
	return vs, nil
}

func count(n int) string {
	switch n {
	case 0:
		return "no arguments"
	case 1:
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", n)
}

func paramList(params []wit.Param) string {
	s := (&wit.Func{Params: params}).Signature()
	return clip(strings.TrimPrefix(s, "func"), 120)
}
