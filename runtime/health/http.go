package health

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"

	"hafile/lang/plan"
)

// headMax bounds the headers of an answer, and caMax a file of certificates, in bytes.
const (
	headMax = 64 << 10
	caMax   = 4 << 20
)

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// direct opens connections without a thread that waits for a resolver in C.
func direct() dialer { return (&net.Dialer{Resolver: &net.Resolver{PreferGo: true}}).DialContext }

// webPage asks for a page, each time over a connection of its own: one that is kept open
// would go on working where no new one does. No proxy, no redirect, no cookie.
type webPage struct {
	spec *plan.HTTP
	dial dialer
}

func newHTTP(spec *plan.HTTP) *webPage { return &webPage{spec: spec, dial: direct()} }

func (w *webPage) ask(ctx context.Context) (string, error) {
	req, err := w.request(ctx)
	if err != nil {
		return "", err
	}
	config, err := w.tls()
	if err != nil {
		return "", err
	}
	transport := &http.Transport{
		DialContext: w.dial, TLSClientConfig: config,
		DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: headMax,
	}
	answer, err := transport.RoundTrip(req) // and not a Client, which would follow
	if err != nil {
		return "", because(ctx, err)
	}
	defer answer.Body.Close()
	if err := expected(answer.StatusCode, w.spec.Expect); err != nil {
		return answer.Status, err
	}
	return answer.Status, w.body(ctx, answer)
}

func (w *webPage) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, w.spec.Method, w.spec.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "hafile")
	for name, value := range w.spec.Headers {
		if strings.EqualFold(name, "Host") { // the library takes it from elsewhere
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	return req, nil
}

// tls reads the certificates anew each time: a file that has been replaced counts at once.
func (w *webPage) tls() (*tls.Config, error) {
	c := &tls.Config{ServerName: w.spec.ServerName, InsecureSkipVerify: w.spec.Insecure, MinVersion: tls.VersionTLS12}
	if w.spec.CAFile == "" || !strings.HasPrefix(strings.ToLower(w.spec.URL), "https:") {
		return c, nil
	}
	raw, err := readFile(w.spec.CAFile, caMax)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %s", explain(err))
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(raw) {
		return nil, errors.New("ca_file: it holds no certificate")
	}
	return c, nil
}

// expected says whether a status code is good: one of those listed, or 200 to 299.
func expected(code int, list []int) error {
	switch {
	case slices.Contains(list, code), len(list) == 0 && code >= 200 && code <= 299:
		return nil
	case len(list) == 0:
		return fmt.Errorf("got %d, expected 200 to 299", code)
	}
	words := make([]string, len(list))
	for i, c := range list {
		words[i] = fmt.Sprint(c)
	}
	return fmt.Errorf("got %d, expected %s", code, strings.Join(words, " or "))
}

// body reads as far as it must. A short answer is read to its end, so that the server
// logs no client that hung up.
func (w *webPage) body(ctx context.Context, answer *http.Response) error {
	if w.spec.Contains == "" && (answer.ContentLength < 0 || answer.ContentLength > readMax) {
		return nil
	}
	found, err := holds(answer.Body, w.spec.Contains)
	switch {
	case found:
		return nil
	case err != nil:
		return fmt.Errorf("the answer broke off: %w", because(ctx, err))
	}
	return fmt.Errorf("the first %d KiB of the answer do not hold the text", readMax>>10)
}

// holds reads until the text is there or readMax bytes are read.
func holds(r io.Reader, text string) (bool, error) {
	var all bytes.Buffer
	limited := io.LimitReader(r, readMax)
	if text == "" {
		_, err := io.Copy(io.Discard, limited)
		return err == nil, err
	}
	buf := make([]byte, 4<<10)
	for {
		n, err := limited.Read(buf)
		all.Write(buf[:n])
		// What is new, and as much before it as a text can have begun in.
		tail := all.Bytes()[max(0, all.Len()-n-len(text)):]
		if bytes.Contains(tail, []byte(text)) {
			return true, nil
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// readFile reads a regular file of at most so many bytes, as every error says by itself.
func readFile(path string, most int64) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(raw)) > most {
		err = &os.PathError{Op: "read", Path: path, Err: fmt.Errorf("it is larger than %d MiB", most>>20)}
	}
	return raw, err
}
