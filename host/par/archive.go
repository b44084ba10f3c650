package par

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/claims"
)

// The limits that a zero [Limits] stands for.
const (
	DefaultMaxBinary = 512 << 20
	DefaultMaxTotal  = 4 << 30
)

const (
	maxToken   = 256 << 10 // bytes of claims.jwt
	maxWorld   = 16 << 20  // bytes of world.wasm
	maxEntries = 256
)

// The entries of an archive that are no binary.
const (
	claimsEntry = "claims"
	worldEntry  = "world"
	worldFile   = "world.wasm" // as the claims name it
)

// Limits bound what an archive may cost. Zero fields mean the defaults.
type Limits struct {
	// MaxBinary bounds one executable, in bytes.
	MaxBinary int64
	// MaxTotal bounds what is read of an archive once it is decompressed, in bytes.
	MaxTotal int64
}

func (l Limits) withDefaults() Limits {
	if l.MaxBinary <= 0 {
		l.MaxBinary = DefaultMaxBinary
	}
	if l.MaxTotal <= 0 {
		l.MaxTotal = DefaultMaxTotal
	}
	return l
}

// Target names a platform as archives do, such as x86_64-linux. The arguments are
// Go's words for it.
func Target(goos, goarch string) string {
	if arch, ok := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "x86"}[goarch]; ok {
		goarch = arch
	}
	if goos == "darwin" {
		goos = "macos"
	}
	return goarch + "-" + goos
}

// Here is the target that this program was built for.
func Here() string { return Target(runtime.GOOS, runtime.GOARCH) }

// Archive is what was read of an archive.
type Archive struct {
	// Claims are those of the provider, by which the binary was checked.
	Claims *claims.Token
	// Digest is the binary's, as sha256:HEX, and Size how long it is, in bytes.
	Digest string
	Size   int64
	// World is the provider's WIT, as a component, if it stood before the binary.
	World []byte
}

// IsArchive says whether a file that begins so is an archive. 512 bytes are
// enough to tell.
func IsArchive(head []byte) bool {
	const magic, at = "ustar", 257
	return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) ||
		len(head) >= at+len(magic) && string(head[at:at+len(magic)]) == magic
}

// Extract reads an archive and writes the binary of a target to w. It reads no
// further than it needs to; all that it returns was checked with the claims. What
// was written must not be used where it returns an error; which matches
// lattice.ErrInvalid, lattice.ErrNotFound (nothing for that target),
// claims.ErrExpired or what ctx, r and w report.
func Extract(ctx context.Context, r io.Reader, target string, w io.Writer, l Limits) (*Archive, error) {
	x := extraction{target: target, limits: l.withDefaults(), out: w}
	a, err := x.read(&stoppable{ctx, r})
	if err != nil {
		return nil, fmt.Errorf("provider archive: %w", err)
	}
	return a, nil
}

// stoppable ends a reading with its context.
type stoppable struct {
	ctx context.Context //nolint:containedctx // of one reading
	r   io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// extraction is the state of one reading.
type extraction struct {
	target string
	limits Limits
	out    io.Writer

	archive  Archive
	binary   []byte // its hash
	world    []byte
	others   []string // targets that are not wanted
	sawClaim bool
}

func (x *extraction) read(r io.Reader) (*Archive, error) {
	plain, err := decompress(r)
	if err != nil {
		return nil, err
	}
	in := tar.NewReader(&bounded{plain, x.limits.MaxTotal})
	for n := 0; !x.complete(); n++ {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && n == maxEntries {
			err = fmt.Errorf("%w: more than %d entries", lattice.ErrInvalid, maxEntries)
		}
		if err == nil {
			err = x.entry(h, in)
		}
		if err != nil {
			return nil, broken(err)
		}
	}
	return x.checked()
}

// decompress takes gzip away, if there is any.
func decompress(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	head, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case !IsArchive(head):
		return nil, fmt.Errorf("%w: it is neither a tar nor one that gzip compressed", lattice.ErrInvalid)
	case head[0] != 0x1f:
		return in, nil
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, broken(err)
	}
	return z, nil
}

// broken tells errors of a file's form from those of reading it.
func broken(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, tar.ErrFieldTooLong) || errors.Is(err, gzip.ErrHeader) ||
		errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || isFlate(err) {
		return fmt.Errorf("%w: %w", lattice.ErrInvalid, err)
	}
	return err
}

// complete says that nothing more is needed.
func (x *extraction) complete() bool { return x.sawClaim && x.binary != nil }

// entry takes what it needs of one entry.
func (x *extraction) entry(h *tar.Header, in io.Reader) error {
	name := path.Clean(h.Name)
	if h.Typeflag != tar.TypeReg || strings.ContainsAny(name, `/\`) {
		return nil // folders, links and what else a packer added
	}
	switch stem := strings.TrimSuffix(name, path.Ext(name)); {
	case stem == claimsEntry:
		return x.takeClaims(h, in)
	case stem == worldEntry:
		return x.takeWorld(h, in)
	case stem == x.target:
		return x.takeBinary(h, in)
	case len(x.others) < maxEntries:
		x.others = append(x.others, fmt.Sprintf("%.40q", stem))
	}
	return nil
}

func (x *extraction) takeClaims(h *tar.Header, in io.Reader) error {
	if x.sawClaim {
		return fmt.Errorf("%w: it has two %s", lattice.ErrInvalid, h.Name)
	}
	text, err := readEntry(h, in, maxToken)
	if err != nil {
		return err
	}
	x.archive.Claims, err = claims.OfProvider(strings.TrimSpace(string(text)), time.Now())
	x.sawClaim = true
	return err
}

func (x *extraction) takeWorld(h *tar.Header, in io.Reader) error {
	if x.world != nil {
		return fmt.Errorf("%w: it has two %s", lattice.ErrInvalid, worldFile)
	}
	world, err := readEntry(h, in, maxWorld)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(world)
	x.archive.World, x.world = world, sum[:]
	return nil
}

func (x *extraction) takeBinary(h *tar.Header, in io.Reader) error {
	switch {
	case x.binary != nil:
		return fmt.Errorf("%w: it has two binaries for %s", lattice.ErrInvalid, x.target)
	case h.Size <= 0 || h.Size > x.limits.MaxBinary:
		return fmt.Errorf("%w: its binary for %s has %d bytes: want 1 to %d", lattice.ErrInvalid, x.target, h.Size, x.limits.MaxBinary)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(sum, x.out), in)
	if err != nil {
		return err
	}
	x.binary = sum.Sum(nil)
	x.archive.Digest, x.archive.Size = fmt.Sprintf("sha256:%x", x.binary), n
	return nil
}

func readEntry(h *tar.Header, in io.Reader, limit int64) ([]byte, error) {
	if h.Size > limit {
		return nil, fmt.Errorf("%w: its %s has %d bytes: the limit is %d", lattice.ErrInvalid, h.Name, h.Size, limit)
	}
	return io.ReadAll(in)
}

// checked is the archive, once all that was read of it has been compared with its
// claims.
func (x *extraction) checked() (*Archive, error) {
	switch {
	case !x.sawClaim:
		return nil, fmt.Errorf("%w: it has no claims.jwt", lattice.ErrInvalid)
	case x.binary == nil && len(x.others) == 0:
		return nil, fmt.Errorf("%w: it has no binaries", lattice.ErrInvalid)
	case x.binary == nil:
		slices.Sort(x.others)
		return nil, fmt.Errorf("it has no binary for %s: %w: it has some for %s", x.target, lattice.ErrNotFound, strings.Join(x.others, ", "))
	}
	err := x.archive.Claims.CheckFile(x.target, x.binary)
	if x.world != nil {
		err = errors.Join(err, x.archive.Claims.CheckFile(worldFile, x.world))
	}
	if err != nil {
		return nil, err
	}
	return &x.archive, nil
}
