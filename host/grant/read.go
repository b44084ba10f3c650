package grant

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// maxRead bounds what [Grant.ReadFile] reads, in bytes.
const maxRead = 1 << 20

// ReadFile reads a file of the directories that are granted, by the absolute path
// under which its guest finds it. No link in a directory leads out of it.
//
// # Errors
//
// [fs.ErrPermission] for what is in no directory that is granted; what the system
// says; and files of more than 1 MiB.
func (g Grant) ReadFile(name string) ([]byte, error) {
	clean := path.Clean("/" + name)
	for _, d := range g.Dirs {
		rest, ok := strings.CutPrefix(clean, strings.TrimSuffix(path.Clean("/"+d.Guest), "/")+"/")
		if !ok || rest == "" {
			continue
		}
		data, err := readIn(d.Host, rest)
		if err != nil {
			return nil, fmt.Errorf("file %s: %w", name, reason(err))
		}
		return data, nil
	}
	return nil, fmt.Errorf("file %s: %w: it is in no directory that is granted", name, fs.ErrPermission)
}

// reason is an error without the path on the host, which whoever drives the
// lattice need not learn.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

func readIn(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // only read
	// A pipe would wait for a writer.
	if info, err := root.Stat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRead+1))
	if err == nil && len(data) > maxRead {
		err = fmt.Errorf("it has more than %d bytes", maxRead)
	}
	return data, err
}
