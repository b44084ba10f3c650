package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/secret"
)

// stateDir is where one host of this machine keeps what must outlive it:
//
//	lock        held while a host runs
//	host.json   what runs, from ready to the end
//	host.seed   the host's secret identity
//	secrets.key the seed of the key that opens the lattice's secrets
//	host.log    output of a host that was detached
//	nats/       JetStream's files of the embedded server
type stateDir string

func (d stateDir) path(name string) string { return filepath.Join(string(d), name) }

// maxStateFile bounds what is read from the state directory, in bytes.
const maxStateFile = 64 << 10

// hostInfo is host.json.
type hostInfo struct {
	PID      int       `json:"pid"`
	HostID   string    `json:"host_id"`
	Name     string    `json:"name"`
	Lattice  string    `json:"lattice"`
	NATSURL  string    `json:"nats_url"`
	RPCURL   string    `json:"rpc_url,omitempty"` // where it is another
	StateDir string    `json:"state_dir"`
	Started  time.Time `json:"started"`
}

// addStateDir adds --state-dir.
func addStateDir(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "state-dir", defaultStateDir(), "directory of the host's identity, lock and stored data")
	fromEnv(cmd.Flags(), "state-dir", "LATH_STATE_DIR")
}

// addCacheDir adds --cache-dir.
func addCacheDir(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "cache-dir", defaultCacheDir(), "directory of what was pulled and compiled; it may be shared and removed")
	fromEnv(cmd.Flags(), "cache-dir", "LATH_CACHE_DIR")
}

func defaultStateDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "lath")
	}
	switch runtime.GOOS {
	case "windows":
		if dir, err := os.UserCacheDir(); err == nil { // %LocalAppData%
			return filepath.Join(dir, "lath", "state")
		}
	case "darwin":
		if dir, err := os.UserConfigDir(); err == nil {
			return filepath.Join(dir, "lath")
		}
	default:
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, ".local", "state", "lath")
		}
	}
	return ""
}

func defaultCacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "lath", "cache")
}

// openStateDir makes the directory and an absolute path of it.
func openStateDir(path string) (stateDir, error) {
	if path == "" {
		return "", usagef("no home directory is known: name a --state-dir")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	return stateDir(abs), nil
}

// errLocked: another process holds the lock.
var errLocked = errors.New("locked")

// lock takes the directory for this process. The lock ends with the process,
// whatever becomes of it, or with release.
func (d stateDir) lock() (release func(), err error) {
	f, err := os.OpenFile(d.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("state directory %s: %w", d, err)
	}
	return func() { f.Close() }, nil
}

// running says whether a process holds the directory.
func (d stateDir) running() (bool, error) {
	if _, err := os.Stat(d.path("lock")); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	release, err := d.lock()
	if errors.Is(err, errLocked) {
		return true, nil
	}
	if err == nil {
		release()
	}
	return false, err
}

// readInfo reads host.json; it is nil where there is none.
func (d stateDir) readInfo() (*hostInfo, error) {
	data, err := d.read("host.json")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var info hostInfo
	if err == nil {
		err = json.Unmarshal(data, &info)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.path("host.json"), err)
	}
	return &info, nil
}

// current returns what runs on the directory now, or nil.
func (d stateDir) current() *hostInfo {
	info, err := d.readInfo()
	if err != nil || info == nil {
		return nil
	}
	if running, err := d.running(); err != nil || !running {
		return nil
	}
	return info
}

// writeInfo writes host.json, whole or not at all.
func (d stateDir) writeInfo(info hostInfo) error {
	data, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return err
	}
	tmp := d.path("host.json.tmp")
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if err := os.Rename(tmp, d.path("host.json")); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return nil
}

func (d stateDir) removeInfo() error {
	if err := os.Remove(d.path("host.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// identity returns the identity of a seed, or without one that of the
// directory, which is made and kept the first time.
func (d stateDir) identity(seed string) (*lattice.Identity, error) {
	if seed != "" {
		return lattice.NewIdentity(seed)
	}
	if seed, err := d.readSeed(); err != nil || seed != nil {
		return seed, err
	}
	id, err := lattice.NewIdentity("")
	if err != nil {
		return nil, err
	}
	if err := d.keepNew("host.seed", id.Seed()); err != nil {
		return nil, fmt.Errorf("keep host seed: %w", err)
	}
	return d.readSeed()
}

// readSeed returns the identity that the directory keeps, or nil.
func (d stateDir) readSeed() (*lattice.Identity, error) {
	data, err := d.read("host.seed")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	seed := strings.TrimSpace(string(data))
	if seed == "" { // which would make another identity at each start
		return nil, fmt.Errorf("%s: it is empty: put back the host's seed, or remove the file for a new identity", d.path("host.seed"))
	}
	id, err := lattice.NewIdentity(seed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.path("host.seed"), err)
	}
	return id, nil
}

// secretsKey returns the key in a file, or without one that of the directory, which
// is made and kept the first time.
func (d stateDir) secretsKey(file string) (*secret.Key, error) {
	if file == "" {
		file = d.path("secrets.key")
		key, err := secret.NewKey()
		var seed string
		if err == nil {
			seed, err = key.Seed()
		}
		if err != nil {
			return nil, err
		}
		if err := d.keepNew("secrets.key", seed); err != nil {
			return nil, fmt.Errorf("keep the key for secrets: %w", err)
		}
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("key for secrets: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxStateFile))
	if err != nil {
		return nil, fmt.Errorf("key for secrets: %w", err)
	}
	defer clear(data)
	key, err := secret.ParseKey(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}

// keepNew writes a seed to a file of the directory, whole, unless there is one: of
// several processes that come at once, one wins.
func (d stateDir) keepNew(name, seed string) error {
	if _, err := os.Stat(d.path(name)); err == nil {
		return nil
	}
	f, err := os.CreateTemp(string(d), name+".*.tmp") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it has another name by then
	_, err = f.WriteString(seed + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), d.path(name)); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

func (d stateDir) read(name string) ([]byte, error) {
	info, err := os.Stat(d.path(name))
	if err != nil {
		return nil, err
	}
	if info.Size() > maxStateFile {
		return nil, fmt.Errorf("%s: %d bytes: at most %d", d.path(name), info.Size(), maxStateFile)
	}
	return os.ReadFile(d.path(name))
}
