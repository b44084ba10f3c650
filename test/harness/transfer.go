package harness

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Transfer is what became of an object of many bytes that was sent somewhere by HTTP
// and read again.
type Transfer struct {
	// Up and Down are how long each took.
	Up, Down time.Duration
}

// ErrChanged means that other bytes came back than were sent.
var ErrChanged = errors.New("other bytes came back than were sent")

// SendAndRead puts size bytes, no two pieces of which are alike, to a URL in one
// request, and gets them in another, at a rate of so many bytes a second at most. What
// comes back has the same checksum, or it is an error.
func SendAndRead(ctx context.Context, url string, size, rate int64) (t Transfer, err error) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	sent := sha256.New()
	begin := time.Now()
	err = exchange(ctx, client, http.MethodPut, url, http.StatusCreated, io.TeeReader(io.LimitReader(&noise{}, size), sent), io.Discard)
	if err != nil {
		return t, err
	}
	t.Up, begin = time.Since(begin), time.Now()
	got := sha256.New()
	err = exchange(ctx, client, http.MethodGet, url, http.StatusOK, nil, io.MultiWriter(got, &slow{ctx: ctx, rate: rate, begin: begin}))
	t.Down = time.Since(begin)
	if err == nil && string(got.Sum(nil)) != string(sent.Sum(nil)) {
		err = ErrChanged
	}
	return t, err
}

func exchange(ctx context.Context, client *http.Client, method, url string, status int, body io.Reader, to io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("%s %s: status %d: %s", method, url, resp.StatusCode, text)
	}
	_, err = io.Copy(to, resp.Body)
	return err
}

// noise is data without an end that repeats nowhere.
type noise struct{ x uint64 }

// Read implements io.Reader.
func (n *noise) Read(p []byte) (int, error) {
	p = p[:len(p)&^7]
	for i := 0; i < len(p); i += 8 { // splitmix64
		n.x += 0x9e3779b97f4a7c15
		z := n.x
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.LittleEndian.PutUint64(p[i:], z^z>>31)
	}
	return len(p), nil
}

// slow takes no more bytes a second than its rate, so that who sends them waits.
type slow struct {
	ctx   context.Context //nolint:containedctx // as short as the transfer
	rate  int64
	begin time.Time
	n     int64
}

// Write implements io.Writer.
func (s *slow) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	ahead := time.Duration(float64(s.n)/float64(s.rate)*float64(time.Second)) - time.Since(s.begin)
	if ahead < time.Millisecond {
		return len(p), nil
	}
	wait := time.NewTimer(ahead)
	defer wait.Stop()
	select {
	case <-wait.C:
		return len(p), nil
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

// Memory is what a process has resident, and the most that it ever had since
// [ResetPeak], in bytes.
type Memory struct{ Now, Peak int64 }

// ErrNoMemory is where the system does not tell.
var ErrNoMemory = errors.New("this system has no /proc")

// MemoryOf returns the memory of a process.
func MemoryOf(pid int) (m Memory, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, ErrNoMemory
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[2] != "kB" {
			continue
		}
		n, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return m, err
		}
		switch fields[0] {
		case "VmRSS:":
			m.Now = n << 10
		case "VmHWM:":
			m.Peak = n << 10
		}
	}
	return m, nil
}

// ResetPeak has the peak of a process' memory be what it is now.
func ResetPeak(pid int) error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		return ErrNoMemory
	}
	return nil
}
