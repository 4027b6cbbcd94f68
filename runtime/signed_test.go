package runtime

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"hafile/lang/planfile"
	"hafile/runtime/control"
)

// signedBy signs a document with ssh-keygen, as a change of a request.
func signedBy(t *testing.T, key string, doc *planfile.Document) func(*control.ApplyRequest) {
	t.Helper()
	var b bytes.Buffer
	if err := planfile.Write(&b, doc, false); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ssh-keygen", "-Y", "sign", "-q", "-n", SignatureNamespace, "-f", key)
	cmd.Stdin = bytes.NewReader(b.Bytes())
	sig, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return func(r *control.ApplyRequest) { r.Signed, r.Signature = b.Bytes(), string(sig) }
}

// TestSignedPlansOnly: a daemon that requires signatures takes what somebody who may has
// signed, and reads nothing else of the request's plan.
func TestSignedPlansOnly(t *testing.T) {
	m := only(t)
	key := filepath.Join(m.dir, "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Skipf("needs ssh-keygen: %v %s", err, out)
	}
	pub, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	m.opt.RequireSignature, m.opt.AllowedSigners = true, filepath.Join(m.dir, "allowed_signers")
	m.start()
	doc := m.document(pairPlan("a", vip1))
	m.refused("unsigned", doc, "HA3013", 4, "signed plans only")
	m.refused("nobody may sign", doc, "HA3013", 4, "allowed_signers", signedBy(t, key, doc))
	if err := os.WriteFile(m.opt.AllowedSigners, append([]byte("anna namespaces=\"git\" "), pub...), 0o644); err != nil {
		t.Fatal(err)
	}
	m.refused("for something else", doc, "HA3013", 4, "anna may sign for git", signedBy(t, key, doc))
	if err := os.WriteFile(m.opt.AllowedSigners, append([]byte("anna namespaces=\"hafile-plan\" "), pub...), 0o644); err != nil {
		t.Fatal(err)
	}
	m.refused("changed afterwards", doc, "HA3013", 4, "something else", signedBy(t, key, doc), func(r *control.ApplyRequest) { r.Signed = append(r.Signed, ' ') })
	m.refused("another node's", doc, "HA3001", 6, "hafile plan -node a", signedBy(t, key, m.document(pairPlan("b", vip1))))
	smuggled := m.document(pairPlan("a", vip2))
	result, _, err := m.send(smuggled, signedBy(t, key, doc))
	if err != nil || result.Exit != 0 || !m.has(vip1) || m.has(vip2) {
		t.Fatalf("%+v, %v, %s", result, err, m.addresses())
	}
	if by := m.status().Plan.By; by != "anna, sent by test" {
		t.Errorf("applied by %q", by)
	}
	second := m.document(pairPlan("a", vip1, vip2))
	if result, _, err = m.send(second, signedBy(t, key, second)); err != nil || result.Exit != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	m.refused("again, an old one", doc, "HA3005", 5, "has changed since", signedBy(t, key, doc))
}
