package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hafile/runtime/lab"
	"hafile/runtime/lab/netns"
)

// sshAccess is sshd on machines of a lab, and what an operator on one of them needs.
type sshAccess struct {
	dir    string
	config string // for ssh -F
}

// withSSH starts sshd on machines of a lab. Root's key has these options in
// authorized_keys, and its sessions find the machine's daemon and this hafile.
func withSSH(t *testing.T, l *lab.Lab, machines map[string]netip.Addr, options string) *sshAccess {
	t.Helper()
	netns.Needs(t, "/usr/sbin/sshd", "openssh-server")
	s := &sshAccess{dir: t.TempDir()}
	s.config = filepath.Join(s.dir, "ssh_config")
	bin := filepath.Join(s.dir, "bin")
	must(t, os.Mkdir(bin, 0o755))
	must(t, os.Symlink(l.Self, filepath.Join(bin, "hafile")))
	keygen(t, filepath.Join(s.dir, "host"))
	user, host := keygen(t, filepath.Join(s.dir, "user")), publicKey(t, filepath.Join(s.dir, "host"))
	must(t, os.WriteFile(filepath.Join(s.dir, "authorized_keys"), []byte(options+" "+user), 0o600))
	known := ""
	for node, address := range machines {
		known += address.String() + " " + host
		conf := filepath.Join(s.dir, node+".sshd")
		must(t, os.WriteFile(conf, fmt.Appendf(nil, `ListenAddress %s
HostKey %s/host
AuthorizedKeysFile %[2]s/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin %s
PidFile none
SetEnv HAFILE_SOCKET=%s PATH=%s:/usr/bin:/bin
`, address, s.dir, permitRoot(options), filepath.Join(l.Files(), node, "run", "hafile.sock"), bin), 0o600))
		for _, argv := range [][]string{
			{"mount", "-t", "tmpfs", "-o", "mode=755", "none", "/run"},
			{"mkdir", "-m", "755", "/run/sshd"},
			{"/usr/sbin/sshd", "-f", conf, "-E", filepath.Join(s.dir, node+".log")},
		} {
			if out, err := l.Run(t.Context(), node, argv...); err != nil {
				t.Fatalf("%s: %s: %v\n%s", node, strings.Join(argv, " "), err, out)
			}
		}
	}
	must(t, os.WriteFile(filepath.Join(s.dir, "known_hosts"), []byte(known), 0o600))
	must(t, os.WriteFile(s.config, fmt.Appendf(nil,
		"Host *\n  User root\n  IdentityFile %s/user\n  IdentitiesOnly yes\n  UserKnownHostsFile %[1]s/known_hosts\n  GlobalKnownHostsFile none\n  ControlMaster auto\n  ControlPersist 60\n  ControlPath %[1]s/%%h\n", s.dir), 0o600))
	return s
}

func permitRoot(options string) string {
	if strings.Contains(options, "command=") {
		return "forced-commands-only"
	}
	return "prohibit-password"
}

// keygen makes an ed25519 key and returns its public half, a line.
func keygen(t *testing.T, name string) string {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen (openssh-client): %v\n%s", err, out)
	}
	return publicKey(t, name)
}

func publicKey(t *testing.T, name string) string {
	t.Helper()
	pub, err := os.ReadFile(name + ".pub")
	must(t, err)
	return string(pub)
}
