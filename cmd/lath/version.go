package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/spf13/cobra"
)

// version is set by release builds: -ldflags "-X main.version=1.2.3".
var version = ""

// buildVersion is a semantic version, as every heartbeat has to have.
func buildVersion() string {
	candidates := []string{version}
	if info, ok := debug.ReadBuildInfo(); ok {
		candidates = append(candidates, info.Main.Version)
	}
	for _, v := range candidates {
		if parsed, err := semver.StrictNewVersion(strings.TrimPrefix(v, "v")); err == nil {
			return parsed.String()
		}
	}
	return "0.0.0-dev"
}

// versionLine is what --version and version print.
func versionLine() string {
	return fmt.Sprintf("lath %s %s %s/%s\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func (c *cli) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  lath version --output json", Args: nargs(0, 0),
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version  string `json:"version"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{buildVersion(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return c.result(v, func(w io.Writer) { fmt.Fprint(w, versionLine()) })
		},
	}
}
