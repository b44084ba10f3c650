package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"
)

// playTime bounds the story; it takes a few seconds.
const playTime = 2 * time.Minute

func main() {
	bin := flag.String("lath", os.Getenv("LATH_BIN"), "the lath binary; built if not given")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := demo(ctx, *bin)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nFAILED:", err)
		os.Exit(1)
	}
}

// demo plays the story in a directory of its own, which it removes.
func demo(ctx context.Context, bin string) (err error) {
	scratch, err := os.MkdirTemp("", "lath-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if scratch, err = filepath.EvalSymlinks(scratch); err != nil {
		return err
	}
	if bin == "" {
		if bin, err = build(ctx, scratch); err != nil {
			return err
		}
	}
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, playTime)
	defer cancel()
	p := &play{bin: bin, scratch: scratch, out: os.Stdout}
	defer p.end()
	start := time.Now()
	if err := p.story(ctx); err != nil {
		for _, h := range []*hostProcess{p.a, p.b} {
			if h != nil {
				fmt.Fprintf(os.Stderr, "\n--- log of host %s\n%s", h.name, h.log.String())
			}
		}
		return err
	}
	fmt.Printf("\nEvery step did what it says, in %s.\n", time.Since(start).Round(10*time.Millisecond))
	return nil
}

// build makes the binary out of the working directory's module.
func build(ctx context.Context, dir string) (string, error) {
	bin := filepath.Join(dir, "bin", "lath")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/lathhost/lath/cmd/lath")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build lath: %w", err)
	}
	return bin, nil
}
