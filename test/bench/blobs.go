package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/test/harness"
)

// blobGroup is what hosts hold of what goes through them.
const blobGroup = "1 GiB to a blob store and back over HTTP, upload and download, host growth: one client, which reads 128 MiB a second, gallery.wasm, a process for each host"

const (
	blobBytes = 1 << 30
	blobRate  = 128 << 20 // bytes a second that the client reads
	growthBar = 64e6
	// blobLattice is apart from others on the same NATS.
	blobLattice = "bench-blobs"
)

type blobRow struct {
	name, store string
	on          int
}

// blobRows are the stores, and on which of the two hosts each is; the component and its
// HTTP server are on the first.
var blobRows = []blobRow{
	{"in process, blobstore-fs", "blobstore-fs", 0},
	{"across two hosts, blobstore-fs", "blobstore-fs", 1},
	{"in process, blobstore-nats", "blobstore-nats", 0},
	{"across two hosts, blobstore-nats", "blobstore-nats", 1},
	{"in process, blobstore-s3", blobS3, 0},
	{"across two hosts, blobstore-s3", blobS3, 1},
}

// blobS3 is the store that has a server.
const blobS3 = "blobstore-s3"

// blobs sends an object through hosts that are processes of their own.
func (s *sandbox) blobs(ctx context.Context) (err error) {
	if !slices.ContainsFunc(blobRows, func(r blobRow) bool { return s.wants(blobGroup, r.name) }) {
		return nil
	}
	if _, err := harness.MemoryOf(os.Getpid()); err != nil {
		s.b.skip(blobGroup + ": " + err.Error())
		return nil
	}
	programs, err := buildPrograms(ctx, s.b, "cmd/lath")
	if err != nil {
		return err
	}
	f := &ferry{program: programs[0], nats: s.b.url}
	defer func() { err = errors.Join(err, f.close()) }()
	if err := f.start(ctx); err != nil {
		return err
	}
	for _, r := range blobRows {
		if !s.wants(blobGroup, r.name) {
			continue
		}
		if r.store == blobS3 && f.s3 == nil {
			if err := f.startS3(ctx); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
		b, err := f.carry(ctx, r.store, r.on, int64(s.scale(blobBytes>>20))<<20)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		b.Group, b.Name = blobGroup, r.name
		s.bars = append(s.bars, b)
	}
	return nil
}

// ferry is two hosts, with a component that carries objects between a client and a
// store.
type ferry struct {
	program, nats, dir, address string
	conn                        *lattice.Conn
	control                     *ctl.Client
	hosts                       [2]*process
	s3                          *child // nil: none yet
}

func (f *ferry) close() error {
	for _, p := range f.hosts {
		if p != nil && p.cmd != nil && p.cmd.Process != nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait() // "signal: killed"
		}
	}
	if f.conn != nil {
		f.conn.Close()
	}
	var err error
	if f.s3 != nil {
		err = f.s3.close()
	}
	return errors.Join(err, os.RemoveAll(f.dir))
}

func (f *ferry) start(ctx context.Context) (err error) {
	if f.dir, err = os.MkdirTemp("", "lath-bench-"); err != nil {
		return err
	}
	if f.conn, err = lattice.Connect(ctx, lattice.ConnConfig{URL: f.nats}); err != nil {
		return err
	}
	if f.control, err = ctl.NewClient(ctl.ClientConfig{Conn: f.conn, Lattice: blobLattice}); err != nil {
		return err
	}
	for i := range f.hosts {
		if f.hosts[i], err = f.host(ctx, fmt.Sprint("state", i)); err != nil {
			return err
		}
	}
	return f.gallery(ctx)
}

// startS3 starts an S3 server, which the configuration named by its store tells of.
func (f *ferry) startS3(ctx context.Context) (err error) {
	if f.s3, err = startChild(ctx, "s3"); err != nil {
		return err
	}
	var url string
	if err := f.s3.read(&url); err != nil {
		return err
	}
	return f.control.PutConfig(ctx, blobS3, map[string]string{"endpoint": url})
}

// host starts a host and waits until it answers.
func (f *ferry) host(ctx context.Context, state string) (*process, error) {
	id, err := lattice.NewIdentity("")
	if err != nil {
		return nil, err
	}
	p := &process{seed: id.Seed(), id: id.ID, state: filepath.Join(f.dir, state)}
	p.cmd = exec.CommandContext(ctx, f.program, "host", "--nats-url", f.nats, "--lattice", blobLattice, "--state-dir", p.state,
		"--cache-dir", filepath.Join(f.dir, "cache"), "--allow-file-load", "--log-level", "error")
	p.cmd.Env = append(os.Environ(), "LATH_HOST_SEED="+p.seed)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, until(ctx, func(ctx context.Context) error {
		_, err := f.control.Inventory(ctx, p.id)
		return err
	})
}

// until tries something again until it succeeds.
func until(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// gallery starts the component and its HTTP server.
func (f *ferry) gallery(ctx context.Context) error {
	wasm, err := examples.Component("gallery")
	if err != nil {
		return err
	}
	path := filepath.Join(f.dir, "gallery.wasm")
	if err := os.WriteFile(path, wasm, 0o600); err != nil {
		return err
	}
	ref, err := oci.FileReference(path)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	f.address = l.Addr().String() // which nobody else takes meanwhile, it is hoped
	if err := l.Close(); err != nil {
		return err
	}
	on := f.hosts[0].id
	if _, err := f.control.ScaleComponent(ctx, on, ctl.ScaleComponent{ComponentID: "gallery", ComponentRef: ref, MaxInstances: 16}); err != nil {
		return err
	}
	if err := f.control.StartProvider(ctx, on, ctl.StartProvider{ProviderID: "web", ProviderRef: provider.Scheme + "http-server"}); err != nil {
		return err
	}
	if err := f.control.PutConfig(ctx, "site", map[string]string{"address": f.address}); err != nil {
		return err
	}
	return f.control.PutLink(ctx, lattice.Link{SourceID: "web", Target: "gallery", WITNamespace: "wasi", WITPackage: "http",
		Interfaces: []string{"incoming-handler"}, SourceConfig: []string{"site"}})
}

// carry sends an object to a store on one of the hosts and back, and tells what the
// hosts grew by meanwhile.
func (f *ferry) carry(ctx context.Context, store string, on int, n int64) (b bar, err error) {
	id := fmt.Sprint(store, "-", on)
	start := ctl.StartProvider{ProviderID: id, ProviderRef: provider.Scheme + store}
	if store == blobS3 {
		start.Config = []string{blobS3}
	}
	if err := f.control.StartProvider(ctx, f.hosts[on].id, start); err != nil {
		return b, err
	}
	link := lattice.Link{SourceID: "gallery", Target: id, Name: lattice.DefaultLinkName, WITNamespace: "wasi", WITPackage: "blobstore", Interfaces: []string{"blobstore"}}
	if err := f.control.PutLink(ctx, link); err != nil {
		return b, err
	}
	url := "http://" + f.address + "/bench/" + id
	err = until(ctx, func(ctx context.Context) error { // and what is made once is made
		_, err := harness.SendAndRead(ctx, url, 1<<20, blobRate)
		return err
	})
	if err != nil {
		return b, err
	}
	var before [2]harness.Memory
	for i, p := range f.hosts {
		if before[i], err = harness.MemoryOf(p.cmd.Process.Pid); err == nil {
			err = harness.ResetPeak(p.cmd.Process.Pid)
		}
		if err != nil {
			return b, err
		}
	}
	took, err := harness.SendAndRead(ctx, url, n, blobRate)
	if err != nil {
		return b, err
	}
	b = bar{Bar: growthBar, Unit: unitBytes, Note: fmt.Sprintf("%s/s there, %s/s back, the checksum is the same", size(float64(n)/took.Up.Seconds()), size(float64(n)/took.Down.Seconds()))}
	for i, p := range f.hosts {
		after, err := harness.MemoryOf(p.cmd.Process.Pid)
		if err != nil {
			return b, err
		}
		b.All = append(b.All, float64(after.Peak-before[i].Now))
		b.Value = max(b.Value, float64(after.Peak-before[i].Now))
		b.Note += fmt.Sprintf("; host %d was %s", i+1, size(float64(before[i].Now)))
	}
	return b, errors.Join(f.control.DeleteLink(ctx, link.Key()))
}
