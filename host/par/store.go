package par

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/lathhost/lath/host/blob"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/claims"
)

// DefaultMaxStore is the limit of a [Store] that is given none, in bytes.
const DefaultMaxStore = 4 << 30

// Store keeps executables in a folder of its own. It is safe for concurrent use,
// also by several processes.
type Store struct {
	dir    *blob.Dir
	limits Limits
}

// NewStore returns a store in a folder, which is made for the user alone when
// something is first put there. When more than maxSize bytes are there, what was
// put longest ago goes; 0 means [DefaultMaxStore]. It does no I/O.
func NewStore(dir string, maxSize int64, l Limits) *Store {
	if maxSize <= 0 {
		maxSize = DefaultMaxStore
	}
	return &Store{dir: &blob.Dir{Path: dir, MaxSize: maxSize, Mode: 0o700}, limits: l.withDefaults()}
}

// Executable is a program that may be run.
type Executable struct {
	// Path is where it is, with mode 0700. A later Put may remove it when the
	// store is full. On Unix, running it may fail with ETXTBSY at once after it was
	// put, while another process is being started: host/process tries again.
	Path string
	// Digest is the program's, as sha256:HEX, and Size how long it is, in bytes.
	Digest string
	Size   int64
	// Claims are those of a provider archive, by which the program was checked,
	// and World its WIT; both are nil for a program that came as it is.
	Claims *claims.Token
	World  []byte
}

// Put makes an executable of a provider's image: of an archive, the binary for
// this platform; anything else must be a program for it. Errors match those of
// [Extract]; lattice.ErrDenied is about the folder.
func (s *Store) Put(ctx context.Context, image io.Reader) (*Executable, error) {
	if err := blob.Own(s.dir.Path); err != nil {
		return nil, fmt.Errorf("provider executables: %w", err)
	}
	in := bufio.NewReaderSize(image, 4096)
	head, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("provider image: %w", err)
	}
	x := &Executable{}
	x.Digest, err = s.dir.Create(func(w io.Writer) error {
		if IsArchive(head) {
			return x.extract(ctx, in, w, s.limits)
		}
		return x.copy(ctx, head, in, w, s.limits)
	})
	if err != nil {
		return nil, err
	}
	x.Path = s.dir.File(x.Digest)
	if err := s.dir.Evict(x.Digest); err != nil {
		return nil, fmt.Errorf("provider executables: evict: %w", err)
	}
	return x, nil
}

func (x *Executable) extract(ctx context.Context, in io.Reader, w io.Writer, l Limits) error {
	a, err := Extract(ctx, in, Here(), w, l)
	if err != nil {
		return err
	}
	x.Size, x.Claims, x.World = a.Size, a.Claims, a.World
	return nil
}

func (x *Executable) copy(ctx context.Context, head []byte, in io.Reader, w io.Writer, l Limits) (err error) {
	if err := isProgram(head); err != nil {
		return fmt.Errorf("provider image: %w", err)
	}
	x.Size, err = io.Copy(w, io.LimitReader(&stoppable{ctx, in}, l.MaxBinary+1))
	if err == nil && x.Size > l.MaxBinary {
		err = fmt.Errorf("%w: more than %d bytes", lattice.ErrInvalid, l.MaxBinary)
	}
	if err != nil {
		return fmt.Errorf("provider image: %w", err)
	}
	return nil
}

// isProgram refuses a file that cannot be a program for this platform, so that
// its owner reads more than "exec format error".
func isProgram(head []byte) error {
	magic := map[string][]string{
		"windows": {"MZ"},
		"darwin":  {"\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe", "#!"},
	}[runtime.GOOS]
	if magic == nil {
		magic = []string{elf.ELFMAG, "#!"}
	}
	for _, m := range magic {
		if bytes.HasPrefix(head, []byte(m)) {
			return isFor(head)
		}
	}
	if bytes.HasPrefix(head, []byte("\x00asm")) {
		return fmt.Errorf("%w: it is WebAssembly: see \"lath start component --help\"", lattice.ErrInvalid)
	}
	return fmt.Errorf("%w: it is neither a provider archive nor a program for %s: it begins with % x",
		lattice.ErrInvalid, Here(), head[:min(len(head), 8)])
}

// isFor refuses an ELF file of another machine.
func isFor(head []byte) error {
	const machineAt = 18
	want, known := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	if !known || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) || len(head) < machineAt+2 {
		return nil
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if head[elf.EI_DATA] == byte(elf.ELFDATA2MSB) {
		order = binary.BigEndian
	}
	if got := elf.Machine(order.Uint16(head[machineAt:])); got != want {
		return fmt.Errorf("%w: it is a program for %s, and this machine is %s", lattice.ErrInvalid, got, want)
	}
	return nil
}
