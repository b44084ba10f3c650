package grant

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/filesystem"
)

// grants writes a file of grants into a folder that has a folder "data".
func grants(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	s.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600))
	name := filepath.Join(dir, "grants.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func TestFile(t *testing.T) {
	t.Parallel()
	name := grants(t, `
components:
  counter:
    dirs: &dirs ["data::/data:ro", data]
    net: ["tcp://db.example.org:5432"]
    http: [api.example.org]
    http-proxy: http://me:secret@proxy.example.org:3128
    http-direct: ["*.internal"]
    http-roots: [system, ca.pem]
    http-redirects: 5
    env: {MODE: fast, N: 1, EMPTY: ""}
    memory: 64MiB
    cpu: 2s
    time: 30s
    log-rate: 64KiB
    pool: {reuse: sticky, min: 2, max: 50, idle: 5m}
  nothing:
  "web-*": {dirs: *dirs}
  "web-admin-*": {memory: 1024}
  "*": {time: 1s}
`)
	p, err := ReadFile(name)
	require.ErrorContains(t, err, "grants.yaml:4: components.counter.dirs: the guest finds both")
	require.Nil(t, p)

	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, []byte(strings.Replace(string(text), ", data]", "]", 1)), 0o600))
	p, err = ReadFile(name)
	require.NoError(t, err)

	g := p.For("counter")
	want := []filesystem.Dir{{Host: filepath.Join(filepath.Dir(name), "data"), Guest: "/data"}}
	require.Equal(t, want, g.Dirs)
	require.NotNil(t, g.Sockets)
	require.NotNil(t, g.HTTP)
	require.Equal(t, "proxy.example.org:3128", g.Outbound.Proxy.Host)
	require.NoError(t, g.Outbound.Direct.Name(egress.TCP, "a.internal"))
	require.NotNil(t, g.Outbound.Roots)
	require.Equal(t, 5, g.Outbound.Redirects)
	require.Equal(t, map[string]string{"MODE": "fast", "N": "1", "EMPTY": ""}, g.Env)
	require.Equal(t, uint64(64<<20), g.Memory)
	require.Equal(t, 2*time.Second, g.CPU)
	require.Equal(t, 30*time.Second, g.Time)
	require.Equal(t, uint64(64<<10), g.LogRate)
	sticky := component.Sticky
	require.Equal(t, Pool{Reuse: &sticky, Min: 2, Max: 50, Idle: 5 * time.Minute}, g.Pool)

	require.Equal(t, Grant{}, p.For("nothing"), "an entry of its own, also an empty one, keeps patterns off")
	require.Equal(t, want, p.For("web-1").Dirs)
	require.Zero(t, p.For("web-1").Time, "entries are not merged")
	require.Equal(t, uint64(1024), p.For("web-admin-x").Memory, "the longest pattern counts")
	require.Equal(t, want, p.For("web-").Dirs, "a star stands for nothing, too")
	require.Equal(t, time.Second, p.For("other").Time)

	require.Equal(t, Grant{}, (*Policy)(nil).For("counter"))
}

func TestEmptyFilesGrantNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "---\n", "components:\n", "{}", `{"components": {}}`} {
		p, err := ReadFile(grants(t, text))
		require.NoError(t, err, text)
		require.Equal(t, Grant{}, p.For("x"), text)
	}
}

func TestErrorsNameFileLineAndKey(t *testing.T) {
	t.Parallel()
	entry := func(text string) string { return "components:\n  c:\n    " + text + "\n" }
	for text, want := range map[string]string{
		"[]":                                         ":1: : want keys with values, not a list",
		"component: {}":                              ":1: component: unknown key: want components",
		"components: [c]":                            ":1: components: want keys with values, not a list",
		"components: {\"a*b\": {}}":                  ":1: components.a*b: want a component's id",
		"components: {\"\": {}}":                     ":1: components.: want a component's id",
		"components: {[a]: {}}":                      "want a name as key, not a list",
		"components:\n  c: {}\n  c: {}\n":            ":3: components.c: the key stands here twice",
		"a: b\n---\nc: d\n":                          ": more than one document",
		"a: [\n":                                     "grants.yaml: yaml:",
		entry("memroy: 1MiB"):                        ":3: components.c.memroy: unknown key: want one of cpu, dirs, env, http, http-direct, http-proxy, http-redirects, http-roots, log-rate, memory, net, pool, secrets, time",
		entry("memory: lots"):                        `:3: components.c.memory: "lots": want a size such as 64MiB`,
		entry("memory: 0"):                           ":3: components.c.memory",
		entry("memory: 16EiB"):                       ":3: components.c.memory",
		entry("memory:"):                             ":3: components.c.memory: want text, not nothing",
		entry("time: 30"):                            `:3: components.c.time: "30": want a duration such as 30s`,
		entry("cpu: -1s"):                            ":3: components.c.cpu",
		entry("dirs: data"):                          ":3: components.c.dirs: want a list, not text",
		entry("dirs:\n      - data\n      - other"):  ":5: components.c.dirs: directory ",
		entry("dirs: [grants.yaml]"):                 ":3: components.c.dirs: directory ",
		entry("env: [A]"):                            ":3: components.c.env: want keys with values, not a list",
		entry("env: {A: [b]}"):                       ":3: components.c.env.A: want text, not a list",
		entry("env: {\"A=B\": c}"):                   `:3: components.c.env.A=B: "A=B" cannot name`,
		entry("<<: {memory: 1MiB}"):                  ":3: components.c.<<: want a name as key, not a merge",
		entry("pool: sticky"):                        ":3: components.c.pool: want keys with values, not text",
		entry("pool: {reuse: dirty}"):                `:3: components.c.pool.reuse: "dirty": want pristine (`,
		entry("pool: {min: 0}"):                      `:3: components.c.pool.min: "0": want a number of instances, 1 to 20000`,
		entry("pool: {max: 0}"):                      `:3: components.c.pool.max: "0": want`,
		entry("pool: {max: -1}"):                     `:3: components.c.pool.max: "-1": want`,
		entry("pool: {max: 1000000000000000000000}"): `:3: components.c.pool.max: "1000000000000000000000": want`,
		entry("pool: {min: 2.5}"):                    `:3: components.c.pool.min: "2.5": want`,
		entry("pool: {min: 3, max: 2}"):              ":3: components.c.pool: min is 3, more than max, which is 2",
		entry("pool: {idle: 0s}"):                    `:3: components.c.pool.idle: "0s": want a duration`,
		entry("pool: {idle: 1ns}"):                   ":3: components.c.pool.idle: 1ns: want 100ms or more",
		entry("pool: {reuse: fresh, min: 1}"):        ":3: components.c.pool: min, max and idle mean nothing where reuse is fresh",
		entry("pool: {keep: 1}"):                     ":3: components.c.pool.keep: unknown key: want one of idle, max, min, reuse",
		entry("http-proxy: proxy:3128"):              `:3: components.c.http-proxy: scheme "proxy": want http://HOST:PORT`,
		entry("http-proxy: http://"):                 ":3: components.c.http-proxy: it has no host",
		entry("http-proxy: http://a:0"):              `:3: components.c.http-proxy: "0" is not a port`,
		entry("http-proxy: http://a/b"):              ":3: components.c.http-proxy: a proxy has no path",
		entry(`http-proxy: "http://me:se\tret@a"`):   ":3: components.c.http-proxy: it is no URL",
		entry("http-direct: [a:b]"):                  ":3: components.c.http-direct: rule",
		entry("http-roots: ca.pem"):                  ":3: components.c.http-roots: want a list, not text",
		entry("http-roots:\n      - none.pem"):       ":4: components.c.http-roots: open ",
		entry("http-roots: [grants.yaml]"):           "grants.yaml has no certificate in PEM",
		entry("http-redirects: -1"):                  `:3: components.c.http-redirects: "-1": want a number from 0 to 20`,
		entry("http-redirects: 21"):                  `:3: components.c.http-redirects: "21": want`,
		"components:\n  c: &a {env: *a}\n":           "components.c.env",
	} {
		_, err := ReadFile(grants(t, text))
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "grants.yaml:", text)
	}
	_, err := ReadFile(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = ReadFile(grants(t, strings.Repeat("#", maxFile+1)))
	require.ErrorContains(t, err, "more than 1048576 bytes")
}

func TestDir(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	for _, name := range []string{"data", "a:b"} {
		require.NoError(t, os.MkdirAll(filepath.Join(base, name, "deep"), 0o700))
	}
	abs := filepath.Join(base, "data")
	for text, want := range map[string]filesystem.Dir{
		"data":                               {Host: abs, Guest: "/data", Write: true},
		"./data/":                            {Host: abs, Guest: "/data", Write: true},
		".":                                  {Host: base, Guest: "/", Write: true},
		"data/deep:ro":                       {Host: filepath.Join(abs, "deep"), Guest: "/data/deep"},
		"data::/":                            {Host: abs, Guest: "/", Write: true},
		"data::/x/../y/:rw":                  {Host: abs, Guest: "/y", Write: true},
		"data:quota=100MB":                   {Host: abs, Guest: "/data", Write: true, Quota: 100_000_000},
		"data::/d:rw,quota=1KiB":             {Host: abs, Guest: "/d", Write: true, Quota: 1024},
		"a:b":                                {Host: filepath.Join(base, "a:b"), Guest: "/a:b", Write: true},
		"a:b:ro":                             {Host: filepath.Join(base, "a:b"), Guest: "/a:b"},
		filepath.ToSlash(abs) + "::/abs":     {Host: abs, Guest: "/abs", Write: true},
		"../" + filepath.Base(base) + "::/p": {Host: base, Guest: "/p", Write: true},
	} {
		got, err := ParseDir(text, base)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for text, want := range map[string]string{
		"":                "want HOST[::GUEST][:ro]",
		"::/data":         "want HOST[::GUEST][:ro]",
		"data::":          "no absolute path",
		"data::x":         "no absolute path",
		"data::/x:r0":     `no option "r0"`,
		"data::/x:":       "",
		"data:ro,quota=1": "a quota bounds nothing",
		"data:quota=":     "want a size",
		"data:quota=-1":   "want a size",
		"data:ro,what":    `no option "what"`,
		"data:r0":         ", granted as /",
		"..":              "say where the guest finds it: ..::/data",
		"../x:ro":         "say where the guest finds it",
		"nowhere":         ", granted as /",
	} {
		_, err := ParseDir(text, base)
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want, text)
	}
}

// FuzzFile: no content makes the reader fall, and what it takes is what it
// says.
func FuzzFile(f *testing.F) {
	for _, text := range []string{"", "components: {c: {dirs: [.], memory: 1MiB}}", "components:\n  c: &a {env: *a}\n", "components: {\"*\": {time: 1s, net: [\"*\"]}}", "components: {c: {pool: {reuse: fresh}, cpu: 1s}}", "components: {c: {pool: {min: 1, max: 2, idle: 1s}}}", "a: [", "<<: {}", "? [a]\n: b"} {
		f.Add([]byte(text))
	}
	base := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parse("x", base, data)
		if err != nil {
			require.Nil(t, p)
			return
		}
		for pattern, g := range p.grants {
			require.True(t, validPattern(pattern))
			require.GreaterOrEqual(t, g.Time, time.Duration(0))
			require.NoError(t, g.Pool.check())
			for _, d := range g.Dirs {
				require.True(t, strings.HasPrefix(d.Guest, "/"))
				require.True(t, filepath.IsAbs(d.Host))
			}
		}
	})
}
