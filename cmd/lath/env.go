package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// envKey annotates a flag with the environment variables that stand in for it.
const envKey = "lath_env"

// fromEnv lets variables give a flag that the command line does not; the first
// that is set wins. Those called WASMCLOUD_… mean what they mean to wasmCloud.
func fromEnv(flags *pflag.FlagSet, name string, vars ...string) {
	f := flags.Lookup(name)
	f.Usage += " (env " + strings.Join(vars, ", ") + ")"
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[envKey] = vars
}

// readEnv sets the flags that only the environment has.
func readEnv(flags *pflag.FlagSet) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || err != nil {
			return
		}
		for _, name := range f.Annotations[envKey] {
			value := os.Getenv(name)
			if value == "" {
				continue
			}
			if e := flags.Set(f.Name, value); e != nil {
				err = fmt.Errorf("environment variable %s: %w", name, e)
			}
			return
		}
	})
	return err
}

// envLabels are the labels that the environment gives.
func envLabels() map[string]string {
	labels := map[string]string{}
	for _, prefix := range []string{"WASMCLOUD_LABEL_", "LATH_LABEL_"} {
		for _, entry := range os.Environ() {
			name, value, _ := strings.Cut(entry, "=")
			if key, ok := strings.CutPrefix(name, prefix); ok && key != "" {
				labels[key] = value
			}
		}
	}
	return labels
}
