package notify

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/program"
)

// deliver tells one change once.
func (n *Notifier) deliver(ctx context.Context, spec *plan.Notify, it *item) verdict {
	switch {
	case spec.Email != nil:
		return n.send(ctx, spec.Email, it)
	case spec.Webhook != nil:
		return n.post(ctx, spec.Webhook, it)
	}
	return hook(ctx, spec.Exec, it)
}

// Verify says whether the notify could be carried out on this machine now, as far as
// that can be known without doing it: a hook's program must be there, executable by its
// user, and safe. The daemon refuses with program.Code otherwise.
func Verify(_ context.Context, spec *plan.Notify) error {
	if spec.Exec == nil {
		return nil
	}
	return program.Verify(hookSpec(spec.Exec))
}

func hookSpec(e *plan.Exec) program.Spec {
	return program.Spec{
		Command: e.Command, User: e.User, Leftovers: program.KeepLeftovers,
		Timeout: time.Duration(e.TimeoutMs) * time.Millisecond,
	}
}

// hook runs a program once for a change.
func hook(ctx context.Context, e *plan.Exec, it *item) verdict {
	s := hookSpec(e)
	s.Command = append(slices.Clone(s.Command), arguments(&it.Transition)...)
	s.Env = environment(it)
	r := program.Run(ctx, s)
	if r.OK() {
		return verdict{sent: true}
	}
	err := r.Err
	if err == nil {
		err = fmt.Errorf("exit status %d", r.Exit)
	}
	if r.Output != "" {
		err = fmt.Errorf("%w: %s", err, oneLine(r.Output, lineMax))
	}
	err = fmt.Errorf("%s: %w", e.Command[0], err)
	if r.Ran {
		it.runs++
	}
	return verdict{err: err, last: it.runs >= hookTries}
}

// arguments are keepalived's contract for `notify` programs, in the words that programs
// of others read: INSTANCE or GROUP, the name, the state, the effective priority.
func arguments(t *Transition) []string {
	kind := "INSTANCE"
	if t.Group {
		kind = "GROUP"
	}
	return []string{kind, noNUL(t.Name), oldWord(t.Event), strconv.Itoa(int(t.Priority))}
}

func oldWord(event string) string {
	switch event {
	case Active:
		return "MASTER"
	case Backup:
		return "BACKUP"
	case Fault:
		return "FAULT"
	case Stop:
		return "STOP"
	}
	return strings.ToUpper(event)
}

// environment says the same in hafile's words, and what the arguments have no place for.
func environment(it *item) map[string]string {
	t := &it.Transition
	env := map[string]string{
		"HAFILE_EVENT":      t.Event,
		"HAFILE_INSTANCE":   string(t.Instance),
		"HAFILE_NAME":       t.Name,
		"HAFILE_NODE":       t.Node,
		"HAFILE_FROM":       t.From,
		"HAFILE_WHY":        oneLine(t.Why, lineMax),
		"HAFILE_SINCE":      t.At.UTC().Format(time.RFC3339Nano),
		"HAFILE_FROM_SINCE": "",
		"HAFILE_PRIORITY":   strconv.Itoa(int(t.Priority)),
		"HAFILE_VIPS":       strings.Join(vips(t.VIPs), " "),
		"HAFILE_INTERFACE":  t.Wire.Interface,
		"HAFILE_FAMILY":     string(t.Wire.Family),
		"HAFILE_ROUTER_ID":  strconv.Itoa(int(t.Wire.VRID)),
		"HAFILE_VERSION":    strconv.Itoa(int(t.Wire.Version)),
		"HAFILE_SKIPPED":    strconv.Itoa(len(it.skipped) + it.omitted),
		"HAFILE_TRY":        strconv.Itoa(it.tries + 1),
	}
	if t.Group { // it has several wires
		env["HAFILE_GROUP"] = string(t.Instance)
		for _, one := range []string{"HAFILE_INSTANCE", "HAFILE_INTERFACE", "HAFILE_FAMILY", "HAFILE_ROUTER_ID", "HAFILE_VERSION"} {
			delete(env, one)
		}
	}
	if !t.FromSince.IsZero() {
		env["HAFILE_FROM_SINCE"] = t.FromSince.UTC().Format(time.RFC3339Nano)
	}
	for k, v := range env {
		env[k] = noNUL(v)
	}
	return env
}

// noNUL keeps execve from refusing the whole call for one byte.
func noNUL(s string) string { return strings.ReplaceAll(s, "\x00", "") }
