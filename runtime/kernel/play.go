package kernel

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Play runs a script of what is wanted and of what strangers do against a host and
// returns the script with what happened after each line. The same script against the
// fake and against a real kernel must read the same; that is what it is for. A line is
//
//	> record LINK PREFIX…, …   a new ledger with this record; first line only
//	> want LINK PREFIX…, …     the next Want, and a round
//	> adopt LINK PREFIX…, …    adopt, and a round
//	> disown LINK PREFIX…, …   hand back, and a round
//	> wait 100ms               let time pass, and a round
//	> show                     what the kernel has
//	> ip …                     a stranger's command, given to run, and a round
//
// and other lines are comments if they start with #, else an earlier outcome, left out.
func Play(script string, h Host, run func(command string) error) string {
	p := player{host: h, ledger: NewLedger(nil)}
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		command, ok := strings.CutPrefix(line, "> ")
		if !ok {
			if line == "" || line[0] == '#' {
				p.out.WriteString(line + "\n")
			}
			continue
		}
		p.out.WriteString(line + "\n")
		p.step(command, run)
	}
	return p.out.String()
}

type player struct {
	host   Host
	ledger *Ledger
	now    time.Duration
	gen    uint64
	out    strings.Builder
}

func (p *player) step(command string, run func(string) error) {
	verb, rest, _ := strings.Cut(command, " ")
	switch verb {
	case "record":
		p.ledger = NewLedger(parseState(rest))
	case "want":
		p.gen++
		p.ledger.Want(p.gen, parseState(rest))
	case "adopt":
		p.ledger.Adopt(parseState(rest))
	case "disown":
		p.ledger.Disown(parseState(rest))
	case "wait":
		d, err := time.ParseDuration(rest)
		p.say(err)
		p.now += d
	case "show":
		r, err := p.host.Read(false)
		p.say(err)
		p.out.WriteString(r.String())
		return
	case "ip":
		p.say(run(command))
	default:
		panic("kernel: no such line in a script: " + command)
	}
	p.say(p.ledger.Round(p.now, p, p.report))
}

func (p *player) say(err error) {
	if err != nil {
		fmt.Fprintf(&p.out, "error: %v\n", err)
	}
}

func (p *player) report(r Report) {
	fmt.Fprintf(&p.out, "gen %d, have %v\n", r.Gen, r.Have)
	for _, a := range r.Removed {
		fmt.Fprintf(&p.out, "removed: %v\n", a)
	}
	for _, a := range r.Refused {
		fmt.Fprintf(&p.out, "refused: %v: %s\n", a.Address, a.Err)
	}
}

// Read and Apply stand between the ledger and the host, to write down what is done.
func (p *player) Read(things bool) (Reading, error) { return p.host.Read(things) }

func (p *player) Apply(op Op) error {
	err := p.host.Apply(op)
	p.out.WriteString(op.String())
	if err != nil {
		fmt.Fprintf(&p.out, "  # %v", err)
	}
	p.out.WriteByte('\n')
	return err
}

// parseState reads "eth0 10.0.0.1/32 10.0.0.2/32, eth1 10.0.0.3/24". Behind one more
// slash stands a label, which has a colon, or a scope.
func parseState(text string) State {
	var all []Address
	for iface := range strings.SplitSeq(text, ",") {
		words := strings.Fields(iface)
		for _, w := range words[min(1, len(words)):] {
			all = append(all, parseOne(words[0], w))
		}
	}
	return StateOf(all...)
}

func parseOne(iface, text string) Address {
	parts := strings.SplitN(text, "/", 3)
	a := Address{Interface: iface, Prefix: netip.MustParsePrefix(parts[0] + "/" + parts[1])}
	switch {
	case len(parts) < 3:
	case strings.Contains(parts[2], ":"):
		a.Label = parts[2]
	default:
		a.Scope = parts[2]
	}
	return a
}
