package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// play is the stage: one person's shell, and what runs beside it.
type play struct {
	bin     string
	scratch string
	out     io.Writer
	env     []string // of the shell
	shown   int      // of env, already told

	a, b   *hostProcess
	server *http.Server
}

// dir is a directory of the stage, made if need be.
func (p *play) dir(name string) string {
	path := filepath.Join(p.scratch, filepath.FromSlash(name))
	if err := os.MkdirAll(path, 0o700); err != nil {
		panic(err) // a fresh directory of our own
	}
	return path
}

func (p *play) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.bin, args...)
	cmd.Dir = p.dir("work")
	home := p.dir("home")
	cmd.Env = append([]string{"HOME=" + home, "USERPROFILE=" + home, "LocalAppData=" + home, "AppData=" + home,
		"TMPDIR=" + p.dir("tmp"), "TMP=" + p.dir("tmp"), "TEMP=" + p.dir("tmp"),
		"PATH=" + os.Getenv("PATH"), "SystemRoot=" + os.Getenv("SystemRoot")}, p.env...)
	return cmd
}

// note tells the audience what comes.
func (p *play) note(format string, args ...any) { fmt.Fprintf(p.out, "\n# "+format+"\n", args...) }

// typed shows a command as it was typed.
func (p *play) typed(args []string, after string) {
	for ; p.shown < len(p.env); p.shown++ {
		fmt.Fprintln(p.out, "$ export "+p.env[p.shown])
	}
	words := []string{"lath"}
	for _, a := range args {
		if strings.ContainsAny(a, "\"'() *") {
			a = "'" + a + "'"
		}
		words = append(words, a)
	}
	fmt.Fprintln(p.out, "$ "+strings.Join(words, " ")+after)
}

// lath types a command that has to succeed, and returns what it printed.
func (p *play) lath(ctx context.Context, args ...string) (string, error) {
	p.typed(args, "")
	cmd := p.command(ctx, args)
	var stdout bytes.Buffer
	var both buffer // written by two goroutines
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&stdout, &both), &both
	err := cmd.Run()
	fmt.Fprint(p.out, both.String())
	if err != nil {
		return "", fmt.Errorf("lath %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(both.String()))
	}
	return stdout.String(), nil
}

// says is lath whose output has to have every one of wants in it.
func (p *play) says(ctx context.Context, wants []string, args ...string) error {
	got, err := p.lath(ctx, args...)
	if err != nil {
		return err
	}
	for _, want := range wants {
		if !strings.Contains(got, want) {
			return fmt.Errorf("lath %s: printed %q, without %q", strings.Join(args, " "), got, want)
		}
	}
	return nil
}

// answers is lath whose whole output has to be one line.
func (p *play) answers(ctx context.Context, want string, args ...string) error {
	got, err := p.lath(ctx, args...)
	if err == nil && got != want+"\n" {
		err = fmt.Errorf("lath %s: printed %q, want %q", strings.Join(args, " "), got, want)
	}
	return err
}

// decodes is lath with --output json, read into v.
func (p *play) decodes(ctx context.Context, v any, args ...string) error {
	got, err := p.lath(ctx, append(args, "--output", "json")...)
	if err == nil {
		err = json.Unmarshal([]byte(got), v)
	}
	return err
}

// hostProcess is a host in the shell's background.
type hostProcess struct {
	name  string // A or B, in the story
	flags []string
	cmd   *exec.Cmd
	log   *buffer
	ended chan struct{}
	err   error // of the process; once ended is closed
	info  struct {
		HostID  string `json:"host_id"`
		Name    string `json:"name"`
		NATSURL string `json:"nats_url"`
	}
}

// dirs are the flags that name a host's directories.
func (p *play) dirs(name string) []string {
	return []string{"--state-dir", p.dir(name + "/state"), "--cache-dir", p.dir(name + "/cache")}
}

// startHost starts a host in the background and waits until it is ready.
func (p *play) startHost(ctx context.Context, name string, args ...string) (*hostProcess, error) {
	h := &hostProcess{name: name, log: &buffer{}, ended: make(chan struct{})}
	h.flags = p.dirs(name)
	args = append(args, h.flags...)
	p.typed(args, " &")
	h.cmd = p.command(ctx, args)
	h.cmd.Stderr = h.log
	stdout, w := io.Pipe()
	h.cmd.Stdout = w
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		err := h.cmd.Wait()
		w.CloseWithError(errors.Join(errors.New("the host ended"), err))
		h.err = err
		close(h.ended)
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return h, fmt.Errorf("host %s is not ready: %w", name, err)
	}
	go io.Copy(io.Discard, stdout) //nolint:errcheck // until the process ends
	fmt.Fprint(p.out, line)
	data, err := os.ReadFile(filepath.Join(p.dir(name+"/state"), "host.json"))
	if err == nil {
		err = json.Unmarshal(data, &h.info)
	}
	return h, err
}

// gone waits for a process that was told to end, and for its exit status.
func (h *hostProcess) gone(ctx context.Context) error {
	select {
	case <-h.ended:
		if h.err != nil {
			return fmt.Errorf("host %s: %w", h.name, h.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("host %s still runs: %w", h.name, ctx.Err())
	}
}

// end stops whatever the story left running.
func (p *play) end() {
	for _, h := range []*hostProcess{p.b, p.a} {
		if h == nil {
			continue
		}
		select {
		case <-h.ended:
		default:
			_ = h.cmd.Process.Kill()
			<-h.ended
		}
	}
	if p.server != nil {
		_ = p.server.Close()
	}
}

// startRegistry serves an OCI registry from memory and returns its name.
func (p *play) startRegistry(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	p.server = &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), ReadHeaderTimeout: 5 * time.Second}
	go p.server.Serve(l) //nolint:errcheck // until end closes it
	return fmt.Sprintf("localhost:%d", l.Addr().(*net.TCPAddr).Port), nil
}

// files lists what is in the shell's home, temporary and working directories.
func (p *play) files() ([]string, error) {
	var list []string
	for _, top := range []string{"home", "tmp", "work"} {
		err := filepath.WalkDir(p.dir(top), func(path string, _ fs.DirEntry, err error) error {
			list = append(list, path)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// leftovers are the files that were not there before.
func (p *play) leftovers(before []string) error {
	after, err := p.files()
	if err != nil {
		return err
	}
	extra := slices.DeleteFunc(after, func(f string) bool { return slices.Contains(before, f) })
	if len(extra) > 0 {
		return fmt.Errorf("files outside the state and cache directories: %s", strings.Join(extra, ", "))
	}
	return nil
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
