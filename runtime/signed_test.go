package runtime

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/runtime/control"
)

// signer is a key of ssh-keygen.
type signer struct {
	t    *testing.T
	file string
	pub  string // a line
}

func newSigner(t *testing.T, file, kind string) *signer {
	t.Helper()
	if out, err := exec.Command("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", file).CombinedOutput(); err != nil {
		t.Skipf("needs ssh-keygen: %v %s", err, out)
	}
	pub, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return &signer{t, file, string(pub)}
}

// signs a document for a namespace, as a change of a request.
func (s *signer) signs(doc *planfile.Document, namespace string) func(*control.ApplyRequest) {
	s.t.Helper()
	var b bytes.Buffer
	if err := planfile.Write(&b, doc, false); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", s.file)
	cmd.Stdin = bytes.NewReader(b.Bytes())
	sig, err := cmd.Output()
	if err != nil {
		s.t.Fatal(err)
	}
	return func(r *control.ApplyRequest) { r.Signed, r.Signature = b.Bytes(), string(sig) }
}

// signedOnly is a machine that requires signatures.
func signedOnly(t *testing.T) (*machine, *signer) {
	t.Helper()
	m := only(t)
	key := newSigner(t, filepath.Join(m.dir, "key"), "ed25519")
	m.opt.RequireSignature, m.opt.AllowedSigners = true, filepath.Join(m.dir, "allowed_signers")
	m.start()
	return m, key
}

// allow writes who may sign: options and public key of each.
func (m *machine) allow(lines ...string) {
	m.t.Helper()
	if err := os.WriteFile(m.opt.AllowedSigners, []byte(strings.Join(lines, "")), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// signed applies a plan that a key has signed.
func (m *machine) signed(key *signer, p *plan.Plan, change ...func(*control.ApplyRequest)) *planfile.Document {
	m.t.Helper()
	doc := m.document(p)
	result, _, err := m.send(doc, append(change, key.signs(doc, SignatureNamespace))...)
	if err != nil || result.Exit != 0 {
		m.t.Fatalf("%+v, %v", result, err)
	}
	return doc
}

// TestSignedPlansOnly: a daemon that requires signatures takes what somebody who may has
// signed, for what it was signed and while it fits; each refusal has its message, code and
// exit code, and changes nothing.
func TestSignedPlansOnly(t *testing.T) {
	m, anna := signedOnly(t)
	doc := m.document(pairPlan("a", vip1))
	byAnna := anna.signs(doc, SignatureNamespace)
	m.refused("unsigned", doc, "HA3013", 4, "signed plans only")
	m.refused("nobody may sign", doc, "HA3013", 4, "allowed_signers", byAnna)

	stranger, rsa := newSigner(t, filepath.Join(m.dir, "stranger"), "ed25519"), newSigner(t, filepath.Join(m.dir, "rsa"), "rsa")
	for _, tt := range []struct{ who, words string }{
		{"anna namespaces=\"git\" " + anna.pub, "anna may sign for git and not for hafile-plan"},
		{"anna valid-before=\"20200101\" " + anna.pub, "the key of anna was valid until 2020-01-01"},
		{"anna valid-after=\"20990101\" " + anna.pub, "the key of anna is not valid before 2099-01-01"},
		{"ben " + stranger.pub, "its key is not among the allowed signers"},
		{"anna cert-authority " + anna.pub, "allowed signers, line 1"},
	} {
		m.allow(tt.who)
		m.refused(tt.who, doc, "HA3013", 4, tt.words, byAnna)
	}
	m.allow("# who may\n", "anna namespaces=\"hafile-plan\" ", anna.pub, "rsa ", rsa.pub)
	m.refused("for something else", doc, "HA3013", 4, "for \"git\" and not for \"hafile-plan\"", anna.signs(doc, "git"))
	m.refused("another kind of key", doc, "HA3013", 4, "only ed25519", rsa.signs(doc, SignatureNamespace))
	m.refused("changed afterwards", doc, "HA3013", 4, "something else", byAnna, func(r *control.ApplyRequest) { r.Signed = append(r.Signed, ' ') })
	m.refused("a signature that is cut", doc, "HA3013", 4, "read the signature", byAnna, func(r *control.ApplyRequest) { r.Signature = r.Signature[:100] })
	other := m.document(pairPlan("b", vip1))
	m.refused("another node's", other, "HA3001", 6, "hafile plan -node a", anna.signs(other, SignatureNamespace))
	old := m.document(pairPlan("a", vip1))
	old.Expires = time.Now().Add(-time.Minute)
	m.refused("expired", old, "HA3008", 5, "expired", anna.signs(old, SignatureNamespace))

	// Nothing unsigned is read of a request, and who signed is in the history.
	smuggled := m.document(pairPlan("a", vip2))
	result, _, err := m.send(smuggled, byAnna)
	if err != nil || result.Exit != 0 || !m.has(vip1) || m.has(vip2) {
		t.Fatalf("%+v, %v, %s", result, err, m.addresses())
	}
	if by := m.status().Plan.By; by != "anna, sent by test" {
		t.Errorf("applied by %q", by)
	}
	m.signed(anna, pairPlan("a", vip1, vip2))
	m.refused("again, an old one", doc, "HA3005", 5, "has changed since", byAnna)
}

// What goes between plans that were taken already needs no signature: a person at the
// machine who can do nothing but return must be able to.
func TestSignedPlansAreKeptAndTakenBackWithoutASignature(t *testing.T) {
	m, anna := signedOnly(t)
	m.allow("anna ", anna.pub)
	m.signed(anna, pairPlan("a", vip1))
	m.signed(anna, pairPlan("a", vip1, vip2), m.confirmed(time.Minute))
	if r, err := m.client.Confirm(t.Context()); err != nil || r.Serial != 2 {
		t.Errorf("confirm: %+v, %v", r, err)
	}
	moved := pairPlan("a", vip1, vip2)
	moved.Desired.Instances[0].VRID = 52
	m.signed(anna, moved)
	m.runs(52, 3, 1)
	if r, err := m.retire("retire:b"); err != nil || r.Exit != 0 {
		t.Errorf("retire: %+v, %v", r, err)
	}
	m.runs(52, 3, 0)
	r, err := m.client.Rollback(t.Context(), control.RollbackRequest{Serial: 1, MaxImpact: diff.Drops, WaitMs: 8000, By: "test"}, func(control.Event) {})
	if err != nil || r.Exit != 0 || m.has(vip2) {
		t.Errorf("rollback: %+v, %v", r, err)
	}
}
