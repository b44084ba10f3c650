package grant

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// resolve follows an alias to what it stands for. An alias of an alias cannot
// be written.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// kind names a node for an error.
func kind(n *yaml.Node) string {
	switch n = resolve(n); {
	case n.Kind == yaml.MappingNode:
		return "keys with values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	case n.Tag == "!!merge":
		return "a merge"
	}
	return "text"
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func oneOf(names []string) string {
	slices.Sort(names)
	if len(names) == 1 {
		return ": want " + names[0]
	}
	return ": want one of " + strings.Join(names, ", ")
}
