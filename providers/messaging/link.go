package messaging

import (
	"github.com/lathhost/lath/providers/internal/follow"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// Link is a link whose target handles messages.
type Link = follow.Link[contract.Handler]

// Links are those of one broker.
type Links = follow.Links[contract.Handler]

// LinksConfig says how a broker follows them.
type LinksConfig = follow.Config[contract.Handler]
