package sshsig

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// keygen makes a key of a type, and returns its file.
func keygen(t testing.TB, kind string) string {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "somebody", "-f", key).CombinedOutput(); err != nil {
		t.Skipf("needs ssh-keygen: %v %s", err, out)
	}
	return key
}

func sign(t testing.TB, key, namespace, message string, more ...string) []byte {
	t.Helper()
	cmd := exec.Command("ssh-keygen", append([]string{"-Y", "sign", "-q", "-n", namespace, "-f", key}, more...)...)
	cmd.Stdin = strings.NewReader(message)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func public(t testing.TB, key string) string {
	t.Helper()
	raw, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Every signature here is ssh-keygen's own.
func TestSignaturesOfSSHKeygen(t *testing.T) {
	key, other, rsa := keygen(t, "ed25519"), keygen(t, "ed25519"), keygen(t, "rsa")
	pub := public(t, key)
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	const ns, text = "hafile-plan", "{\"plan\": 1}\n"
	good := sign(t, key, ns, text)
	tests := []struct {
		name, message, allowed string
		sig                    []byte
		want                   string // the principal, or what the error says
	}{
		{"good", text, "anna@example.net " + pub, good, "anna@example.net"},
		{"among others", text, "# who may\n\nbert " + public(t, other) + "rita " + public(t, rsa) + "anna,anna2 " + pub, good, "anna,anna2"},
		{"sha256", text, "anna " + pub, sign(t, key, ns, text, "-O", "hashalg=sha256"), "anna"},
		{"for this namespace", text, `anna namespaces="git,hafile-plan" ` + pub, good, "anna"},
		{"for another namespace", text, `anna namespaces="git" ` + pub, good, "anna may sign for git"},
		{"valid", text, `anna valid-after="20261101",valid-before="20261201Z" ` + pub, good, "anna"},
		{"expired", text, `anna valid-before="202611241200Z" ` + pub, good, "was valid until"},
		{"not yet", text, `anna namespaces="hafile-plan",valid-after="20270101" ` + pub, good, "not valid before"},
		{"expired, then renewed", text, `anna valid-before="20200101" ` + pub + "anna2 " + pub, good, "anna2"},
		{"another message", text + " ", "anna " + pub, good, "something else"},
		{"another key", text, "anna " + public(t, other), good, "not among"},
		{"nobody", text, "", good, "not among"},
		{"an authority", text, "anna cert-authority " + pub, good, "line 1: the option"},
		{"not understood", text, "anna valid-before=\"soon\" " + pub, good, "is no time"},
		{"signed for something else", text, "anna " + pub, sign(t, key, "git", text), `is for "git"`},
		{"an RSA key", text, "rita " + public(t, rsa), sign(t, rsa, ns, text), "only ed25519"},
		{"no signature", text, "anna " + pub, []byte(text), "does not begin"},
		{"cut", text, "anna " + pub, []byte(strings.Replace(string(good), "\nU1NIU0lH", "\n", 1)), "read the signature"},
	}
	for _, tt := range tests {
		who, err := Verify([]byte(tt.message), tt.sig, []byte(tt.allowed), ns, now)
		if err != nil {
			who = err.Error()
		}
		if (err == nil) != (who == tt.want) || !strings.Contains(who, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, who, tt.want)
		}
	}
	// No single bit may be another one.
	lines := strings.Split(strings.TrimSpace(string(good)), "\n")
	for i := 1; i < len(lines)-1; i++ {
		for k := range lines[i] {
			bent := []byte(lines[i])
			bent[k] ^= 1
			sig := strings.Join(append(append(append([]string{}, lines[:i]...), string(bent)), lines[i+1:]...), "\n")
			if who, err := Verify([]byte(text), []byte(sig), []byte("anna "+pub), ns, now); err == nil {
				t.Errorf("line %d, byte %d bent: signed by %s", i, k, who)
			}
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := keygen(f, "ed25519")
	f.Add(sign(f, key, "hafile-plan", "x"), []byte("anna "+public(f, key)))
	f.Add([]byte(Begin+"\n"+end), []byte(`a namespaces="x",valid-before="20260101" ssh-ed25519 AAAA`))
	f.Fuzz(func(t *testing.T, sig, allowed []byte) {
		if who, err := Verify([]byte("never signed"), sig, allowed, "hafile-plan", time.Unix(0, 0)); err == nil {
			t.Errorf("signed by %q", who)
		}
	})
}
