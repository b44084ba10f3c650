package builtin

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"

	"github.com/lathhost/lath/host/provider"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/blobstore"
	"github.com/lathhost/lath/providers/blobstore/fs"
	blobstorenats "github.com/lathhost/lath/providers/blobstore/nats"
	"github.com/lathhost/lath/providers/blobstore/s3"
)

// startBlobstoreMemory keeps objects in memory: they end with the provider.
func startBlobstoreMemory(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	settings, err := blobstore.ParseMemoryConfig(cfg.Settings)
	if err != nil {
		return nil, err
	}
	return &provider.Capabilities{Blobstore: blobstore.NewMemory(settings)}, nil
}

// startBlobstoreFS keeps objects in files of this host, in a folder for each root.
func startBlobstoreFS(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	if cfg.Dir == "" {
		return nil, errors.New("this host has no place for files of providers")
	}
	folders := fs.NewFolders(filepath.Join(cfg.Dir, "blobs"))
	return linkedBlobstore(cfg, func(s wire.Settings) (blobstore.Opener, error) {
		settings, err := fs.ParseConfig(s)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) (blobstore.Backend, error) { return folders.Open(ctx, settings) }, nil
	})
}

// linkedBlobstore serves each link by a backend of its own.
func linkedBlobstore(cfg provider.Config, parse func(wire.Settings) (blobstore.Opener, error)) (*provider.Capabilities, error) {
	s, err := blobstore.NewLinked(cfg.Settings, parse)
	if err != nil {
		return nil, err
	}
	return &provider.Capabilities{Blobstore: s, Relink: s.Relink, Close: s.Close}, nil
}

// startBlobstoreNATS keeps objects in NATS, the lattice's own unless another is
// named.
func startBlobstoreNATS(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	return linkedBlobstore(cfg, func(s wire.Settings) (blobstore.Opener, error) {
		settings, err := blobstorenats.ParseConfig(s)
		if err != nil {
			return nil, err
		}
		if settings.URL == "" {
			settings.JSDomain = cmp.Or(settings.JSDomain, cfg.JSDomain)
		}
		return func(ctx context.Context) (blobstore.Backend, error) {
			return blobstorenats.New(ctx, cfg.Conn, settings)
		}, nil
	})
}

// startBlobstoreS3 keeps objects in servers that speak S3.
func startBlobstoreS3(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	return linkedBlobstore(cfg, func(s wire.Settings) (blobstore.Opener, error) {
		settings, err := s3.ParseConfig(s)
		if err != nil {
			return nil, err
		}
		return func(context.Context) (blobstore.Backend, error) { return s3.New(settings) }, nil
	})
}
