package http_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/http"
)

func TestTheContractIsText(t *testing.T) {
	t.Parallel()
	w := &wit.World{Name: "provider", Imports: []wit.Extern{{Name: http.IncomingHandlerInterface.Name, Interface: http.IncomingHandlerInterface}}}
	text, err := wit.Print(w)
	require.NoError(t, err)
	back, err := wit.ParseWorld(text)
	require.NoError(t, err, text)
	f := back.Imports[0].Interface.Func("handle")
	require.NotNil(t, f)
	require.True(t, wit.EqualFunc(f, http.IncomingHandlerInterface.Func("handle")), text)
}
