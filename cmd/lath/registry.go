package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/oci"
)

// registryFlags say which registries may be used, and how.
type registryFlags struct {
	insecure               []string
	allowLatest, allowFile bool
	logins                 string // a file as docker's config.json
}

func (f *registryFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.insecure, "insecure", nil, "registry, host[:port], to speak plain HTTP to; repeatable")
	fromEnv(flags, "insecure", "LATH_INSECURE", "WASMCLOUD_OCI_ALLOWED_INSECURE")
	flags.BoolVar(&f.allowLatest, "allow-latest", false, "allow references with the tag latest or none")
	fromEnv(flags, "allow-latest", "LATH_ALLOW_LATEST", "WASMCLOUD_OCI_ALLOW_LATEST")
	addLogins(cmd, &f.logins)
}

// addLogins adds the flag that names the file with credentials.
func addLogins(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "registry-config", dockerConfig(),
		"file in the form of docker's config.json, with credentials of registries, or with the helpers to ask for them; empty: none")
	fromEnv(cmd.Flags(), "registry-config", "LATH_REGISTRY_CONFIG")
}

// dockerConfig is where "docker login" keeps credentials, or the helpers' names.
func dockerConfig() string {
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		return filepath.Join(dir, "config.json")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".docker", "config.json")
}

func (f *registryFlags) config(cacheDir string) oci.Config {
	cfg := oci.Config{CacheDir: cacheDir, Insecure: f.insecure, AllowLatest: f.allowLatest, AllowFile: f.allowFile, DockerConfig: f.logins}
	// A password on a command line can be read by every process.
	if reg := firstEnv("LATH_OCI_REGISTRY", "WASMCLOUD_OCI_REGISTRY"); reg != "" {
		cfg.Credentials = map[string]oci.Credential{reg: {
			Username: firstEnv("LATH_OCI_USER", "WASMCLOUD_OCI_REGISTRY_USER"),
			Password: firstEnv("LATH_OCI_PASSWORD", "WASMCLOUD_OCI_REGISTRY_PASSWORD"),
		}}
	}
	return cfg
}

// checkLogins refuses a file that was named and is not there.
func checkLogins(file string) error {
	if file == "" || file == dockerConfig() {
		return nil
	}
	if _, err := os.Stat(file); err != nil {
		return usagef("--registry-config %s: %v", file, err)
	}
	return nil
}

func (f *registryFlags) check() error {
	if err := checkLogins(f.logins); err != nil {
		return err
	}
	if err := f.config("").Validate(); err != nil {
		return &usageError{err}
	}
	return nil
}

func firstEnv(names ...string) string {
	for _, name := range names {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// transferFlags are those of push, pull and inspect, which name one artifact.
type transferFlags struct {
	insecure bool
	cacheDir string
	logins   string
}

func (f *transferFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.insecure, "insecure", false, "speak plain HTTP to the registry of the reference (or name registries in env LATH_INSECURE, WASMCLOUD_OCI_ALLOWED_INSECURE)")
	addLogins(cmd, &f.logins)
	addCacheDir(cmd, &f.cacheDir)
}

// client makes a client for one reference, which a person has typed: what it
// names now is what is wanted.
func (f *transferFlags) client(ref oci.Reference) (*oci.Client, error) {
	r := registryFlags{allowLatest: true, allowFile: true, logins: f.logins}
	for addr := range strings.SplitSeq(firstEnv("LATH_INSECURE", "WASMCLOUD_OCI_ALLOWED_INSECURE"), ",") {
		if addr = strings.TrimSpace(addr); addr != "" {
			r.insecure = append(r.insecure, addr)
		}
	}
	if f.insecure {
		r.insecure = append(r.insecure, ref.Registry())
	}
	if err := checkLogins(f.logins); err != nil {
		return nil, err
	}
	dir := f.cacheDir
	if dir != "" {
		dir = filepath.Join(dir, "oci")
	}
	return oci.New(r.config(dir))
}

// pull fetches what a reference or the path of a file names.
func (c *cli) pull(ctx context.Context, f *transferFlags, arg string) (*oci.Artifact, error) {
	local := isFile(arg)
	if local {
		if err := checkFile(arg); err != nil {
			return nil, err
		}
	}
	ref, err := parseReference(arg)
	if err != nil {
		return nil, err
	}
	client, err := f.client(ref)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var progress oci.Progress
	done := func() {}
	if !local {
		progress, done = c.transfer(ctx, "pull "+arg)
	}
	a, err := client.Pull(ctx, ref.String(), progress)
	done()
	if err == nil && a.Stale != nil {
		c.say("warning: taken from the cache: %v", a.Stale)
	}
	return a, err
}

// parseReference reads a reference, or the path of a file.
func parseReference(arg string) (oci.Reference, error) {
	if isFile(arg) {
		var err error
		if arg, err = oci.FileReference(arg); err != nil {
			return oci.Reference{}, err
		}
	}
	ref, err := oci.ParseReference(arg)
	if err != nil {
		err = fmt.Errorf("there is no file %s, and as a %w", arg, err)
	}
	return ref, err
}

// isFile says whether an argument is the path of a file and not a reference:
// it says so by its beginning, or there is a file or a folder of that name.
func isFile(arg string) bool {
	if strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "../") || filepath.IsAbs(arg) {
		return true
	}
	if info, err := os.Stat(arg); err == nil {
		return !info.IsDir() || !strings.Contains(arg, ":")
	}
	return false
}

// decode reads a component without running anything of it.
func decode(ctx context.Context, wasm []byte) (*component.Component, error) {
	rt, err := component.New(ctx, component.Config{})
	if err != nil {
		return nil, err
	}
	c, err := rt.Compile(wasm)
	if err := errors.Join(err, rt.Close(ctx)); err != nil {
		return nil, fmt.Errorf("not a component that can be read: %w", err)
	}
	return c, nil
}
