package follow_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/follow"
)

// A provider that ends while it opens its links does not wait for the rest of them:
// each may be one to a server that is away.
func TestEndsWhileItOpens(t *testing.T) {
	t.Parallel()
	opening, away := make(chan string, 100), make(chan struct{})
	links := follow.NewLinks(func(l follow.Link[struct{}], _ provider.Settings) (follow.Following, error) {
		opening <- l.Name
		<-away
		return nil, errors.New("the server is away")
	})
	var list []follow.Link[struct{}]
	for i := range 100 {
		list = append(list, follow.Link[struct{}]{Name: fmt.Sprint(i), Target: "job"})
	}
	told, drained := make(chan []error), make(chan error)
	go func() { told <- links.SetLinks(provider.Settings{}, list) }()
	require.Equal(t, "0", <-opening)
	go func() { drained <- links.Drain(context.Background()) }()
	require.Eventually(t, links.Ending, time.Minute, time.Millisecond)
	close(away)
	require.NoError(t, <-drained)
	require.ErrorContains(t, (<-told)[99], "the provider is stopping")
	require.Empty(t, opening, "the others are not opened")
	links.Close()
}
