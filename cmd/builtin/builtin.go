package builtin

import (
	"slices"

	"github.com/lathhost/lath/host/provider"
)

// Providers are those that are compiled in.
func Providers() []provider.Builtin {
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

// Provider returns the one of that name.
func Provider(name string) (p provider.Builtin, ok bool) {
	all := Providers()
	i := slices.IndexFunc(all, func(p provider.Builtin) bool { return p.Name == name })
	if i < 0 {
		return provider.Builtin{}, false
	}
	return all[i], true
}
