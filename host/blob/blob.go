package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/lathhost/lath/lattice"
)

// scheme is how a digest begins, before its hexadecimal digits.
const scheme = "sha256:"

// tmpPattern names files that are being written; a crash leaves them.
const tmpPattern = ".tmp-*"

// Dir is a folder of files by their digests. It is safe for concurrent use, also
// by several processes.
type Dir struct {
	Path string
	// MaxSize bounds the files' bytes together, see [Dir.Evict].
	MaxSize int64
	// Mode is that of the files. 0 means 0600.
	Mode fs.FileMode
}

// File is the path of a digest, sha256:HEX, whether there is a file or not. An
// invalid digest has an empty path.
func (d *Dir) File(digest string) string {
	name, ok := strings.CutPrefix(digest, scheme)
	if !ok || len(name) != 2*sha256.Size || strings.Trim(name, "0123456789abcdef") != "" {
		return ""
	}
	return filepath.Join(d.Path, name)
}

// Create keeps what fill writes, unless fill fails, and returns its digest. A file
// that is there already and whole stays: it may be in use.
func (d *Dir) Create(fill func(io.Writer) error) (digest string, err error) {
	mode := d.Mode
	if mode == 0 {
		mode = 0o600
	}
	err = create(d.Path, mode, func(w io.Writer) (path string, err error) {
		sum := sha256.New()
		if err := fill(io.MultiWriter(w, sum)); err != nil {
			return "", err
		}
		digest = scheme + hex.EncodeToString(sum.Sum(nil))
		if d.Check(digest) {
			return "", nil
		}
		return d.File(digest), nil
	})
	return digest, err
}

// Check says whether the content of a digest is there, and whole. Content that
// does not fit its name is removed, as if it had never been there.
func (d *Dir) Check(digest string) bool {
	f, err := d.Open(digest)
	if err != nil {
		return false
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return false
	}
	if scheme+hex.EncodeToString(sum.Sum(nil)) != digest {
		_ = os.Remove(f.Name()) // or it will be found wrong again
		return false
	}
	d.Used(digest)
	return true
}

// Open opens the content of a digest, unchecked. It must be a regular file.
func (d *Dir) Open(digest string) (*os.File, error) {
	path := d.File(digest)
	if path == "" {
		return nil, fmt.Errorf("%w: %.80q is no SHA-256 digest", lattice.ErrInvalid, digest)
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", digest, lattice.ErrNotFound)
	}
	return os.Open(path)
}

// Remove removes the content of a digest, if it is there.
func (d *Dir) Remove(digest string) { _ = os.Remove(d.File(digest)) }

// Used has the content of a digest go later than what was used before.
func (d *Dir) Used(digest string) {
	now := time.Now()
	_ = os.Chtimes(d.File(digest), now, now) // without it, what is old goes first
}

// Evict removes the files that were used longest ago until the rest fits, and
// what a crash left half written. It never removes the digests in keep.
func (d *Dir) Evict(keep ...string) error {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return err
	}
	var total int64
	files := make([]fs.FileInfo, 0, len(entries))
	for _, entry := range entries {
		// Another process may remove files meanwhile.
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range files {
		stale := strings.HasPrefix(info.Name(), ".") && time.Since(info.ModTime()) > time.Hour
		if (total <= d.MaxSize && !stale) || slices.Contains(keep, scheme+info.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(d.Path, info.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= info.Size()
	}
	return nil
}

// WriteFile makes a file of mode 0600 appear whole or not at all.
func WriteFile(path string, data []byte) error {
	return create(filepath.Dir(path), 0o600, func(w io.Writer) (string, error) {
		_, err := w.Write(data)
		return path, err
	})
}

// create has a file written beside the place that is found for it, and puts it
// there; without a place it is thrown away.
func create(dir string, mode fs.FileMode, write func(io.Writer) (path string, err error)) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, tmpPattern) // mode 0600
	if err != nil {
		return err
	}
	path, err := write(f)
	if err == nil && mode != 0o600 {
		err = os.Chmod(f.Name(), mode)
	}
	err = errors.Join(err, f.Close())
	if err == nil && path != "" {
		if err = os.Rename(f.Name(), path); err == nil {
			return nil
		}
	}
	return errors.Join(err, os.Remove(f.Name()))
}

// Own makes a folder for the user alone, and refuses one in which others may
// write: they could choose what is found there.
func Own(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%s: %w: others may write there (mode %#o): chmod 700 it", dir, lattice.ErrDenied, mode)
	}
	return nil
}
