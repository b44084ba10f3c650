package main

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"

	"github.com/lathhost/lath/host/provider"
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

// startBlobstoreFS keeps objects in files of this host.
func startBlobstoreFS(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	settings, err := fs.ParseConfig(cfg.Settings)
	if err != nil {
		return nil, err
	}
	if cfg.Dir == "" {
		return nil, errors.New("this host has no place for files of providers")
	}
	s, err := fs.Open(filepath.Join(cfg.Dir, "blobs"), settings)
	if err != nil {
		return nil, err
	}
	return &provider.Capabilities{Blobstore: s, Close: s.Close}, nil
}

// startBlobstoreNATS keeps objects in NATS, the lattice's own unless another is
// named.
func startBlobstoreNATS(ctx context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	settings, err := blobstorenats.ParseConfig(cfg.Settings)
	if err != nil {
		return nil, err
	}
	if settings.URL == "" {
		settings.JSDomain = cmp.Or(settings.JSDomain, cfg.JSDomain)
	}
	s, err := blobstorenats.New(ctx, cfg.Conn, settings)
	if err != nil {
		return nil, err
	}
	return &provider.Capabilities{Blobstore: s, Close: s.Close}, nil
}

// startBlobstoreS3 keeps objects in a server that speaks S3.
func startBlobstoreS3(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	settings, err := s3.ParseConfig(cfg.Values)
	if err != nil {
		return nil, err
	}
	s, err := s3.New(settings)
	if err != nil {
		return nil, err
	}
	return &provider.Capabilities{Blobstore: s, Close: s.Close}, nil
}
