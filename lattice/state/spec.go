package state

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/lathhost/lath/lattice"
)

// Spec is what the lattice stores under one component's or provider's id.
type Spec struct {
	// URL is the image reference that it was first started with, or empty if
	// only links are known.
	URL string
	// Links are those whose source it is.
	Links []lattice.Link
}

type specJSON struct {
	URL   string         `json:"url"`
	Links []lattice.Link `json:"links"`
}

func (s *Spec) encode() ([]byte, error) {
	out := specJSON{URL: s.URL, Links: s.Links}
	if out.Links == nil {
		out.Links = []lattice.Link{}
	}
	return lattice.EncodeJSON(out)
}

// decodeSpec reads the spec of an id. A link that names another source does not
// belong there; v1 hosts would follow it, so it is an error like any other.
func decodeSpec(id string, data []byte, limit int) (*Spec, error) {
	var in struct {
		URL   *string         `json:"url"`
		Links json.RawMessage `json:"links"`
	}
	if err := lattice.DecodeJSON(data, limit, &in); err != nil {
		return nil, err
	}
	if in.URL == nil {
		return nil, fmt.Errorf("%w: no url in it", lattice.ErrInvalid)
	}
	spec := &Spec{URL: *in.URL}
	if len(in.Links) > 0 {
		if err := lattice.DecodeJSON(in.Links, limit, &spec.Links); err != nil {
			return nil, err
		}
	}
	for _, link := range spec.Links {
		if link.SourceID != id {
			return nil, fmt.Errorf("%w: it has a link from %.80q", lattice.ErrInvalid, link.SourceID)
		}
	}
	return spec, nil
}

// specName returns the id of a spec's key; empty for another key.
func specName(key string) string {
	id, ok := lattice.ParseSpecKey(key)
	if !ok || lattice.ValidID(id) != nil {
		return ""
	}
	return id
}

func (s *Store) decodeSpec(id string, data []byte) (*Spec, error) {
	return decodeSpec(id, data, s.opts.MaxSpecSize)
}

func (s *Spec) clone() *Spec {
	return &Spec{URL: s.URL, Links: cloneLinks(s.Links)}
}

func (s *Spec) links() []lattice.Link {
	if s == nil {
		return nil
	}
	return s.Links
}

// put returns the spec with a link added, or in the place of the one that it
// replaces; the same spec if nothing changes.
func (s *Spec) put(link lattice.Link) (*Spec, error) {
	if slices.ContainsFunc(s.Links, link.ConflictsWith) {
		return nil, ErrLinkConflict
	}
	at := slices.IndexFunc(s.Links, link.Replaces)
	if at < 0 {
		return &Spec{URL: s.URL, Links: append(slices.Clip(s.Links), link)}, nil
	}
	if s.Links[at].Equal(link) {
		return s, nil
	}
	links := slices.Clone(s.Links)
	links[at] = link
	return &Spec{URL: s.URL, Links: links}, nil
}

// remove returns the spec without the links of a key, and these.
func (s *Spec) remove(key lattice.LinkKey) (next *Spec, removed []lattice.Link) {
	next = &Spec{URL: s.URL}
	for _, link := range s.Links {
		if link.Key() == key {
			removed = append(removed, link)
		} else {
			next.Links = append(next.Links, link)
		}
	}
	return next, removed
}

func cloneLinks(links []lattice.Link) []lattice.Link {
	out := make([]lattice.Link, len(links))
	for i, link := range links {
		out[i] = link.Clone()
	}
	return out
}

func sameLinks(a, b []lattice.Link) bool { return slices.EqualFunc(a, b, lattice.Link.Equal) }
