package ctl

import (
	"context"

	"github.com/lathhost/lath/lattice"
)

func getClaims(ctx context.Context, s *Server, _ *request) (answer, error) {
	claims, err := s.cfg.Handler.Claims(ctx)
	if claims == nil {
		claims = []map[string]string{}
	}
	return answer{response: claims}, err
}

// Claims returns the claims that the lattice knows, of components and providers,
// in v1's flat form.
func (c *Client) Claims(ctx context.Context) ([]map[string]string, error) {
	var out []map[string]string
	_, err := c.call(ctx, c.aboutLattice(lattice.KindClaims, "get"), nil, &out)
	return out, err
}
