//go:build !unix

package postgrestest

import (
	"os"
	"os/exec"
)

func unprivileged(*exec.Cmd) {}

func give(string) error { return nil }

func quit(p *os.Process) { _ = p.Kill() }
