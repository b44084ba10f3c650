package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/lathhost/lath/host/provider"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/keyvalue/bolt"
	"github.com/lathhost/lath/providers/keyvalue/nats"
	"github.com/lathhost/lath/providers/keyvalue/redis"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// builtins are the providers that are compiled in. This is where providers and
// the host meet.
func builtins() []provider.Builtin {
	return []provider.Builtin{
		{Name: "keyvalue-memory", Start: startKeyvalueMemory},
		{Name: "keyvalue-file", Start: startKeyvalueFile},
		{Name: "keyvalue-nats", Start: startKeyvalueNATS},
		{Name: "keyvalue-redis", Start: startKeyvalueRedis},
		{Name: "blobstore-memory", Start: startBlobstoreMemory},
		{Name: "blobstore-fs", Start: startBlobstoreFS},
		{Name: "blobstore-nats", Start: startBlobstoreNATS},
		{Name: "blobstore-s3", Start: startBlobstoreS3},
		{Name: "sqldb-postgres", Start: startPostgres},
		{Name: "messaging-memory", Start: startMessagingMemory},
		{Name: "messaging-nats", Start: startMessagingNATS},
		{Name: "messaging-jetstream", Start: startMessagingJetStream},
		{Name: "cron", Start: startCron},
		{Name: "http-server", Start: startHTTPServer},
	}
}

// keyvalueStore is what every key-value backend is.
type keyvalueStore interface {
	contract.Store
	contract.Atomics
	contract.Batch
}

func keyvalueCapabilities(s keyvalueStore, end func() error) *provider.Capabilities {
	return &provider.Capabilities{KeyvalueStore: s, KeyvalueAtomics: s, KeyvalueBatch: s, Close: end}
}

// startKeyvalueMemory keeps values in memory: they end with the provider.
func startKeyvalueMemory(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	settings, err := keyvalue.ParseMemoryConfig(cfg.Settings)
	if err != nil {
		return nil, err
	}
	return keyvalueCapabilities(keyvalue.NewMemory(settings), nil), nil
}

// startKeyvalueFile keeps values in a file of this host.
func startKeyvalueFile(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	settings, err := bolt.ParseConfig(cfg.Settings)
	if err != nil {
		return nil, err
	}
	if cfg.Dir == "" {
		return nil, errors.New("this host has no place for files of providers")
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	s, err := bolt.Open(filepath.Join(cfg.Dir, "keyvalue.db"), settings)
	if err != nil {
		return nil, err
	}
	return keyvalueCapabilities(s, s.Close), nil
}

// linkedKeyvalue serves each link by a backend of its own.
func linkedKeyvalue(cfg provider.Config, parse func(wire.Settings) (keyvalue.Opener, error)) (*provider.Capabilities, error) {
	s, err := keyvalue.NewLinked(cfg.Settings, parse)
	if err != nil {
		return nil, err
	}
	caps := keyvalueCapabilities(s, s.Close)
	caps.Relink = s.Relink
	return caps, nil
}

// startKeyvalueNATS keeps values in NATS, the lattice's own unless another is
// named.
func startKeyvalueNATS(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	return linkedKeyvalue(cfg, func(s wire.Settings) (keyvalue.Opener, error) {
		settings, err := nats.ParseConfig(s)
		if err != nil {
			return nil, err
		}
		if settings.URL == "" {
			settings.JSDomain = cmp.Or(settings.JSDomain, cfg.JSDomain)
		}
		return func(ctx context.Context) (keyvalue.Backend, error) { return nats.New(ctx, cfg.Conn, settings) }, nil
	})
}

// startKeyvalueRedis keeps values in Redis servers.
func startKeyvalueRedis(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	return linkedKeyvalue(cfg, func(s wire.Settings) (keyvalue.Opener, error) {
		settings, err := redis.ParseConfig(s)
		if err != nil {
			return nil, err
		}
		return func(context.Context) (keyvalue.Backend, error) { return redis.New(settings) }, nil
	})
}
