package process

import (
	"runtime"
	"strings"
)

func passes(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return name == "RUST_LOG" || strings.HasPrefix(name, "OTEL_") ||
		runtime.GOOS == "windows" && strings.EqualFold(name, "SYSTEMROOT")
}
