package nats_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/messaging/nats"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// A link that ends at a broker may name another server, as v1's target config does.
func TestLinksSendElsewhere(t *testing.T) {
	t.Parallel()
	here, there := start(t), start(t)
	s, err := nats.CoreSenders(nats.Config{ID: "broker", Lattice: "default", Conn: here.connect(), Log: zap.NewNop()})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	link := func(source string, settings map[string]string) provider.Link {
		return provider.Link{Link: lattice.Link{SourceID: source, Target: "broker", Name: "default", WITNamespace: "wasmcloud", WITPackage: "messaging",
			Interfaces: []string{"consumer"}}, Settings: provider.Settings{Config: settings}}
	}
	errs := s.Relink(provider.Settings{}, []provider.Link{link("near", nil), link("far", map[string]string{"cluster_uris": there.URL()}),
		link("wrong", map[string]string{"cluster_uri_": "x"})})
	require.NoError(t, errs[0])
	require.NoError(t, errs[1])
	require.ErrorContains(t, errs[2], `no setting "cluster_uri_"`)
	for source, at := range map[string]*server{"near": here, "far": there} {
		sub, err := at.connect().SubscribeSync("news")
		require.NoError(t, err)
		ctx := wrpc.ContextWithMeta(t.Context(), wrpc.Meta{SourceID: source, LinkName: "default"})
		require.Eventually(t, func() bool {
			require.NoError(t, s.Publish(ctx, contract.BrokerMessage{Subject: "news", Body: []byte(source)}))
			m, err := sub.NextMsg(100 * time.Millisecond)
			return err == nil && string(m.Data) == source
		}, time.Minute, time.Millisecond)
	}
	_, err = s.Request(wrpc.ContextWithMeta(context.Background(), wrpc.Meta{SourceID: "wrong", LinkName: "default"}), "news", nil, 100)
	require.ErrorContains(t, err, "cluster_uri_")
}
