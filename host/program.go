package host

import (
	"context"
	"fmt"
	"io"
	"os"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/host/par"
	"github.com/lathhost/lath/lattice"
)

// program finds the program of a provider: in a registry's image or in a file,
// which is it or an archive that holds it. The claims of an archive are stored.
func (h *Host) program(ctx context.Context, ref string) (*par.Executable, error) {
	image, err := h.cfg.Images.PullProvider(ctx, ref, nil)
	if err != nil {
		return nil, err
	}
	if image.Stale != nil {
		h.log.Warn("started from the cache: the registry does not answer", zap.String("image", ref), zap.Error(image.Stale))
	}
	if image.CacheError != nil {
		h.log.Warn("the image cannot be started without its registry", zap.String("image", ref), zap.Error(image.CacheError))
	}
	f, err := os.Open(image.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if image.Origin == oci.OriginFile {
		is, err := isArchive(f)
		if err != nil {
			return nil, err
		}
		if !is { // it may need what stands beside it
			return &par.Executable{Path: image.Path}, nil
		}
	}
	if h.cfg.ProgramDir == "" {
		return nil, fmt.Errorf("provider %s: %w: there is no cache to keep its program in: give the host one with --cache-dir", ref, lattice.ErrUnsupported)
	}
	x, err := par.NewStore(h.cfg.ProgramDir, 0, par.Limits{}).Put(ctx, f)
	if err == nil && x.Claims != nil {
		err = h.store.PutClaims(ctx, storedClaims(x.Claims))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	return x, nil
}

// isArchive looks at the beginning of a file, and returns to it.
func isArchive(f *os.File) (bool, error) {
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && n == 0 {
		return false, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	_, err = f.Seek(0, io.SeekStart)
	return par.IsArchive(head[:n]), err
}
