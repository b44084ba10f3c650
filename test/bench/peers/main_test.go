package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestServe asks for what plain wazero does, which needs no C compiler.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	script := `package main
import ("os"; "github.com/lathhost/lath/test/bench/guests")
func main() { c, _ := guests.Component("callee"); m, _ := guests.Core(c); os.WriteFile(os.Args[1], m, 0o644) }`
	source := filepath.Join(dir, "write.go")
	if err := os.WriteFile(source, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", source, filepath.Join(dir, "callee.wasm"))
	cmd.Dir = "../../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("PEERS_GUESTS", dir)
	in := strings.NewReader(`{"op":"wazero: host → guest, u32","n":10}` + "\n" + `{"op":"wazero: nothing","n":1}` + "\n")
	var out bytes.Buffer
	if err := serve(t.Context(), in, &out); err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(&out)
	var first hello
	var good, bad answer
	for _, to := range []any{&first, &good, &bad} {
		if err := lines.Decode(to); err != nil {
			t.Fatal(err)
		}
	}
	if first.Versions["wazero"] == "" || good.Nanos <= 0 || good.Error != "" || !strings.Contains(bad.Error, "no operation") {
		t.Fatalf("%+v %+v %+v", first, good, bad)
	}
}
