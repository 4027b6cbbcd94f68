package smtpsink

import (
	"errors"
	"strings"
)

// command is one line of a client.
type command struct {
	verb string // in capitals
	arg  string
}

var (
	errVerb = errors.New("500 5.5.2 no command")
	errPath = errors.New("501 5.1.3 no address in angle brackets")
)

// parseCommand reads a line without its end. Its errors are replies.
func parseCommand(line string) (command, error) {
	verb, arg, _ := strings.Cut(line, " ")
	if verb == "" {
		return command{}, errVerb
	}
	for _, c := range []byte(verb) {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return command{}, errVerb
		}
	}
	for _, c := range []byte(arg) {
		if c < ' ' || c == 0x7f {
			return command{}, errVerb
		}
	}
	return command{verb: strings.ToUpper(verb), arg: strings.TrimSpace(arg)}, nil
}

// parsePath reads the address of `FROM:<a@b> PARAMETERS` (RFC 5321, 4.1.2); key is FROM
// or TO. The empty address is a bounce's sender. Routes (@a,@b:c@d) and quoted local
// parts with a > inside are not understood. Errors are replies.
func parsePath(arg, key string) (addr string, err error) {
	head, rest, ok := strings.Cut(arg, ":")
	if !ok || !strings.EqualFold(strings.TrimSpace(head), key) {
		return "", errPath
	}
	rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " "), "<")
	if !ok {
		return "", errPath
	}
	addr, after, ok := strings.Cut(rest, ">")
	if !ok || after != "" && !strings.HasPrefix(after, " ") || strings.ContainsAny(addr, "< \t") {
		return "", errPath
	}
	return addr, nil
}
