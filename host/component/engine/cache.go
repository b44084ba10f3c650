package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lathhost/lath/host/component/core"
)

// codeCache keeps compiled code in a directory that any number of processes
// use at the same time:
//
//	lath-1-1-wazero-v1.12.0-amd64-7/  one folder for each version of what makes code
//	  5f0c…                           an entry, see entry.go; its name is core.Key
//	  5f0c….123.tmp                   one that is being written
//
// An entry is written under another name and renamed, and is never changed
// after that but for its time, which says when it was last used. Nothing is
// synced to the disk: who reads an entry checks its sums, so that one that a
// crash has torn is as good as none.
type codeCache struct {
	dir    string
	folder string // the one of this version
	limit  int64
	warn   func(error)

	warned sync.Once
	mu     sync.Mutex
	grown  int64 // what was stored since the last sweep, in bytes; -1: none was made yet
}

const (
	// cacheFormat is the version of entries, and of how modules are compiled as
	// far as nothing else tells: features, debugging information.
	cacheFormat = 1
	// defaultCacheBytes is the default of Config.CacheBytes.
	defaultCacheBytes = 2 << 30
	// touchAfter is how exactly is known when an entry was last used.
	touchAfter = time.Minute
	// abandoned is the age of a file that nobody is still writing.
	abandoned = time.Hour
	// outdated is how long code of other versions is kept without being used: a
	// machine may run several for a while.
	outdated = 7 * 24 * time.Hour
)

// openCache opens the cache in dir. It is nil where there can be none, after
// a warning; an error is that of a directory that cannot be trusted.
func openCache(dir string, limit int64, cpu uint64, warn func(error)) (*codeCache, error) {
	if limit <= 0 {
		limit = defaultCacheBytes
	}
	if warn == nil {
		warn = func(error) {}
	}
	info, _ := debug.ReadBuildInfo()
	version, err := wazeroVersion(info)
	if err != nil {
		warn(fmt.Errorf("no code is kept: %w", err))
		return nil, nil
	}
	name := fmt.Sprintf("%s%d-%d-wazero-%s-%s-%x", folderPrefix, cacheFormat, core.Version, version, runtime.GOARCH, cpu)
	c := &codeCache{dir: dir, folder: filepath.Join(dir, name), limit: limit, warn: warn, grown: -1}
	// The folder is looked at before anything is made in it: what others may
	// write to holds machine code of anybody.
	for _, d := range []string{c.dir, c.folder} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			warn(fmt.Errorf("no code is kept: %w", err))
			return nil, nil
		}
		if err := checkPrivate(d); err != nil {
			return nil, fmt.Errorf("code cache %s: %w", d, err)
		}
	}
	return c, nil
}

// The names of folders: ours, and those that were wazero's own.
const (
	folderPrefix = "lath-"
	formerPrefix = "wazero-"
)

// wazeroVersion returns the version of wazero that a program was built with; it
// can be part of a file's name.
func wazeroVersion(info *debug.BuildInfo) (string, error) {
	const module, unknown = "github.com/tetratelabs/wazero", "dev" // as wazero has it
	if info == nil {
		return unknown, nil
	}
	i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == module })
	switch {
	case i < 0:
		return unknown, nil // a test
	case info.Deps[i].Replace == nil:
		return info.Deps[i].Version, nil
	}
	by := info.Deps[i].Replace
	if by.Version == "" {
		return "", fmt.Errorf("wazero is built from %s, which has no version", by.Path)
	}
	return fmt.Sprintf("%s-%x", by.Version, sha256.Sum256([]byte(by.Path)))[:len(by.Version)+9], nil
}

func (c *codeCache) path(key codeKey) string {
	return filepath.Join(c.folder, hex.EncodeToString(key[:]))
}

// open opens an entry that may be good; nil where there is none.
func (c *codeCache) open(key codeKey) *entry {
	f, err := os.Open(c.path(key))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.failed(err)
		}
		return nil
	}
	e, err := readEntry(f, key)
	if err != nil {
		f.Close()
		c.discard(key)
		return nil
	}
	if time.Since(e.used) > touchAfter {
		now := time.Now()
		_ = os.Chtimes(f.Name(), now, now) // it is only used less recently then
	}
	return e
}

// discard removes an entry that turned out to be bad.
func (c *codeCache) discard(key codeKey) { _ = os.Remove(c.path(key)) }

// store keeps an entry, where it can. What fails is told, once.
func (c *codeCache) store(key codeKey, e *newEntry) {
	if err := c.write(key, e); err != nil {
		c.failed(err)
	}
}

func (c *codeCache) failed(err error) {
	c.warned.Do(func() { c.warn(fmt.Errorf("code cache: %w; starts take longer until it works again", err)) })
}

func (c *codeCache) write(key codeKey, e *newEntry) (err error) {
	if e.size() > c.limit {
		return nil
	}
	path := c.path(key)
	f, err := os.CreateTemp(c.folder, filepath.Base(path)+".*"+tempSuffix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	n, err := e.writeTo(f, key)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.grown < 0 || c.grown+n > c.limit/32 {
		c.sweep()
		n = 0
	}
	c.grown += n
	return nil
}

const tempSuffix = ".tmp"

// cached is a file of the cache.
type cached struct {
	path string
	size int64
	used time.Time
}

// sweep removes what nobody will miss: files that nobody ended, code of
// versions that nobody runs, and the code that was used least recently above
// the limit. Other processes may do so at the same time, and may use what goes.
func (c *codeCache) sweep() {
	c.grown = 0
	var all []cached
	var total int64
	folders, err := os.ReadDir(c.dir)
	if err != nil {
		c.failed(err)
		return
	}
	for _, d := range folders {
		if !d.IsDir() || !strings.HasPrefix(d.Name(), folderPrefix) && !strings.HasPrefix(d.Name(), formerPrefix) {
			continue // not ours
		}
		for _, f := range c.sweepFolder(filepath.Join(c.dir, d.Name())) {
			all = append(all, f)
			total += f.size
		}
	}
	if total <= c.limit {
		return
	}
	slices.SortFunc(all, func(a, b cached) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.path, b.path)) })
	for _, f := range all {
		if total <= c.limit/8*7 { // so that not each new entry sweeps
			return
		}
		if os.Remove(f.path) == nil {
			total -= f.size
		}
	}
}

// sweepFolder removes the files of a folder that are of no use, and the folder
// with the last one if it is of another version. It returns what is left.
func (c *codeCache) sweepFolder(dir string) []cached {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var left []cached
	for _, d := range files {
		temporary := strings.HasSuffix(d.Name(), tempSuffix)
		name, _, _ := strings.Cut(d.Name(), ".")
		if len(name) != 2*len(codeKey{}) || !d.Type().IsRegular() {
			continue // not ours
		}
		info, err := d.Info()
		if err != nil {
			continue // another process was first
		}
		f := cached{filepath.Join(dir, d.Name()), info.Size(), info.ModTime()}
		age := time.Since(f.used)
		if temporary && age > abandoned || dir != c.folder && age > outdated {
			if os.Remove(f.path) == nil {
				continue
			}
		}
		if !temporary {
			left = append(left, f)
		}
	}
	if len(left) == 0 && dir != c.folder {
		_ = os.Remove(dir) // which it only is when it is empty
	}
	return left
}
