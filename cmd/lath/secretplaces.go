package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/host/secrets"
)

// secretPlaces are a host's flags that say where secrets are.
type secretPlaces struct {
	keyFile, dir, topic                   string
	vaultAddr, vaultToken, vaultNamespace string
}

func (f *secretPlaces) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	addSecretsKey(cmd, &f.keyFile)
	flags.StringVar(&f.dir, "secrets-dir", "", "folder of the secrets backend \"file\", one file for each secret (default: none)")
	fromEnv(flags, "secrets-dir", "LATH_SECRETS_DIR")
	flags.StringVar(&f.topic, "secrets-topic", "", "start of the subjects of wasmCloud v1's secrets backends, such as wasmcloud.secrets (default: none is asked)")
	fromEnv(flags, "secrets-topic", "LATH_SECRETS_TOPIC", "WASMCLOUD_SECRETS_TOPIC")
	flags.StringVar(&f.vaultAddr, "vault-addr", "", "URL of the Vault server of the secrets backend \"vault\" (default: none)")
	fromEnv(flags, "vault-addr", "LATH_VAULT_ADDR")
	flags.StringVar(&f.vaultToken, "vault-token-file", "", "file with the token for Vault, read before each request")
	fromEnv(flags, "vault-token-file", "LATH_VAULT_TOKEN_FILE")
	flags.StringVar(&f.vaultNamespace, "vault-namespace", "", "namespace in Vault Enterprise (default: none)")
	fromEnv(flags, "vault-namespace", "LATH_VAULT_NAMESPACE")
}

func (f *secretPlaces) check() error {
	if f.dir != "" {
		if info, err := os.Stat(f.dir); err != nil || !info.IsDir() {
			return usagef("--secrets-dir %s: there is no such folder", f.dir)
		}
	}
	if (f.vaultAddr == "") != (f.vaultToken == "") {
		return usagef("--vault-addr and --vault-token-file: give both or none")
	}
	return nil
}

// places opens what the flags name.
func (f *secretPlaces) places(dir stateDir) (secrets.Places, error) {
	key, err := dir.secretsKey(f.keyFile)
	if err != nil {
		return secrets.Places{}, err
	}
	p := secrets.Places{Key: key, Dir: f.dir, Topic: f.topic}
	if f.vaultAddr != "" {
		p.Vault = &secrets.VaultServer{Addr: f.vaultAddr, TokenFile: f.vaultToken, Namespace: f.vaultNamespace}
	}
	return p, nil
}
