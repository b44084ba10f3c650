package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/lathhost/lath/host/blob"
)

// cache keeps manifests, components and providers in files named by their digest,
// and what each tag named last:
//
//	DIR/blobs/sha256/HEX   content
//	DIR/tags/HEX           "<manifest digest> <reference>", by the reference's hash
//
// A nil cache is empty and stays so.
type cache struct {
	dir     string
	maxSize int64 // of all blobs
}

func (c *cache) blobs() *blob.Dir {
	return &blob.Dir{Path: filepath.Join(c.dir, "blobs", "sha256"), MaxSize: c.maxSize}
}

func (c *cache) tagPath(reference string) string {
	sum := sha256.Sum256([]byte(reference))
	return filepath.Join(c.dir, "tags", hex.EncodeToString(sum[:]))
}

// blob returns content by its digest, of at most limit bytes. Content that does
// not fit its name is removed, as if it had never been there.
func (c *cache) blob(sum string, limit int64) ([]byte, bool) {
	if c == nil {
		return nil, false
	}
	f, err := c.blobs().Open(sum)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil || int64(len(data)) > limit {
		return nil, false
	}
	if digest.FromBytes(data).String() != sum {
		c.blobs().Remove(sum) // or it will be found wrong again
		return nil, false
	}
	c.blobs().Used(sum)
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

// put keeps what a reference names now, of which all digests were checked: first
// its contents, so that a tag never names what is not there. The digests in keep
// are of blobs that are there already, and stay.
func (c *cache) put(reference, sum string, contents [][]byte, keep ...string) error {
	if c == nil {
		return nil
	}
	if err := blob.Own(c.dir); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	blobs := c.blobs()
	for _, content := range contents {
		kept, err := blobs.Create(func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		})
		if err != nil {
			return fmt.Errorf("cache: %w", err)
		}
		keep = append(keep, kept)
	}
	if err := blob.WriteFile(c.tagPath(reference), []byte(sum+" "+reference)); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if err := blobs.Evict(keep...); err != nil {
		return fmt.Errorf("cache: evict: %w", err)
	}
	return nil
}
