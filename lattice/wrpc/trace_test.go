package wrpc_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/wrpc"
)

func TestTraceParents(t *testing.T) {
	t.Parallel()
	made := wrpc.NewTraceParent()
	require.Len(t, made, 55)
	require.Len(t, wrpc.TraceID(made), 32)
	require.NotEqual(t, made, wrpc.NewTraceParent())

	const id, from = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for parent, want := range map[string]string{
		"00-" + id + "-" + from + "-01":                        id,
		"cc-" + id + "-" + from + "-01":                        id, // a version to come
		"cc-" + id + "-" + from + "-01-more":                   id,
		"cc-" + id + "-" + from + "-01.more":                   "",
		"00-" + id + "-" + from + "-01-more":                   "",
		"ff-" + id + "-" + from + "-01":                        "",
		"00-" + id + "-0000000000000000-01":                    "",
		"00-" + id + "-" + from + "-0g":                        "",
		"00-" + id + "-" + from:                                "",
		"00-" + id + "_" + from + "-01":                        "",
		"":                                                     "",
		"00-00000000000000000000000000000000-" + from + "-01":  "",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-" + from + "-01":  "",
		"00-4bf92f3577b34da6a3ce929d0e0e\n736-" + from + "-01": "",
	} {
		require.Equal(t, want, wrpc.TraceID(parent), parent)
	}
}
