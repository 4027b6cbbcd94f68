package runtime

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/store"
)

// codeSecret: a secret that the plan refers to is not on this node.
const codeSecret = "HA3105"

// secretMax is the largest secret that is read, in bytes.
const secretMax = 4096

// resolveSecrets reads what the plan refers to. Credentials come from dir.
func resolveSecrets(p *plan.Plan, dir string) (store.Secrets, *control.Problem) {
	found := store.Secrets{}
	var wrong *control.Problem
	p.EachSecret(func(of plan.Addr, s *plan.Secret) {
		if _, known := found[s.String()]; known || s.Inline() || wrong != nil {
			return
		}
		value, err := readSecret(*s, dir)
		if err != nil {
			wrong = &control.Problem{
				Exit: 1, Code: codeSecret, Summary: fmt.Sprintf("the secret %s of %s cannot be read", s, of),
				Detail: err.Error() + "; put its value into that file (root, 0600) and apply again",
			}
			return
		}
		found[s.String()] = value
	})
	if wrong != nil {
		return nil, wrong
	}
	return found, nil
}

// readSecret leaves out one line end behind the value, as an editor writes it.
func readSecret(s plan.Secret, dir string) (string, error) {
	path := s.File
	if s.Credential != "" {
		if strings.ContainsRune(s.Credential, '/') || s.Credential == "." || s.Credential == ".." {
			return "", fmt.Errorf("%q is no name of a credential", s.Credential)
		}
		path = filepath.Join(dir, s.Credential)
	}
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("%q is no absolute path", path)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe must not hold us up
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(fmt.Errorf("%s is no file", path), err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, secretMax+1))
	if err != nil {
		return "", err
	}
	value := string(bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r")))
	switch {
	case len(raw) > secretMax:
		return "", fmt.Errorf("%s is larger than %d bytes", path, secretMax)
	case value == "":
		return "", fmt.Errorf("%s is empty", path)
	case strings.ContainsRune(value, 0):
		return "", fmt.Errorf("%s holds a NUL byte", path)
	}
	return value, nil
}

// password is the value behind a reference; empty if it was never resolved.
func password(s plan.Secret, pinned store.Secrets) string {
	if s.Inline() {
		return s.Value
	}
	return pinned[s.String()]
}

// changedSecrets reports whether a reference of p has another value now than when it was
// pinned.
func changedSecrets(p *plan.Plan, pinned, now store.Secrets) (changed bool) {
	p.EachSecret(func(_ plan.Addr, s *plan.Secret) {
		was, known := pinned[s.String()]
		changed = changed || !s.Inline() && known && was != now[s.String()]
	})
	return changed
}

// secret is the value behind a reference in the plan that runs, or in the one before: what
// that leaves to be told is told with its own.
func (d *daemon) secret(s plan.Secret) string {
	for _, run := range []*running{d.running.Load(), d.previous.Load()} {
		if run == nil {
			continue
		}
		if value := password(s, run.secrets); value != "" {
			return value
		}
	}
	return ""
}

// veiled is a copy in which each secret stands as a keyed digest of its value, so that
// the comparison of two plans sees whether the wire changes, and nobody what to. The key
// is the lineage, which leaves the node in no diff.
func veiled(p *plan.Plan, pinned store.Secrets, key string) *plan.Plan {
	if p == nil {
		return nil
	}
	c := p.Clone()
	c.EachSecret(func(_ plan.Addr, s *plan.Secret) {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(password(*s, pinned)))
		*s = plan.Secret{Value: hex.EncodeToString(mac.Sum(nil))}
	})
	return c
}
