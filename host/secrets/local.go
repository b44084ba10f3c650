package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/secret"
)

// env are variables of the host's environment.
type env struct {
	lookup func(name string) (string, bool)
}

// Get implements Backend.
func (e env) Get(_ context.Context, r secret.Request) (provider.Secret, error) {
	if r.Version != "" {
		return provider.Secret{}, errVersion
	}
	value, ok := e.lookup(r.Key)
	if !ok {
		return provider.Secret{}, fmt.Errorf("environment variable %s: %w", r.Key, lattice.ErrNotFound)
	}
	if len(value) > secret.MaxValue {
		return provider.Secret{}, fmt.Errorf("environment variable %s: %w: more than %d bytes", r.Key, lattice.ErrInvalid, secret.MaxValue)
	}
	return provider.TextSecret(value), nil
}

var errVersion = fmt.Errorf("%w: this backend has no versions", lattice.ErrUnsupported)

// folder has one file for each secret.
type folder struct {
	dir string
}

// Get implements Backend. It does not leave the folder, by links neither, and opens
// nothing that could make it wait, such as a pipe.
func (f folder) Get(_ context.Context, r secret.Request) (provider.Secret, error) {
	if r.Version != "" {
		return provider.Secret{}, errVersion
	}
	data, err := f.read(filepath.FromSlash(r.Key))
	if errors.Is(err, fs.ErrNotExist) {
		err = lattice.ErrNotFound
	}
	if err != nil {
		return provider.Secret{}, fmt.Errorf("secret file %s: %w", r.Key, err)
	}
	return fromBytes(data)
}

func (f folder) read(name string) ([]byte, error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is no file", lattice.ErrInvalid)
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, secret.MaxValue+1))
}
