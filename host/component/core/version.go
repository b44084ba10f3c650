package core

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// Version is the version of the rewriter. Raise it with every change of what
// [Rewrite] makes of any module, of [Facts] or of the meter: code that was
// compiled by another version is not used then. A test watches over it.
const Version = 2

// Key identifies what Rewrite(m, plan) makes: the digest of m's bytes, of plan
// and of [Version].
func Key(m *Module, plan Plan) [sha256.Size]byte {
	h := sha256.New()
	var flags uint64
	for i, set := range []bool{plan.Imports != nil, plan.KeepOffsets, plan.KeepNames, plan.StripData, plan.NoChecks} {
		if set {
			flags |= 1 << i
		}
	}
	hashNumbers(h, Version, flags, plan.MaxMemory, uint64(plan.MaxTable), uint64(len(plan.Imports)))
	for _, n := range plan.Imports {
		for _, s := range []string{n.Module, n.Field} {
			hashNumbers(h, uint64(len(s)))
			h.Write([]byte(s))
		}
	}
	h.Write(m.bytes)
	return [sha256.Size]byte(h.Sum(nil))
}

func hashNumbers(h hash.Hash, numbers ...uint64) {
	var b [8]byte
	for _, n := range numbers {
		binary.LittleEndian.PutUint64(b[:], n)
		h.Write(b[:])
	}
}
