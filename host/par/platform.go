package par

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"fmt"
	"io"

	"github.com/lathhost/lath/lattice"
)

// Platform tells for which platform a program is, in Go's words, by its header. It
// knows Linux and FreeBSD, macOS and Windows, on amd64 and arm64, and fails with
// lattice.ErrInvalid for all else.
func Platform(program io.ReaderAt) (goos, goarch string, err error) {
	if f, err := elf.NewFile(program); err == nil {
		goos = "linux" // most say nothing of it
		if f.OSABI == elf.ELFOSABI_FREEBSD {
			goos = "freebsd"
		}
		goarch = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[f.Machine]
		return known(goos, goarch, f.Machine)
	}
	if f, err := macho.NewFile(program); err == nil {
		goarch = map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}[f.Cpu]
		return known("darwin", goarch, f.Cpu)
	}
	if f, err := pe.NewFile(program); err == nil {
		goarch = map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64"}[f.Machine]
		return known("windows", goarch, f.Machine)
	}
	return "", "", fmt.Errorf("%w: it is no program of Linux, FreeBSD, macOS or Windows", lattice.ErrInvalid)
}

func known(goos, goarch string, machine any) (string, string, error) {
	if goarch == "" {
		return "", "", fmt.Errorf("%w: it is a program for %s on machine %v: want amd64 or arm64", lattice.ErrInvalid, goos, machine)
	}
	return goos, goarch, nil
}
