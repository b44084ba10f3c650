package bindgen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lathhost/lath/wit"
)

// stubs writes the wRPC stubs of some interfaces of a package: one file per
// interface with its client and server, and one with what they share. It
// refuses what a lattice cannot carry.
func (p *Package) stubs(from string, names []string) ([]*file, error) {
	dir := "lattice/bind/" + p.Dir() + "/"
	q := qualifier{own: p, self: "contract."}
	doc := newFile(dir+"doc.gen.go", from, p.goName(), q)
	doc.doc = fmt.Sprintf("Package %s carries the contract %s over a lattice: clients that implement its interfaces, "+
		"and servers for implementations of them.", p.goName(), p.full())
	w := &stubWriter{pkg: p, values: newFile(dir+"values.gen.go", from, p.goName(), q), done: map[string]bool{}}
	files := []*file{doc}
	for _, name := range names {
		at := slices.IndexFunc(p.ifaces, func(i *iface) bool { return i.name == name })
		if at < 0 {
			return nil, fmt.Errorf("no interface %s to write stubs of", name)
		}
		i := p.ifaces[at]
		if err := i.portable(); err != nil {
			return nil, err
		}
		w.file = newFile(dir+i.file(), from, p.goName(), q)
		w.client(i)
		w.server(i)
		files = append(files, w.file)
	}
	if w.values.body.Len() > 0 {
		files = append(files, w.values)
	}
	return files, nil
}

// portable checks that a lattice can carry the interface. Streams and futures
// were refused when it was loaded.
func (i *iface) portable() error {
	handles := func(t *typ) bool { return t != nil && t.w.Props.Has(wit.HasHandle) }
	for _, d := range i.defs {
		if d.resource != nil {
			return fmt.Errorf("%s has the resource %s, which a lattice cannot carry", i.full(), d.name)
		}
	}
	for _, fn := range i.funcs {
		carries := handles(fn.result)
		for _, p := range fn.params {
			carries = carries || handles(p.typ)
		}
		if carries {
			return fmt.Errorf("%s: function %s passes a resource, which a lattice cannot carry", i.full(), fn.name)
		}
	}
	return nil
}

type stubWriter struct {
	*file
	pkg    *Package
	values *file
	done   map[string]bool
}

// instance writes the expression of the interface's full name.
func (i *iface) instance() string { return "contract." + exported(i.name) + "Interface.Name" }

func (w *stubWriter) client(i *iface) {
	name := i.goName + "Client"
	w.comment(fmt.Sprintf("%s carries %s out by calling a target. It is safe for concurrent use if its invoker is.", name, i.full()))
	w.p("type %s struct{ inv bind.Invoker }\n", name)
	w.comment(fmt.Sprintf("New%s returns a client of the target that inv calls.", name))
	w.p("func New%s(inv bind.Invoker) *%s { return &%s{inv: inv} }\n", name, name, name)
	w.p("var _ contract.%s = (*%s)(nil)\n", i.goName, name)
	for _, fn := range i.funcs {
		w.clientFunc(name, fn)
	}
}

func (w *stubWriter) clientFunc(client string, fn *fn) {
	ok := fn.ok()
	w.comment(fmt.Sprintf("%s calls %s. An error of the transport is returned as it is.", fn.goName, fn.name))
	w.p("func (c *%s) %s%s {", client, fn.goName, fn.goSignature(w.q))
	zero := ""
	if ok != nil {
		w.p("var v %s", ok.goType(w.q))
		zero = "v, "
	}
	w.p("var w bind.Writer")
	for _, p := range fn.params {
		w.p("%s", w.write(p.typ, "w", paramName(p.name)))
	}
	w.p("r, err := bind.Call(ctx, c.inv, %s, %q, &w)", fn.iface.instance(), fn.name)
	w.p("if err != nil {\nreturn %serr\n}", zero)
	end := fmt.Sprintf("bind.Results(&r, %s, %q)", fn.iface.instance(), fn.name)
	if fn.fallible() {
		w.p("if r.Result() {")
		value := w.readError(fn)
		w.p("if err := %s; err != nil {\nreturn %serr\n}", end, zero)
		w.p("return %s%s\n}", zero, value)
	}
	if ok != nil {
		w.p("v = %s", w.read(ok, "&r"))
		w.p("return v, %s\n}\n", end)
		return
	}
	w.p("return %s\n}\n", end)
}

// readError writes the reading of an error value and returns the expression of
// the Go error that it becomes.
func (w *stubWriter) readError(fn *fn) string {
	e := fn.err()
	switch shapeOfError(e) {
	case errAny:
		return fmt.Sprintf("errors.New(%q)", fn.name+" failed")
	case errText:
		w.p("e := r.String()")
		return "errors.New(e)"
	case errOther:
		w.p("e := %s{Value: %s}", w.q.name(fn.iface.pkg, fn.errorWrapper()), w.read(e, "&r"))
	default:
		w.p("e := %s", w.read(e, "&r"))
	}
	return "e"
}

func (w *stubWriter) server(i *iface) {
	w.comment(fmt.Sprintf("Serve%s serves %s with impl, which must be safe for concurrent use.", i.goName, i.full()))
	w.p("func Serve%s(reg bind.Registrar, impl contract.%s) error {", i.goName, i.goName)
	w.p("f := contract.%sInterface.Funcs", exported(i.name))
	w.p("return bind.Serve(reg, %s,", i.instance())
	for k, fn := range i.funcs {
		w.p("bind.Function{Type: f[%d], Handle: func(ctx context.Context, params []byte) ([]byte, error) {", k)
		w.p("return serve%s%s(ctx, impl, params)\n}},", i.goName, fn.goName)
	}
	w.p(")\n}\n")
	for _, fn := range i.funcs {
		w.serverFunc(fn)
	}
}

func (w *stubWriter) serverFunc(fn *fn) {
	w.p("func serve%s%s(ctx context.Context, impl contract.%s, params []byte) ([]byte, error) {", fn.iface.goName, fn.goName, fn.iface.goName)
	w.p("r := wire.NewReader(params)")
	args := []string{"ctx"}
	for _, p := range fn.params {
		w.p("%s := %s", paramName(p.name), w.read(p.typ, "&r"))
		args = append(args, paramName(p.name))
	}
	w.p("if err := bind.Params(&r, %s, %q); err != nil {\nreturn nil, err\n}", fn.iface.instance(), fn.name)
	ok, results := fn.ok(), "err"
	if ok != nil {
		results = "v, err"
	}
	w.p("%s := impl.%s(%s)", results, fn.goName, strings.Join(args, ", "))
	if !fn.fallible() {
		w.p("if err != nil {\nreturn nil, err\n}")
		w.p("var w bind.Writer")
	} else {
		w.p("var w bind.Writer")
		w.p("if err != nil {")
		w.writeError(fn)
		w.p("return w.Bytes()\n}")
		w.p("w.Bool(false)")
	}
	if ok != nil {
		w.p("%s", w.write(ok, "w", "v"))
	}
	w.p("return w.Bytes()\n}\n")
}

func (w *stubWriter) writeError(fn *fn) {
	e, value := fn.err(), "err.Error()"
	switch shapeOfError(e) {
	case errAny:
		w.p("w.Bool(true)")
		return
	case errNamed, errOther:
		w.p("e, ok := %s(err)", fn.errorFrom(w.q))
		w.p("if !ok {\nreturn nil, err\n}")
		value = "e"
		if shapeOfError(e) == errOther {
			value = "e.Value"
		}
	}
	w.p("w.Bool(true)")
	w.p("%s", w.write(e, "w", value))
}
