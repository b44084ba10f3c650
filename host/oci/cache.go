package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/lathhost/lath/lattice"
)

// cache keeps manifests and components in files named by their digest, and
// what each tag named last:
//
//	DIR/blobs/sha256/HEX   content
//	DIR/tags/HEX           "<manifest digest> <reference>", by the reference's hash
//
// Every file is written under another name and renamed, and content is checked
// when it is read, so processes may share a cache and a crash costs nothing.
// A nil cache is empty and stays so.
type cache struct {
	dir     string
	maxSize int64 // of all blobs
	maxBlob int64 // of one
}

const tmpPattern = ".tmp-*"

func (c *cache) blobDir() string { return filepath.Join(c.dir, "blobs", "sha256") }

func (c *cache) blobPath(sum string) string {
	return filepath.Join(c.blobDir(), strings.TrimPrefix(sum, "sha256:"))
}

func (c *cache) tagPath(reference string) string {
	sum := sha256.Sum256([]byte(reference))
	return filepath.Join(c.dir, "tags", hex.EncodeToString(sum[:]))
}

// blob returns content by its digest. Content that does not fit its name is
// removed, as if it had never been there.
func (c *cache) blob(sum string) ([]byte, bool) {
	if c == nil || checkDigest(sum) != nil {
		return nil, false
	}
	path := c.blobPath(sum)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > c.maxBlob {
		return nil, false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	if digest.FromBytes(data).String() != sum {
		_ = os.Remove(path) // or it will be found wrong again
		return nil, false
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // evict looks at it; without it, eviction is by age
	return data, true
}

// tagged returns the manifest digest that a reference had when it was last
// resolved, or an empty string.
func (c *cache) tagged(reference string) string {
	if c == nil {
		return ""
	}
	data, err := os.ReadFile(c.tagPath(reference))
	if err != nil {
		return ""
	}
	sum, of, _ := strings.Cut(string(data), " ")
	if of != reference {
		return ""
	}
	return sum
}

// putArtifact keeps an artifact whose digests were checked: content first, so
// that a tag never names what is not there.
func (c *cache) putArtifact(reference string, a *Artifact, manifest []byte) error {
	if c == nil {
		return nil
	}
	if err := c.checkOwner(); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if a.Origin != OriginCache {
		if err := c.write(c.blobPath(a.LayerDigest), a.Bytes); err != nil {
			return fmt.Errorf("cache: %w", err)
		}
	}
	if err := c.write(c.blobPath(a.Digest), manifest); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if err := c.write(c.tagPath(reference), []byte(a.Digest+" "+reference)); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if err := c.evict(a.Digest, a.LayerDigest); err != nil {
		return fmt.Errorf("cache: evict: %w", err)
	}
	return nil
}

// checkOwner refuses a folder in which others may write: they could choose
// what a tag names while the registry is away.
func (c *cache) checkOwner() error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(c.dir)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%s: %w: others may write there (mode %#o): chmod 700 it", c.dir, lattice.ErrDenied, mode)
	}
	return nil
}

// write makes a file appear whole or not at all.
func (c *cache) write(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, tmpPattern) // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// evict removes the blobs that were used longest ago until the rest fits, and
// what a crash left half written. It never removes the blobs named in keep.
func (c *cache) evict(keep ...string) error {
	dir := c.blobDir()
	entries, err := os.ReadDir(dir)
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
		if (total <= c.maxSize && !stale) || slices.Contains(keep, "sha256:"+info.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, info.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= info.Size()
	}
	return nil
}
