package grant

import (
	"errors"
	"fmt"
	"math"
	"path"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/lathhost/lath/host/wasi/filesystem"
)

// ParseDir reads a directory and how it may be used, written
//
//	HOST[::GUEST][:OPTION[,OPTION]]
//
// GUEST is the absolute path under which the guest finds it; without one a
// relative HOST is found below "/", and "." is "/" itself. The options are ro
// (the guest may only read; else it may write) and quota=SIZE (the bytes that
// it may add). A relative HOST is one of the folder base.
//
// # Errors
//
// Text that is not of that form, and a HOST that cannot be opened as a directory now.
func ParseDir(text, base string) (filesystem.Dir, error) {
	d := filesystem.Dir{Write: true}
	host, guest, named := strings.Cut(text, "::")
	last := &host
	if named {
		last = &guest
	}
	options := ""
	if i := strings.LastIndexByte(*last, ':'); i >= 0 && (named || areOptions((*last)[i+1:])) {
		*last, options = (*last)[:i], (*last)[i+1:]
	}
	if err := readOptions(&d, options); err != nil {
		return d, fmt.Errorf("directory %q: %w", text, err)
	}
	if host == "" {
		return d, fmt.Errorf("directory %q: want HOST[::GUEST][:ro]", text)
	}
	if !named {
		var err error
		if guest, err = guestPath(host); err != nil {
			return d, fmt.Errorf("directory %q: %w", text, err)
		}
	}
	if !path.IsAbs(guest) || strings.ContainsRune(guest, 0) {
		return d, fmt.Errorf("directory %q: %q is no absolute path, under which a guest could find it: such as /data", text, guest)
	}
	d.Guest = path.Clean(guest)
	if d.Host = host; !filepath.IsAbs(host) {
		d.Host = filepath.Join(base, host)
	}
	return d, filesystem.Check([]filesystem.Dir{d})
}

// AddDir appends a directory, unless the guest would find two at one path.
func AddDir(dirs []filesystem.Dir, d filesystem.Dir) ([]filesystem.Dir, error) {
	for _, other := range dirs {
		if other.Guest == d.Guest {
			return dirs, fmt.Errorf("the guest finds both %s and %s at %s: give one another place, HOST::GUEST", other.Host, d.Host, d.Guest)
		}
	}
	return append(dirs, d), nil
}

// guestPath is where the guest finds a directory that was given no place.
func guestPath(host string) (string, error) {
	slashed := filepath.ToSlash(host)
	clean := path.Clean(slashed)
	if filepath.VolumeName(host) != "" || clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("say where the guest finds it: %s::/data", host)
	}
	return path.Join("/", clean), nil
}

// areOptions says whether what follows a colon is meant as options; it may be
// a path of Windows, or of a folder with a colon in its name.
func areOptions(s string) bool {
	first, _, _ := strings.Cut(s, ",")
	name, _, _ := strings.Cut(first, "=")
	return name == "ro" || name == "rw" || name == "quota"
}

func readOptions(d *filesystem.Dir, options string) error {
	if options == "" {
		return nil
	}
	for option := range strings.SplitSeq(options, ",") {
		size, isQuota := strings.CutPrefix(option, "quota=")
		switch {
		case option == "ro":
			d.Write = false
		case option == "rw":
			d.Write = true
		case isQuota:
			n, err := ParseSize(size)
			if err != nil {
				return fmt.Errorf("quota: %w", err)
			}
			d.Quota = int64(n)
		default:
			return fmt.Errorf("no option %q: there are ro and quota=SIZE", option)
		}
	}
	if !d.Write && d.Quota > 0 {
		return errors.New("a quota bounds nothing that is only read")
	}
	return nil
}

// ParseSize reads a number of bytes, such as 64MiB, 100MB or 4096: at least 1,
// at most 2^63-1.
func ParseSize(s string) (uint64, error) {
	n, err := humanize.ParseBytes(s)
	if err != nil || n == 0 || n > math.MaxInt64 {
		return 0, fmt.Errorf("%q: want a size such as 64MiB", s)
	}
	return n, nil
}
