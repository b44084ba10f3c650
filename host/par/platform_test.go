package par_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/par"
	"github.com/lathhost/lath/lattice"
)

// header64 is an ELF header without sections and segments.
func header64(abi byte, machine uint16) []byte {
	h := make([]byte, 64)
	copy(h, "\x7fELF\x02\x01\x01")
	h[7] = abi
	binary.LittleEndian.PutUint16(h[16:], 2) // executable
	binary.LittleEndian.PutUint16(h[18:], machine)
	binary.LittleEndian.PutUint32(h[20:], 1)
	binary.LittleEndian.PutUint16(h[52:], 64)
	return h
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	f, err := os.Open(self)
	require.NoError(t, err)
	defer f.Close()
	goos, goarch, err := par.Platform(f)
	require.NoError(t, err)
	require.Equal(t, runtime.GOOS+"/"+runtime.GOARCH, goos+"/"+goarch)
	macho := make([]byte, 32) // without load commands
	copy(macho, "\xcf\xfa\xed\xfe\x0c\x00\x00\x01")
	macho[12] = 2
	for want, program := range map[string][]byte{
		"linux/amd64": header64(0, 62), "linux/arm64": header64(3, 183), "freebsd/amd64": header64(9, 62), "darwin/arm64": macho,
	} {
		goos, goarch, err := par.Platform(bytes.NewReader(program))
		require.NoError(t, err, want)
		require.Equal(t, want, goos+"/"+goarch)
	}
	for _, bad := range [][]byte{nil, []byte("#!/bin/sh\n"), []byte("\x00asm\x0d\x00\x01\x00"), header64(0, 243), header64(0, 62)[:40]} {
		_, _, err := par.Platform(bytes.NewReader(bad))
		require.ErrorIs(t, err, lattice.ErrInvalid, "%q", bad)
	}
}

func FuzzPlatform(f *testing.F) {
	f.Add(header64(0, 62))
	f.Add([]byte("MZ"))
	f.Add([]byte("\xcf\xfa\xed\xfe\x0c\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, program []byte) {
		goos, goarch, err := par.Platform(bytes.NewReader(program))
		if err == nil && (goos == "" || goarch == "") {
			t.Fatal("no platform and no error")
		}
	})
}
