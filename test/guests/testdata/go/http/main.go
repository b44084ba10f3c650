//go:build wasip1

// Command http answers requests by a ServeMux; test/guests says what is asked
// of it.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {}

func newMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "hello %s, %s", r.PathValue("name"), r.URL.Query().Get("what"))
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", r.Header.Get("X-Sent"))
		if _, err := io.Copy(w, r.Body); err != nil {
			fmt.Fprintln(os.Stderr, "echo:", err)
		}
	})
	mux.HandleFunc("POST /sum", func(w http.ResponseWriter, r *http.Request) {
		var numbers []int
		if err := json.NewDecoder(r.Body).Decode(&numbers); err != nil {
			http.Error(w, "no list of numbers", http.StatusBadRequest)
			return
		}
		sum := 0
		for _, n := range numbers {
			sum += n
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]int{"sum": sum})
	})
	mux.HandleFunc("GET /lines", func(w http.ResponseWriter, _ *http.Request) {
		for range 10_000 {
			io.WriteString(w, strings.Repeat("x", 99)+"\n")
		}
	})
	return mux
}

//go:wasmexport wasi:http/incoming-handler@0.2.12#handle
func handle(request, outparam uint32) {
	w := &response{outparam: outparam, header: http.Header{}}
	defer w.finish()
	r, err := newRequest(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer r.Body.Close()
	newMux().ServeHTTP(w, r)
}
