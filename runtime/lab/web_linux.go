package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// WebCommand is the argument with which this binary is a machine's built-in web server;
// the node's name follows.
const WebCommand = "lab-web"

// startWeb starts the machine's web server and waits until it listens.
func (m *machine) startWeb(ctx context.Context) error {
	argv := []string{m.lab.Self, WebCommand, m.Name}
	if m.lab.Web == "nginx" {
		var err error
		if argv, err = m.nginx(); err != nil {
			return err
		}
	}
	p, err := m.start("web.log", realTime(argv)...)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.web = p
	m.mu.Unlock()
	return m.awaitWeb(ctx, p)
}

// realTime lets a program and all that it starts run in real time, by chrt(1), which
// Debian always has. The web server is what the clients measure with: on a busy machine
// it must not wait for a processor.
func realTime(argv []string) []string {
	chrt, err := exec.LookPath("chrt")
	if err != nil {
		return argv
	}
	return append([]string{chrt, "--rr", "1"}, argv...)
}

// awaitWeb asks the kernel for a socket that listens, so that no probe stands in the
// server's log.
func (m *machine) awaitWeb(ctx context.Context, p *process) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		listening, err := m.listens()
		switch {
		case err != nil:
			return err
		case listening:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%s: the web server does not listen\n%s", m.Name, m.logTail("web.log"))
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s: the web server ended: %w\n%s", m.Name, p.err, m.logTail("web.log"))
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// listens reports whether something accepts connections on the web port.
func (m *machine) listens() (bool, error) {
	var found bool
	err := m.ns.Do(func() error {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer syscall.Close(fd)
		found = syscall.Connect(fd, &syscall.SockaddrInet4{Port: webPort, Addr: [4]byte{127, 0, 0, 1}}) == nil
		return nil
	})
	return found, err
}

// nginx writes a configuration for Debian's nginx and returns how to run it. It serves
// the node's name, keeps its files in the machine's directory and never leaves the
// foreground.
func (m *machine) nginx() ([]string, error) {
	bin, err := exec.LookPath("nginx")
	if err != nil {
		return nil, errors.New("-web nginx needs nginx: apt-get install nginx-light, or leave -web out for the built-in server")
	}
	dir := filepath.Join(m.dir, "nginx")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "nginx.conf")
	body := fmt.Sprintf(`daemon off;
worker_processes 1;
user nobody nogroup;
pid %[1]s/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
	access_log off;
	keepalive_requests 1000000;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen %[2]d default_server;
		location / { default_type text/plain; return 200 "%[3]s\n"; }
	}
}
`, dir, webPort, m.Name)
	if err := os.WriteFile(conf, []byte(body), 0o644); err != nil {
		return nil, err
	}
	return []string{bin, "-e", "stderr", "-p", dir, "-c", conf}, nil
}

// stopWeb kills the web server and its workers, as a crash would.
func (m *machine) stopWeb() {
	m.mu.Lock()
	p := m.web
	m.web = nil
	m.mu.Unlock()
	if p == nil {
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // the group: nginx has workers
	<-p.exited
}
