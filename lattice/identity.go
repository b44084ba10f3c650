package lattice

import (
	"fmt"
	"hash/fnv"

	"github.com/nats-io/nkeys"
)

// Identity is who a host is: an nkeys server key pair, and a name for people
// made from it. It is immutable and safe for concurrent use.
type Identity struct {
	// ID is the public key: 56 characters, N first.
	ID string
	// Name is a friendly name, adjective-noun-NNNN. The same key has the same
	// name, so that a restarted host is recognised.
	Name string

	seed string
}

// NewIdentity returns the identity of a seed (SN…), or a fresh random one for
// an empty seed. An error never repeats the seed.
func NewIdentity(seed string) (*Identity, error) {
	pair, err := keyPair(seed)
	if err != nil {
		return nil, err
	}
	defer pair.Wipe()
	id, err := pair.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("host key: %w", err)
	}
	if err := ValidHostID(id); err != nil {
		return nil, fmt.Errorf("host seed: %w: it is of another kind, a server seed starts with SN", ErrInvalid)
	}
	raw, err := pair.Seed()
	if err != nil {
		return nil, fmt.Errorf("host key: %w", err)
	}
	return &Identity{ID: id, Name: FriendlyName(id), seed: string(raw)}, nil
}

func keyPair(seed string) (nkeys.KeyPair, error) {
	if seed == "" {
		pair, err := nkeys.CreateServer()
		if err != nil {
			return nil, fmt.Errorf("make a host key: %w", err)
		}
		return pair, nil
	}
	pair, err := nkeys.FromSeed([]byte(seed))
	if err != nil {
		return nil, fmt.Errorf("host seed: %w: %w", ErrInvalid, err)
	}
	return pair, nil
}

// Seed returns the secret from which NewIdentity makes the same identity.
func (i *Identity) Seed() string { return i.seed }

// String returns the public id, never the seed.
func (i *Identity) String() string { return i.ID }

// GoString keeps the seed out of %#v.
func (i *Identity) GoString() string { return "lattice.Identity(" + i.ID + ")" }

// FriendlyName returns a name for people, adjective-noun-NNNN, that depends on
// the id alone. Different ids may share one.
func FriendlyName(id string) string {
	h := fnv.New64a()
	h.Write([]byte(id))
	n := h.Sum64()
	adjective := adjectives[n%uint64(len(adjectives))]
	n /= uint64(len(adjectives))
	noun := nouns[n%uint64(len(nouns))]
	n /= uint64(len(nouns))
	return fmt.Sprintf("%s-%s-%04d", adjective, noun, n%10000)
}

var adjectives = [...]string{
	"amber", "bold", "brave", "bright", "brisk", "calm", "clear", "clever", "cool", "copper", "crisp", "deep",
	"eager", "early", "fair", "fleet", "fresh", "gentle", "glad", "golden", "grand", "green", "happy", "hardy",
	"high", "hollow", "honest", "keen", "kind", "late", "light", "lively", "loyal", "lucky", "mellow", "mild",
	"misty", "neat", "nimble", "noble", "open", "patient", "plain", "proud", "quick", "quiet", "rapid", "ready",
	"round", "rustic", "sharp", "silent", "silver", "sleek", "solid", "steady", "still", "sturdy", "sunny", "swift",
	"warm", "wide", "wild", "wise",
}

var nouns = [...]string{
	"acorn", "alder", "anchor", "arbor", "arch", "aspen", "badger", "barley", "beacon", "beam", "beech", "birch",
	"bridge", "brook", "cedar", "cliff", "cove", "crane", "creek", "delta", "dune", "ember", "falcon", "fern",
	"finch", "fjord", "forge", "gable", "garden", "glade", "grove", "harbor", "hazel", "heron", "hill", "island",
	"ivy", "kite", "lantern", "larch", "lark", "ledge", "linden", "maple", "meadow", "mill", "oak", "orchard",
	"otter", "pine", "pond", "quarry", "rafter", "reef", "ridge", "river", "sparrow", "spruce", "stone", "timber",
	"trellis", "valley", "willow", "wren",
}
