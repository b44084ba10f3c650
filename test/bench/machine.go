package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// machine is what the figures depend on.
type machine struct {
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	Go    string `json:"go"`
	// Libraries are the versions of what is measured beside this module.
	Libraries []library `json:"libraries"`
}

type library struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// named are the libraries that the report names, by their module paths.
var named = []struct{ name, path string }{
	{"wazero", "github.com/tetratelabs/wazero"},
	{"nats-server", "github.com/nats-io/nats-server/v2"},
	{"nats.go", "github.com/nats-io/nats.go"},
}

func thisMachine() machine {
	m := machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: cpuName(), Cores: runtime.GOMAXPROCS(0), Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	for _, n := range named {
		l := library{n.name, "unknown version"}
		if ok {
			for _, dep := range info.Deps {
				if dep.Path == n.path {
					l.Version = dep.Version
				}
			}
		}
		m.Libraries = append(m.Libraries, l)
	}
	return m
}

// cpuName reads the processor's name where the system tells it in a file.
func cpuName() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// String is one line.
func (m machine) String() string {
	parts := []string{m.OS + "/" + m.Arch, fmt.Sprintf("%d cores of %s", m.Cores, m.CPU), m.Go}
	for _, l := range m.Libraries {
		parts = append(parts, l.Name+" "+l.Version)
	}
	return strings.Join(parts, ", ")
}
