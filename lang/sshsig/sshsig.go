// Package sshsig verifies signatures of ssh-keygen -Y sign (SSHSIG) with ed25519 keys, by a
// file of allowed signers in OpenSSH's format. It signs nothing, and what it does not
// understand it refuses.
package sshsig

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The first and last line of a signature file.
const (
	Begin = "-----BEGIN SSH SIGNATURE-----"
	end   = "-----END SSH SIGNATURE-----"
)

const (
	magic   = "SSHSIG"
	keyType = "ssh-ed25519"
	sizeMax = 16 << 10 // of a signature file, in bytes
)

// signature as PROTOCOL.sshsig lays it out.
type signature struct {
	key       ed25519.PublicKey
	blob      []byte // the key as allowed signers write it
	namespace string
	hash      string
	value     []byte
}

// Verify returns who signed the message: the principal of the one line of allowed that has
// the key, for this namespace and at this time.
func Verify(message, armored, allowed []byte, namespace string, now time.Time) (principal string, err error) {
	s, err := parse(armored)
	if err != nil {
		return "", fmt.Errorf("read the signature: %w", err)
	}
	if s.namespace != namespace {
		return "", fmt.Errorf("the signature is for %q and not for %q: sign with ssh-keygen -Y sign -n %s", s.namespace, namespace, namespace)
	}
	signed, err := s.signed(message)
	if err != nil {
		return "", err
	}
	if !ed25519.Verify(s.key, signed, s.value) {
		return "", errors.New("the signature is of something else, or was damaged")
	}
	return allowedAs(allowed, s.blob, namespace, now)
}

// signed is what the key has signed: a hash of the message among the rest.
func (s *signature) signed(message []byte) ([]byte, error) {
	var sum []byte
	switch s.hash {
	case "sha512":
		h := sha512.Sum512(message)
		sum = h[:]
	case "sha256":
		h := sha256.Sum256(message)
		sum = h[:]
	default:
		return nil, fmt.Errorf("the hash %q is not known", s.hash)
	}
	out := []byte(magic)
	for _, part := range [][]byte{[]byte(s.namespace), nil, []byte(s.hash), sum} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return out, nil
}

func parse(armored []byte) (*signature, error) {
	if len(armored) > sizeMax {
		return nil, fmt.Errorf("it is larger than %d bytes", sizeMax)
	}
	text := strings.TrimSpace(string(armored))
	body, ok := strings.CutPrefix(text, Begin)
	if ok {
		body, ok = strings.CutSuffix(body, end)
	}
	if !ok {
		return nil, fmt.Errorf("it does not begin with %q", Begin)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(body), ""))
	if err != nil {
		return nil, err
	}
	r := reader{rest: raw}
	if string(r.take(len(magic))) != magic || r.number() != 1 {
		return nil, errors.New("it is of another version")
	}
	s := &signature{blob: r.text()}
	s.namespace = string(r.text())
	r.text() // reserved
	s.hash = string(r.text())
	value := reader{rest: r.text()}
	if r.failed || len(r.rest) > 0 {
		return nil, errors.New("it is cut, or something follows it")
	}
	key := reader{rest: s.blob}
	if string(key.text()) != keyType || string(value.text()) != keyType {
		return nil, errors.New("only ed25519 keys are taken: ssh-keygen -t ed25519")
	}
	s.key, s.value = key.text(), value.text()
	if key.failed || value.failed || len(key.rest)+len(value.rest) > 0 || len(s.key) != ed25519.PublicKeySize || len(s.value) != ed25519.SignatureSize {
		return nil, errors.New("it is no ed25519 signature")
	}
	return s, nil
}

// reader of SSH's wire format: once something is missing, all that follows is empty.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.failed, r.rest = true, nil
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) number() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) text() []byte {
	n := r.number()
	if n > sizeMax {
		n = sizeMax + 1 // more than there can be
	}
	return r.take(int(n))
}

// allowedAs finds the key. A line that cannot be understood is an error, since it may be
// the one that forbids.
func allowedAs(allowed, blob []byte, namespace string, now time.Time) (string, error) {
	why := errors.New("its key is not among the allowed signers")
	at := 0
	for line := range strings.Lines(string(allowed)) {
		at++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		l, err := parseLine(line)
		if err != nil {
			return "", fmt.Errorf("allowed signers, line %d: %w", at, err)
		}
		if !bytes.Equal(l.blob, blob) {
			continue
		}
		if why = l.permits(namespace, now); why == nil {
			return l.principal, nil
		}
	}
	return "", why
}

// signer is one line: principals, options, key.
type signer struct {
	principal     string
	namespaces    []string // nil: any
	after, before time.Time
	blob          []byte
}

func (l *signer) permits(namespace string, now time.Time) error {
	named := l.namespaces == nil
	for _, n := range l.namespaces {
		named = named || n == namespace
	}
	switch {
	case !named:
		return fmt.Errorf("%s may sign for %s and not for %s", l.principal, strings.Join(l.namespaces, ", "), namespace)
	case !l.after.IsZero() && now.Before(l.after):
		return fmt.Errorf("the key of %s is not valid before %s", l.principal, l.after.Format(time.RFC3339))
	case !l.before.IsZero() && !now.Before(l.before):
		return fmt.Errorf("the key of %s was valid until %s", l.principal, l.before.Format(time.RFC3339))
	}
	return nil
}

func parseLine(line string) (*signer, error) {
	words, err := split(line)
	if err != nil {
		return nil, err
	}
	if len(words) < 3 {
		return nil, errors.New("it needs a principal, a key type and a key")
	}
	l := &signer{principal: strings.Trim(words[0], `"`)}
	words = words[1:]
	if !isKeyType(words[0]) {
		if err := l.options(words[0]); err != nil {
			return nil, err
		}
		words = words[1:]
	}
	if len(words) < 2 || !isKeyType(words[0]) {
		return nil, errors.New("it needs a key type and a key after the options")
	}
	l.blob, err = base64.StdEncoding.DecodeString(words[1])
	return l, err
}

// isKeyType: keys of other types stand in such a file too, and match nothing here.
func isKeyType(s string) bool {
	return strings.HasPrefix(s, "ssh-") || strings.HasPrefix(s, "ecdsa-") || strings.HasPrefix(s, "sk-")
}

// split cuts at blanks outside of quotes.
func split(line string) ([]string, error) {
	var words []string
	quoted, word := false, ""
	for _, r := range line {
		if r == '"' {
			quoted = !quoted
		}
		if (r == ' ' || r == '\t') && !quoted {
			if word != "" {
				words = append(words, word)
			}
			word = ""
			continue
		}
		word += string(r)
	}
	if quoted {
		return nil, errors.New("a quote is not closed")
	}
	if word != "" {
		words = append(words, word)
	}
	return words, nil
}

func (l *signer) options(s string) (err error) {
	for _, o := range commas(s) {
		name, value, _ := strings.Cut(o, "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "namespaces":
			l.namespaces = strings.Split(value, ",")
		case "valid-after":
			l.after, err = moment(value)
		case "valid-before":
			l.before, err = moment(value)
		default:
			err = fmt.Errorf("the option %.40q is not known here", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// commas cuts at commas outside of quotes.
func commas(s string) []string {
	quoted := false
	return strings.FieldsFunc(s, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
}

// moment is YYYYMMDD[HHMM[SS]], in the machine's time or, with a Z, in UTC.
func moment(s string) (time.Time, error) {
	zone := time.Local
	digits, utc := strings.CutSuffix(s, "Z")
	if utc {
		zone = time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(layout) == len(digits) {
			return time.ParseInLocation(layout, digits, zone)
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is no time: write YYYYMMDD", s)
}
