package filesystem

import (
	"strings"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

const (
	// maxPath bounds a path, with what the links in its last place add to it.
	maxPath = 4096
	// maxLinks bounds the links that are followed in the last place of a path.
	maxLinks = 40
)

// splitPath is a path whose parent and last element are apart.
type splitPath struct {
	// dir leads to the parent, and is "" or ends in an element of its own; a
	// path that ends in "." or ".." is all dir.
	dir string
	// name is the last element, or "." if that is the parent itself.
	name string
	// slash says that what the path leads to has to be a directory.
	slash bool
}

func parsePath(s string) (p splitPath, err error) {
	switch {
	case s == "":
		return p, contract.ErrorCodeNoEntry
	case s[0] == '/':
		return p, contract.ErrorCodeNotPermitted
	case len(s) > maxPath:
		return p, contract.ErrorCodeNameTooLong
	case strings.IndexByte(s, 0) >= 0 || !representable(s):
		return p, contract.ErrorCodeInvalid
	}
	clean := strings.TrimRight(s, "/")
	p.slash = len(clean) < len(s)
	i := strings.LastIndexByte(clean, '/')
	p.dir, p.name = strings.TrimRight(clean[:i+1], "/"), clean[i+1:]
	if p.name == "." || p.name == ".." {
		p = splitPath{dir: clean, name: ".", slash: true}
	}
	if p.dir == "." {
		p.dir = ""
	}
	return p, nil
}

// follow returns the path that a link in the last place leads to.
func (p splitPath) follow(target string) (string, error) {
	switch {
	case target == "":
		return "", contract.ErrorCodeNoEntry
	case target[0] == '/':
		return "", contract.ErrorCodeNotPermitted
	}
	if p.dir != "" {
		target = p.dir + "/" + target
	}
	if p.slash {
		target += "/"
	}
	return target, nil
}
