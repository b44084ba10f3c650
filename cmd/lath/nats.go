package main

import (
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice"
)

func addNATSURL(cmd *cobra.Command, url *string) {
	cmd.Flags().StringVar(url, "nats-url", lattice.DefaultURL, "address of the NATS server, or of several with commas between them")
	fromEnv(cmd.Flags(), "nats-url", "LATH_NATS_URL")
}

// addAuth adds the flags that say who connects to NATS, and how it is secured.
func addAuth(cmd *cobra.Command, a *lattice.Auth) {
	addAuthOf(cmd, a, "nats", "NATS", "WASMCLOUD_NATS")
}

// addRPC adds the flags of a connection for calls alone, as v1's --rpc-… are.
func addRPC(cmd *cobra.Command, url *string, a *lattice.Auth) {
	cmd.Flags().StringVar(url, "rpc-nats-url", "", "address of the NATS server for calls and providers, if it is another one")
	fromEnv(cmd.Flags(), "rpc-nats-url", "LATH_RPC_NATS_URL")
	addAuthOf(cmd, a, "rpc-nats", "RPC NATS", "WASMCLOUD_RPC")
}

// addAuthOf adds the flags of one of the two connections; v1 is what its
// variables begin with.
func addAuthOf(cmd *cobra.Command, a *lattice.Auth, prefix, what, v1 string) {
	flags := cmd.Flags()
	env := func(name string, more ...string) {
		own := "LATH_" + strings.ToUpper(strings.ReplaceAll(prefix+"-"+name, "-", "_"))
		fromEnv(flags, prefix+"-"+name, append([]string{own}, more...)...)
	}
	flags.StringVar(&a.CredsFile, prefix+"-creds", "", "credentials file of a "+what+" user")
	env("creds", v1+"_CREDS")
	flags.StringVar(&a.Seed, prefix+"-seed", "", "nkey seed of a "+what+" user, SU…; better given by the environment")
	env("seed", v1+"_SEED")
	flags.StringVar(&a.JWT, prefix+"-jwt", "", "JWT of the user whose seed it is")
	env("jwt", v1+"_JWT")
	flags.StringSliceVar(&a.CAFiles, prefix+"-ca", nil, "certificate of an authority that vouches for the "+what+" server, PEM file; repeatable (default: the system's)")
	env("ca")
	flags.StringVar(&a.CertFile, prefix+"-cert", "", "certificate to show the "+what+" server, PEM file")
	env("cert")
	flags.StringVar(&a.KeyFile, prefix+"-key", "", "key of that certificate, PEM file")
	env("key")
	flags.BoolVar(&a.TLSFirst, prefix+"-tls-first", false, "begin TLS before the "+what+" server says anything")
	env("tls-first")
}

// addInboxPrefix adds --inbox-prefix; def is what holds without it.
func addInboxPrefix(cmd *cobra.Command, prefix *string, def string) {
	cmd.Flags().StringVar(prefix, "inbox-prefix", "", "what the subjects begin with on which answers come, where NATS allows only some (default: "+def+")")
	fromEnv(cmd.Flags(), "inbox-prefix", "LATH_INBOX_PREFIX")
}

// separateRPC makes cfg, of the connection for all, that of the one for calls,
// if there is to be one. Credentials hold for both unless those for calls are
// given.
func separateRPC(cfg *lattice.ConnConfig, url string, auth lattice.Auth) bool {
	if url == "" && auth.IsZero() {
		return false
	}
	if url != "" {
		cfg.URL = url
	}
	if !auth.IsZero() {
		cfg.Auth = auth
	}
	return true
}

// v1NATSURL honours wasmCloud's two variables of a server, PREFIX_HOST and
// PREFIX_PORT, where the flag does not name a URL.
func v1NATSURL(cmd *cobra.Command, flag, prefix, url string) string {
	host, port := os.Getenv(prefix+"_HOST"), os.Getenv(prefix+"_PORT")
	if cmd.Flags().Changed(flag) || host == "" && port == "" {
		return url
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if port == "" {
		port = "4222"
	}
	return "nats://" + net.JoinHostPort(host, port)
}
