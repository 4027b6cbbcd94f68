package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// sshRemote runs hafile on nodes over the system's ssh, which knows hosts, keys, jumps and
// the agent; nothing of that is ours.
type sshRemote struct {
	program []string          // ssh and its options
	hafile  []string          // what is called there
	hosts   map[string]string // destination by node
}

// sshFailed is the exit code by which ssh says that the command never ran.
const sshFailed = 255

func (s *sshRemote) Run(ctx context.Context, node string, stdin []byte, args ...string) ([]byte, int, error) {
	dest := s.hosts[node]
	if dest == "" || strings.HasPrefix(dest, "-") {
		return nil, 0, fmt.Errorf("it has no ssh destination: write ssh = \"HOST\" or an address in its node block")
	}
	var words []string
	for _, w := range append(append([]string{}, s.hafile...), args...) {
		words = append(words, shellWord(w))
	}
	argv := append(append([]string{}, s.program...), "--", dest, strings.Join(words, " "))
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.WaitDelay = 5 * time.Second
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	err := cmd.Run()
	var failed *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, 0, fmt.Errorf("no answer over ssh: %w", ctx.Err())
	case errors.As(err, &failed) && failed.ExitCode() == sshFailed:
		return nil, 0, fmt.Errorf("ssh %s: %s", dest, cmp.Or(strings.TrimSpace(problem.String()), "it ended without an answer"))
	case errors.As(err, &failed):
		return append(out.Bytes(), problem.Bytes()...), failed.ExitCode(), nil
	case err != nil:
		return nil, 0, fmt.Errorf("start %s: %w", argv[0], err)
	}
	return out.Bytes(), 0, nil
}

// shellWord is a word as the shell on the other side reads it.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_=./:,@%+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
