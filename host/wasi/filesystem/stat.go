package filesystem

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasi/clocks"
	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// info is what is known about a file.
type info struct {
	kind                        contract.DescriptorType
	links, size                 uint64
	id                          fileID
	accessed, modified, changed wit.Option[clocks.Datetime]
}

func (i info) stat() contract.DescriptorStat {
	return contract.DescriptorStat{
		Type: i.kind, LinkCount: i.links, Size: i.size,
		DataAccessTimestamp: i.accessed, DataModificationTimestamp: i.modified, StatusChangeTimestamp: i.changed,
	}
}

// hash is of the object's identity alone, where the system has one: programs
// of preview 1 take it for the number of the inode, which stays when a file is
// written to.
func (i info) hash() contract.MetadataHashValue {
	words := []uint64{i.id.dev, i.id.ino}
	if i.id == (fileID{}) {
		words = []uint64{uint64(i.kind), i.size, i.modified.Value.Seconds, uint64(i.modified.Value.Nanoseconds)}
	}
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	sum := sha256.Sum256(b)
	return contract.MetadataHashValue{Lower: binary.LittleEndian.Uint64(sum[:]), Upper: binary.LittleEndian.Uint64(sum[8:])}
}

// datetime makes a timestamp, or none of a time that WASI cannot say.
func datetime(seconds, nanoseconds int64) wit.Option[clocks.Datetime] {
	if seconds < 0 {
		return wit.None[clocks.Datetime]()
	}
	return wit.Some(clocks.Datetime{Seconds: uint64(seconds), Nanoseconds: uint32(nanoseconds)})
}

// fileTimes are times to set.
type fileTimes struct{ accessed, modified time.Time }

// newTimes makes times of what a guest asks for and what they are now. change
// is false if both stay.
func newTimes(now info, accessed, modified contract.NewTimestamp) (t fileTimes, change bool, err error) {
	if t.accessed, err = newTime(now.accessed, accessed); err != nil {
		return t, false, err
	}
	if t.modified, err = newTime(now.modified, modified); err != nil {
		return t, false, err
	}
	change = accessed.Tag != contract.NewTimestampNoChange || modified.Tag != contract.NewTimestampNoChange
	return t, change, nil
}

func newTime(now wit.Option[clocks.Datetime], want contract.NewTimestamp) (time.Time, error) {
	d := want.Timestamp
	switch want.Tag {
	case contract.NewTimestampNow:
		return time.Now(), nil
	case contract.NewTimestampNoChange:
		d = now.Value
	case contract.NewTimestampTimestamp:
	}
	if d.Nanoseconds >= 1e9 {
		return time.Time{}, contract.ErrorCodeInvalid
	}
	if d.Seconds > math.MaxInt64 {
		return time.Time{}, contract.ErrorCodeOverflow
	}
	return time.Unix(int64(d.Seconds), int64(d.Nanoseconds)), nil
}
