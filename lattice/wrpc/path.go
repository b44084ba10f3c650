package wrpc

import (
	"strconv"
	"strings"
)

// Path says where a stream or future sits in parameters or results: the index
// of the parameter or result, then of the field in each record or tuple around
// it. Options, results, variants and futures on the way have no index of their
// own: they share that of what contains them. Streams inside lists or streams
// are not supported, as in v1.
type Path []uint32

// String returns the path as it is in subjects, "0.1".
func (p Path) String() string {
	b := make([]byte, 0, 4*len(p))
	for i, k := range p {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, uint64(k), 10)
	}
	return string(b)
}

// The words of sub-subjects. Package lattice builds the subjects; here the
// tails of those that arrive are told apart.
const (
	tailParams        = "params"
	tailResults       = "results"
	tailCancel        = "cancel"
	tailParamsCredit  = "credit.params."
	tailResultsCredit = "credit.results."
)

// cutChannel returns what follows a channel's name in the tail of a subject:
// "" for the channel itself, "0.1" for one of its paths.
func cutChannel(rest, channel string) (path string, ok bool) {
	tail, ok := strings.CutPrefix(rest, channel)
	switch {
	case !ok:
		return "", false
	case tail == "":
		return "", true
	case tail[0] != '.':
		return "", false
	}
	return tail[1:], true
}
