package fs

import (
	"strings"

	"github.com/lathhost/lath/providers/blobstore"
)

// maxFileName is what file systems take.
const maxFileName = 255

// emptyName stands for a name without a byte.
const emptyName = "%"

const hex = "0123456789ABCDEF"

// plain reports whether a byte of a name stands for itself at its place: no file
// name of ours begins with a dot.
func plain(c byte, first bool) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' && !first
}

// fileName is the name of a container's folder, or of an object's file.
func fileName(name string) (string, error) {
	if name == "" {
		return emptyName, nil
	}
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; plain(c, i == 0) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
		if b.Len() > maxFileName {
			return "", blobstore.Errorf("name %.40q is over the limit of %d bytes that a file's name may have", name, maxFileName)
		}
	}
	return b.String(), nil
}

// nameOf is the name that a file stands for; ok is false for a file that is none of
// ours.
func nameOf(file string) (name string, ok bool) {
	if file == emptyName {
		return "", true
	}
	var b strings.Builder
	for i := 0; i < len(file); i++ {
		c := file[i]
		if c == '%' {
			if i+2 >= len(file) {
				return "", false
			}
			hi, lo := strings.IndexByte(hex, file[i+1]), strings.IndexByte(hex, file[i+2])
			if hi < 0 || lo < 0 || plain(byte(hi<<4|lo), i == 0) {
				return "", false
			}
			c, i = byte(hi<<4|lo), i+2
		} else if !plain(c, i == 0) {
			return "", false
		}
		b.WriteByte(c)
	}
	return b.String(), file != ""
}
