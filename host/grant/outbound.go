package grant

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
)

// ParseProxy reads the URL of a proxy: http://[USER:PASSWORD@]HOST[:PORT], or https.
func ParseProxy(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("it is no URL") // the error would show a password
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("scheme %q: want http://HOST:PORT or https://HOST:PORT", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("it has no host: want http://HOST:PORT")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("a proxy has no path: want http://HOST:PORT")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("%q is not a port from 1 to 65535", port)
		}
	}
	return u, nil
}

// SystemRoots stands for the authorities that the system trusts.
const SystemRoots = "system"

// maxRoots bounds a file of authorities, in bytes.
const maxRoots = 8 << 20

// ParseRoots reads authorities to trust: files of certificates in PEM, relative to a
// folder, and [SystemRoots]. Without that the files alone count.
func ParseRoots(names []string, base string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, name := range names { // first, since there is no adding it to others
		if name == SystemRoots {
			var err error
			if pool, err = x509.SystemCertPool(); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range names {
		if name == SystemRoots {
			continue
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(base, name)
		}
		data, err := readRoots(name)
		if err != nil {
			return nil, err
		}
		if !pool.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("%s has no certificate in PEM", name)
		}
	}
	return pool, nil
}

func readRoots(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRoots+1))
	if err == nil && len(data) > maxRoots {
		err = fmt.Errorf("%s has more than %d bytes", name, maxRoots)
	}
	return data, err
}

// MaxRedirects bounds those that are followed for a component.
const MaxRedirects = 20

func (r *reader) proxy(v value) *url.URL {
	u, err := ParseProxy(r.text(v))
	if err != nil {
		r.fail(v, "%w", err)
	}
	return u
}

func (r *reader) roots(v value) *x509.CertPool {
	var names []string
	for _, item := range r.list(v) {
		name := r.text(item)
		if _, err := ParseRoots([]string{name}, r.base); err != nil { // one by one for the line of the error
			r.fail(item, "%w", err)
		}
		names = append(names, name)
	}
	if r.err != nil {
		return nil
	}
	pool, err := ParseRoots(names, r.base)
	if err != nil {
		r.fail(v, "%w", err)
	}
	return pool
}

func (r *reader) redirects(v value) int {
	text := r.text(v)
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > MaxRedirects {
		r.fail(v, "%q: want a number from 0 to %d", text, MaxRedirects)
		return 0
	}
	return n
}
