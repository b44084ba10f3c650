package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/host/secrets"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/secret"
)

func (c *cli) secretCmd() *cobra.Command {
	cmd := asGroup(&cobra.Command{
		Use: "secret", Short: "Give components and providers passwords, keys and tokens",
		Long: `A secret is stored in the lattice under a name, sealed for the keys of the hosts that
are to read it: NATS and whoever listens to it never see its value. A component that
was started with --config SECRET_NAME reads it by wasmcloud:secrets, and sees the next
version at its next call; a provider process gets it when it starts, or with its link.

What is sealed says which ids may have it. A secret can also stay where it is, in a
variable or file of each host, in Vault, or with a secrets backend of wasmCloud v1: then
its name only refers to it (--backend), and the host's operator grants it in the file of
--grants, as in components: {counter: {secrets: ["env:DB_PASSWORD"]}}.`,
		Example: "  lath secret put db --for counter --file password.txt\n  lath start component ghcr.io/you/counter:0.1.0 --config SECRET_db\n" +
			"  lath secret put db --backend vault --key secret/counter/db --field password",
	})
	cmd.AddCommand(c.secretPutCmd(), c.secretGetCmd(), c.secretDelCmd(), c.secretKeyCmd())
	return cmd
}

// secretFlags are those of the verbs.
type secretFlags struct {
	latticeFlags
	jsDomain string
	keyFile  string
}

func (f *secretFlags) add(cmd *cobra.Command) {
	f.latticeFlags.add(cmd)
	cmd.Flags().StringVar(&f.jsDomain, "js-domain", "", "JetStream domain of the lattice's data, where the NATS server is a leaf node")
	fromEnv(cmd.Flags(), "js-domain", "LATH_JS_DOMAIN", "WASMCLOUD_JS_DOMAIN")
	addSecretsKey(cmd, &f.keyFile)
}

// addSecretsKey adds --secrets-key.
func addSecretsKey(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "secrets-key", "", "file with the seed of the curve key (SX…) that opens secrets (default: secrets.key in the state directory, made when it is needed)")
	fromEnv(cmd.Flags(), "secrets-key", "LATH_SECRETS_KEY")
}

// store opens the lattice and its secrets.
func (f *secretFlags) store(cmd *cobra.Command) (*session, *secret.Store, error) {
	s, err := f.open(cmd)
	if err != nil {
		return nil, nil, err
	}
	store, err := secret.NewStore(s.conn, s.lattice, f.jsDomain, 0)
	if err != nil {
		s.close()
		return nil, nil, err
	}
	return s, store, nil
}

// key is the key of this machine.
func (f *secretFlags) key() (*secret.Key, error) {
	dir, err := openStateDir(f.stateDir)
	if err != nil {
		return nil, err
	}
	return dir.secretsKey(f.keyFile)
}

// namedSecret is the answer of put and get.
type namedSecret struct {
	secret.Reference
	Config string     `json:"config"`
	Stored *time.Time `json:"stored,omitempty"`
	Keys   []string   `json:"keys,omitempty"` // that it is sealed for
	For    []string   `json:"for,omitempty"`
	// Value is there only if it was asked for.
	Value *provider.PlainSecret `json:"secret,omitempty"`
}

func (c *cli) secretPutCmd() *cobra.Command {
	var f secretFlags
	var r secret.Reference
	var file string
	var allowed, recipients []string
	var raw bool
	cmd := &cobra.Command{
		Use: "put NAME", Short: "Store a secret, or where it is, under a name",
		Long: `Store a secret under a name: what standard input or --file holds, without one line end
at its end. It is sealed for the keys of --recipient, or for the key of this machine's
state directory, with which a host on it opens secrets; "lath secret key" tells that of
another machine. Older versions stay until "lath secret del".

With --backend the value stays where it is, and only its place is stored: env, file and
vault are read by the hosts themselves; another name is that of a secrets backend of
wasmCloud v1, which hosts ask with --secrets-topic.`,
		Example: "  lath secret put db --for counter --file password.txt\n  lath secret put tls --for 'web-*' --file key.pem --recipient XBUJMZHVOPQ2SK5VD3TY4VNBPVU2YFGRLK6EFPEPSMVDUYEBSROWZCEA\n" +
			"  lath secret put db --backend env --key DB_PASSWORD",
		Args: nargs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Name = args[0]
			if err := lattice.ValidConfigName(secret.ConfigName(r.Name)); err != nil {
				return &usageError{err}
			}
			if r.Backend != "" && r.Backend != secrets.Lath {
				if file != "" || len(allowed)+len(recipients) > 0 {
					return usagef("--backend %s: the secret stays there: --file, --for and --recipient are for those that are stored here", r.Backend)
				}
				return c.putReference(cmd, &f, r)
			}
			if r.Key+r.Field != "" {
				return usagef("--key and --field say where a secret is in another --backend")
			}
			if len(allowed) == 0 {
				return usagef("--for: say which components or providers may have it, such as --for counter; '*' is all")
			}
			return c.putSecret(cmd, &f, r, file, raw, allowed, recipients)
		},
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&file, "file", "f", "", "file with the value (default: standard input)")
	flags.BoolVar(&raw, "bytes", false, "the value is bytes, kept as they are (default: a text, if it is one)")
	flags.StringSliceVar(&allowed, "for", nil, "id of a component or provider that may have it, or the start of one and a star; repeatable")
	flags.StringSliceVar(&recipients, "recipient", nil, "public key (X…) that it is sealed for; repeatable")
	flags.StringVar(&r.Backend, "backend", "", "where the secret is: env, file, vault, or a backend of wasmCloud v1")
	flags.StringVar(&r.Key, "key", "", "what the backend knows it by")
	flags.StringVar(&r.Field, "field", "", "one of several values under the key")
	flags.StringVar(&r.Version, "version", "", "version in the backend (default: the latest)")
	return cmd
}

// putReference stores only where a secret is.
func (c *cli) putReference(cmd *cobra.Command, f *secretFlags, r secret.Reference) error {
	if r.Key == "" {
		return usagef("--key: say what backend %s knows the secret by", r.Backend)
	}
	if err := r.Validate(); err != nil {
		return &usageError{err}
	}
	s, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	return c.refer(cmd, s, namedSecret{Reference: r})
}

// refer stores a reference and tells it.
func (c *cli) refer(cmd *cobra.Command, s *session, out namedSecret) error {
	out.Config = secret.ConfigName(out.Name)
	if err := s.ctl.PutConfig(cmd.Context(), out.Config, out.Values()); err != nil {
		return s.noHost(err)
	}
	return c.result(out, func(w io.Writer) {
		version := ""
		if out.Version != "" {
			version = ", version " + out.Version
		}
		fmt.Fprintf(w, "secret %s is in backend %s%s; next: lath start component REF --config %s\n", out.Name, out.Backend, version, out.Config)
	})
}

// putSecret seals a value and stores it.
func (c *cli) putSecret(cmd *cobra.Command, f *secretFlags, r secret.Reference, file string, raw bool, allowed, recipients []string) error {
	value, err := c.secretValue(file, raw)
	if err != nil {
		return err
	}
	if len(recipients) == 0 {
		own, err := f.key()
		if err != nil {
			return err
		}
		recipients = []string{own.Public()}
	}
	sealed, err := secret.Seal(r.Name, secret.Opened{Value: value, For: allowed}, recipients)
	if err != nil {
		return &usageError{err}
	}
	s, store, err := f.store(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	version, err := store.Put(cmd.Context(), r.Name, sealed)
	if err != nil {
		return err
	}
	r.Backend, r.Key, r.Version = secrets.Lath, r.Name, fmt.Sprint(version)
	return c.refer(cmd, s, namedSecret{Reference: r, Keys: recipients, For: allowed})
}

// secretValue reads a value from a file or standard input; arguments are seen by all
// who can list processes.
func (c *cli) secretValue(file string, raw bool) (provider.Secret, error) {
	in := c.stdin
	if file != "" && file != stdio {
		opened, err := os.Open(file)
		if err != nil {
			return provider.Secret{}, &usageError{err}
		}
		defer opened.Close()
		in = opened
	}
	data, err := io.ReadAll(io.LimitReader(in, secret.MaxValue+1))
	switch {
	case err != nil:
		return provider.Secret{}, fmt.Errorf("read the secret: %w", err)
	case len(data) > secret.MaxValue:
		return provider.Secret{}, usagef("the secret has more than %d bytes", secret.MaxValue)
	case len(data) == 0:
		return provider.Secret{}, usagef("the secret is empty: give it by standard input or --file")
	case raw || !utf8.Valid(data):
		return provider.BytesSecret(data), nil
	}
	return provider.TextSecret(strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")), nil
}

func (c *cli) secretGetCmd() *cobra.Command {
	var f secretFlags
	var reveal bool
	cmd := &cobra.Command{
		Use: "get NAME", Short: "Show where a secret is, or with --reveal what it says",
		Long: `Show where a secret is, and for which keys it is sealed. With --reveal its value is
written to standard output, if the key of this machine opens it.`,
		Example: "  lath secret get db\n  lath secret get db --reveal", Args: nargs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, store, err := f.store(cmd)
			if err != nil {
				return err
			}
			defer s.close()
			config := secret.ConfigName(args[0])
			values, err := s.ctl.Config(cmd.Context(), config)
			switch {
			case noSuchConfig(err):
				return fmt.Errorf("secret %s: %w: store it by: lath secret put %[1]s --for ID", args[0], lattice.ErrNotFound)
			case err != nil:
				return s.noHost(err)
			}
			out := namedSecret{Config: config}
			if out.Reference, err = secret.ParseReference(config, values); err != nil {
				return err
			}
			if out.Backend == secrets.Lath {
				if err := f.describe(cmd, store, &out, reveal); err != nil {
					return err
				}
			} else if reveal {
				return fmt.Errorf("secret %s: %w: it is in backend %s, which hosts read and lath does not", args[0], lattice.ErrUnsupported, out.Backend)
			}
			return c.result(out, func(w io.Writer) { out.write(w) })
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&reveal, "reveal", false, "write the value")
	return cmd
}

// describe adds what is stored of a sealed secret.
func (f *secretFlags) describe(cmd *cobra.Command, store *secret.Store, out *namedSecret, reveal bool) error {
	entry, err := store.Get(cmd.Context(), out.Key, out.Version)
	if err != nil {
		return err
	}
	out.Stored, out.Keys = &entry.Stored, entry.Recipients()
	if !reveal {
		return nil
	}
	key, err := f.key()
	if err != nil {
		return err
	}
	opened, err := entry.Open(out.Key, key)
	if err != nil {
		return err
	}
	value := provider.PlainSecret(opened.Value)
	out.Value, out.For = &value, opened.For
	return nil
}

func (n *namedSecret) write(w io.Writer) {
	if n.Value != nil {
		value := provider.Secret(*n.Value)
		if text, ok := value.Text(); ok {
			fmt.Fprintln(w, text)
		} else {
			_, _ = w.Write(value.Bytes()) // the writer keeps its error
		}
		return
	}
	t := newTable(w, "NAME", "BACKEND", "KEY", "FIELD", "VERSION", "SEALED FOR")
	t.AppendRow([]any{n.Name, n.Backend, n.Key, n.Field, n.Version, strings.Join(n.Keys, " ")})
	t.Render()
}

func (c *cli) secretDelCmd() *cobra.Command {
	var f secretFlags
	cmd := &cobra.Command{
		Use: "del NAME", Short: "Remove a secret, with all its versions", Example: "  lath secret del db", Args: nargs(1, 1),
		Long: "Remove a secret with all its versions, and its name. What is in another backend stays\nthere. Components no longer find it at their next call. Nothing to remove is no error.",
		RunE: func(cmd *cobra.Command, args []string) error {
			config := secret.ConfigName(args[0])
			if err := lattice.ValidConfigName(config); err != nil {
				return &usageError{err}
			}
			s, store, err := f.store(cmd)
			if err != nil {
				return err
			}
			defer s.close()
			// The value goes first: a name that is left is told, a value would not be.
			if err := errors.Join(store.Delete(cmd.Context(), args[0]), s.ctl.DeleteConfig(cmd.Context(), config)); err != nil {
				return s.noHost(err)
			}
			return c.result(struct {
				Name    string `json:"name"`
				Deleted bool   `json:"deleted"`
			}{args[0], true}, func(w io.Writer) { fmt.Fprintf(w, "secret %s is gone\n", args[0]) })
		},
	}
	f.add(cmd)
	return cmd
}

func (c *cli) secretKeyCmd() *cobra.Command {
	var f secretFlags
	cmd := &cobra.Command{
		Use: "key", Short: "Show the public key that secrets for a host of this machine are sealed for",
		Example: "  lath secret key\n  lath secret key --state-dir /var/lib/lath", Args: nargs(0, 0),
		RunE: func(*cobra.Command, []string) error {
			key, err := f.key()
			if err != nil {
				return err
			}
			return c.result(struct {
				Public string `json:"public"`
			}{key.Public()}, func(w io.Writer) { fmt.Fprintln(w, key.Public()) })
		},
	}
	addStateDir(cmd, &f.stateDir)
	addSecretsKey(cmd, &f.keyFile)
	return cmd
}
