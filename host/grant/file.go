package grant

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/filesystem"
)

// maxFile bounds the file, in bytes.
const maxFile = 1 << 20

// ReadFile reads the grants of a host's operator: YAML, of which JSON is a
// part.
//
//	components:
//	  counter:                       # the component's id
//	    dirs: ["data::/data:ro"]     # see ParseDir; relative to the file's folder
//	    net: ["tcp://db.internal:5432"]
//	    http: ["api.example.org"]    # see egress.Parse
//	    http-proxy: http://proxy:3128  # see ParseProxy; how requests go out
//	    http-direct: ["*.internal"]    # without the proxy
//	    http-roots: [system, ca.pem]   # see ParseRoots
//	    http-redirects: 5              # followed for the component
//	    env: {MODE: fast}
//	    secrets: ["env:DB_PASSWORD", "vault:secret/counter/*"]  # BACKEND:KEY
//	    memory: 64MiB
//	    cpu: 2s
//	    time: 30s
//	    log-rate: 64KiB              # a second
//	    pool: {reuse: sticky, min: 2, max: 50, idle: 5m}  # see Pool
//	  "web-*": {http: ["*"]}
//	  "*": {memory: 32MiB}
//
// See [Policy.For] about which entry counts.
//
// # Errors
//
// Every error of the content names file, line and key: what is unknown, double
// or not of its form is refused, and so is a directory that is not there.
func ReadFile(name string) (*Policy, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxFile:
		return nil, fmt.Errorf("%s: more than %d bytes", name, maxFile)
	}
	base, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	return parse(name, base, data)
}

// parse reads the content of a file; name is for errors.
func parse(name, base string, data []byte) (*Policy, error) {
	p := &Policy{grants: map[string]Grant{}}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one document", name)
	}
	r := &reader{file: name, base: base}
	r.fields(doc.Content[0], "", map[string]func(value){
		"components": func(v value) {
			r.each(v, func(pattern string, v value) { p.grants[pattern] = r.grant(v) })
		},
	})
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}

// reader reads values until the first error.
type reader struct {
	file, base string
	err        error
}

// value is a node and the keys that lead to it.
type value struct {
	*yaml.Node
	key string
}

func (r *reader) fail(v value, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s:%d: %s: %w", r.file, v.Line, v.key, fmt.Errorf(format, args...))
	}
}

func (r *reader) grant(v value) Grant {
	var g Grant
	r.fields(v.Node, v.key, map[string]func(value){
		"dirs": func(v value) { g.Dirs = r.dirs(v) },
		"net":  func(v value) { g.Sockets = r.rules(v) },
		"http": func(v value) { g.HTTP = r.rules(v) },

		"http-proxy":     func(v value) { g.Outbound.Proxy = r.proxy(v) },
		"http-direct":    func(v value) { g.Outbound.Direct = r.rules(v) },
		"http-roots":     func(v value) { g.Outbound.Roots = r.roots(v) },
		"http-redirects": func(v value) { g.Outbound.Redirects = r.redirects(v) },

		"env":      func(v value) { g.Env = r.env(v) },
		"secrets":  func(v value) { g.Secrets = r.secrets(v) },
		"memory":   func(v value) { g.Memory = r.size(v) },
		"cpu":      func(v value) { g.CPU = r.duration(v) },
		"time":     func(v value) { g.Time = r.duration(v) },
		"log-rate": func(v value) { g.LogRate = r.size(v) },
		"pool":     func(v value) { g.Pool = r.pool(v) },
	})
	return g
}

// fields reads a map whose keys are known.
func (r *reader) fields(n *yaml.Node, key string, known map[string]func(value)) {
	r.pairs(value{n, key}, func(name string, k, v value) {
		read := known[name]
		if read == nil {
			var names []string
			for n := range known {
				names = append(names, n)
			}
			r.fail(k, "unknown key%s", oneOf(names))
			return
		}
		read(v)
	})
}

// each reads a map whose keys are patterns.
func (r *reader) each(v value, read func(pattern string, v value)) {
	r.pairs(v, func(pattern string, k, v value) {
		if !validPattern(pattern) {
			r.fail(k, "want a component's id, or the start of one and a star at its end")
			return
		}
		read(pattern, v)
	})
}

// pairs reads a map, whose keys are text and stand once. Null is an empty map.
func (r *reader) pairs(v value, read func(name string, k, v value)) {
	n := resolve(v.Node)
	if n.Tag == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.fail(v, "want keys with values, not %s", kind(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content) && r.err == nil; i += 2 {
		k := value{n.Content[i], join(v.key, n.Content[i].Value)}
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			r.fail(k, "want a name as key, not %s", kind(k.Node))
			return
		}
		if seen[k.Value] {
			r.fail(k, "the key stands here twice")
			return
		}
		seen[k.Value] = true
		read(k.Value, k, value{n.Content[i+1], k.key})
	}
}

func (r *reader) list(v value) []value {
	n := resolve(v.Node)
	if n.Kind != yaml.SequenceNode {
		r.fail(v, "want a list, not %s", kind(n))
		return nil
	}
	list := make([]value, len(n.Content))
	for i, item := range n.Content {
		list[i] = value{item, v.key}
	}
	return list
}

// text reads a scalar as it is written.
func (r *reader) text(v value) string {
	n := resolve(v.Node)
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		r.fail(v, "want text, not %s", kind(n))
		return ""
	}
	return n.Value
}

func (r *reader) dirs(v value) []filesystem.Dir {
	var dirs []filesystem.Dir
	for _, v := range r.list(v) {
		d, err := ParseDir(r.text(v), r.base)
		if err == nil {
			dirs, err = AddDir(dirs, d)
		}
		if err != nil {
			r.fail(v, "%w", err)
		}
	}
	return dirs
}

func (r *reader) size(v value) uint64 {
	n, err := ParseSize(r.text(v))
	if err != nil {
		r.fail(v, "%w", err)
	}
	return n
}

func (r *reader) duration(v value) time.Duration {
	text := r.text(v)
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		r.fail(v, "%q: want a duration such as 30s", text)
	}
	return d
}

func (r *reader) rules(v value) *egress.Rules {
	var texts []string
	for _, item := range r.list(v) {
		// One by one for the line of the error.
		text := r.text(item)
		if _, err := egress.Parse([]string{text}); err != nil {
			r.fail(item, "%w", err)
		}
		texts = append(texts, text)
	}
	rules, err := egress.Parse(texts)
	if err != nil {
		r.fail(v, "%w", err)
	}
	return rules
}

func (r *reader) env(v value) map[string]string {
	env := map[string]string{}
	r.pairs(v, func(name string, k, v value) {
		if err := ValidEnv(name); err != nil {
			r.fail(k, "%w", err)
			return
		}
		env[name] = r.text(v)
	})
	return env
}

func (r *reader) secrets(v value) []string {
	var list []string
	for _, item := range r.list(v) {
		text := r.text(item)
		backend, key, ok := strings.Cut(text, ":")
		if star := strings.IndexByte(text, '*'); !ok || backend == "" || key == "" || star >= 0 && star < len(text)-1 {
			r.fail(item, "%q: want BACKEND:KEY, such as env:DB_PASSWORD, with a star at most at its end", text)
		}
		list = append(list, text)
	}
	return list
}

// ValidEnv refuses what cannot name an environment variable.
func ValidEnv(name string) error {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return fmt.Errorf("%q cannot name an environment variable", name)
	}
	return nil
}
