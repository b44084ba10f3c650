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
	links := follow.NewLinks(follow.Config[struct{}]{Open: func(l follow.Link[struct{}], _ provider.Settings) (follow.Following, error) {
		opening <- l.Name
		<-away
		return nil, errors.New("the server is away")
	}})
	var list []follow.Link[struct{}]
	for i := range 100 {
		list = append(list, follow.Link[struct{}]{Name: fmt.Sprint(i), Target: "job"})
	}
	told, drained := make(chan []error), make(chan error)
	go func() { told <- links.SetLinks(provider.Settings{}, list) }()
	for range 16 { // as many as are opened at a time
		<-opening
	}
	go func() { drained <- links.Drain(context.Background()) }()
	require.Eventually(t, links.Ending, time.Minute, time.Millisecond)
	close(away)
	require.NoError(t, <-drained)
	require.ErrorContains(t, (<-told)[99], "the provider is stopping")
	require.Empty(t, opening, "the others are not opened")
	links.Close()
}

// fake is one who follows a link, and notes what becomes of it.
type fake struct {
	name string
	log  chan<- string
}

func (f *fake) Stop()                     { f.log <- "stop " + f.name }
func (f *fake) End(context.Context) error { return nil }

// newFakes follows links, with the letter of their settings, and notes it.
func newFakes(t *testing.T, overlap bool) (links *follow.Links[struct{}], log chan string) {
	log = make(chan string, 100)
	links = follow.NewLinks(follow.Config[struct{}]{Overlap: overlap, Open: func(l follow.Link[struct{}], s provider.Settings) (follow.Following, error) {
		f := &fake{l.Name + s.Config["letter"], log}
		if s.Config["letter"] == "x" {
			log <- "fail " + f.name
			return nil, errors.New("x is no letter")
		}
		log <- "open " + f.name
		return f, nil
	}})
	t.Cleanup(links.Close)
	return links, log
}

func lettered(letter string) []follow.Link[struct{}] {
	return []follow.Link[struct{}]{{Name: "n", Target: "job", Settings: provider.Settings{Config: map[string]string{"letter": letter}}}}
}

// TestOtherSettings: a link is given up and followed anew, or the other way round where
// two may follow it; one that fails leaves none.
func TestOtherSettings(t *testing.T) {
	t.Parallel()
	for overlap, want := range map[bool][]string{
		false: {"open na", "stop na", "open nb", "stop nb", "fail nx", "open nc"},
		true:  {"open na", "open nb", "stop na", "fail nx", "stop nb", "open nc"},
	} {
		links, log := newFakes(t, overlap)
		for _, letter := range []string{"a", "a", "b", "x", "c"} {
			err := links.SetLinks(provider.Settings{}, lettered(letter))[0]
			require.Equal(t, letter == "x", err != nil, letter)
		}
		for _, step := range want {
			require.Equal(t, step, <-log, "overlap %v", overlap)
		}
		require.Empty(t, log)
	}
}

// TestOpensTogether: a link to a server that is away does not keep others waiting.
func TestOpensTogether(t *testing.T) {
	t.Parallel()
	second := make(chan struct{})
	links := follow.NewLinks(follow.Config[struct{}]{Open: func(l follow.Link[struct{}], _ provider.Settings) (follow.Following, error) {
		if l.Name == "second" {
			close(second)
		}
		<-second
		return &fake{l.Name, make(chan string, 1)}, nil
	}})
	defer links.Close()
	list := []follow.Link[struct{}]{{Name: "first", Target: "job"}, {Name: "second", Target: "job"}, {Name: "second", Target: "job"}}
	require.Equal(t, make([]error, 3), links.SetLinks(provider.Settings{}, list), "each is opened once")
}
