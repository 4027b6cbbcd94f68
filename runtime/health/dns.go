package health

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"hafile/lang/plan"
)

// dns asks one server for one name: over UDP, and over TCP where the answer is too long
// for that (RFC 7766). The resolver of the system has no part in it.
type dns struct{ spec *plan.DNS }

const (
	udpMax     = 4096
	answersMax = 100 // that are looked at
	namedMax   = 3   // that are said
)

var dnsTypes = map[string]dnsmessage.Type{
	"A": dnsmessage.TypeA, "AAAA": dnsmessage.TypeAAAA, "CNAME": dnsmessage.TypeCNAME, "MX": dnsmessage.TypeMX, "NS": dnsmessage.TypeNS,
	"PTR": dnsmessage.TypePTR, "SOA": dnsmessage.TypeSOA, "SRV": dnsmessage.TypeSRV, "TXT": dnsmessage.TypeTXT,
}

// errTruncated: the answer says that it is not whole.
var errTruncated = errors.New("the answer is longer than a packet")

func (d dns) ask(ctx context.Context) (string, error) {
	q, err := d.question()
	if err != nil {
		return "", err
	}
	id := uint16(rand.Uint32())
	answers, err := d.exchange(ctx, "udp", id, q)
	if errors.Is(err, errTruncated) {
		answers, err = d.exchange(ctx, "tcp", id, q)
	}
	if err != nil {
		return "", because(ctx, err)
	}
	found := strings.Join(answers[:min(len(answers), namedMax)], ", ")
	if more := len(answers) - namedMax; more > 0 {
		found += fmt.Sprintf(" and %d more", more)
	}
	switch {
	case len(answers) == 0:
		return "", fmt.Errorf("there is no %s of %s", d.spec.Type, d.spec.Name)
	case len(d.spec.Expect) > 0 && !slices.ContainsFunc(answers, d.expects):
		return found, fmt.Errorf("expected %s", strings.Join(d.spec.Expect, " or "))
	}
	return found, nil
}

// expects compares addresses as addresses and names without their last dot.
func (d dns) expects(answer string) bool {
	return slices.ContainsFunc(d.spec.Expect, func(want string) bool {
		if a, err := netip.ParseAddr(want); err == nil {
			b, err := netip.ParseAddr(answer)
			return err == nil && a == b
		}
		if d.spec.Type == "MX" || d.spec.Type == "SRV" { // the name alone will do
			if !strings.Contains(want, " ") {
				answer = answer[strings.LastIndexByte(answer, ' ')+1:]
			}
		}
		return answer == want || d.spec.Type != "TXT" && strings.EqualFold(strings.TrimSuffix(want, "."), answer)
	})
}

func (d dns) question() (dnsmessage.Question, error) {
	name, err := dnsmessage.NewName(strings.TrimSuffix(d.spec.Name, ".") + ".")
	if err != nil {
		return dnsmessage.Question{}, err
	}
	return dnsmessage.Question{Name: name, Type: dnsTypes[d.spec.Type], Class: dnsmessage.ClassINET}, nil
}

func (d dns) exchange(ctx context.Context, network string, id uint16, q dnsmessage.Question) ([]string, error) {
	query, err := (&dnsmessage.Message{Header: dnsmessage.Header{ID: id, RecursionDesired: true}, Questions: []dnsmessage.Question{q}}).Pack()
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, d.spec.Server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer within(ctx, conn)()
	if network == "tcp" {
		return overTCP(conn, query, id, q)
	}
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	buf := make([]byte, udpMax)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		if answers, ours, err := parseAnswer(buf[:n], id, q); ours {
			return answers, err
		}
	}
}

func overTCP(conn net.Conn, query []byte, id uint16, q dnsmessage.Question) ([]string, error) {
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)
	if _, err := conn.Write(framed); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	raw := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, raw); err != nil {
		return nil, err
	}
	answers, ours, err := parseAnswer(raw, id, q)
	if !ours {
		return nil, errors.New("the server answers another question")
	}
	if errors.Is(err, errTruncated) {
		return nil, errors.New("the answer is cut off, over TCP too")
	}
	return answers, err
}

// parseAnswer takes the answers of the type that was asked for. A packet that is not ours
// says nothing: anybody can send one.
func parseAnswer(raw []byte, id uint16, q dnsmessage.Question) (answers []string, ours bool, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(raw)
	if err != nil || h.ID != id || !h.Response {
		return nil, false, nil
	}
	asked, err := p.Question()
	blank := errors.Is(err, dnsmessage.ErrSectionDone) && h.RCode != dnsmessage.RCodeSuccess // some leave it out of an error
	if !blank && (err != nil || asked.Type != q.Type || asked.Class != q.Class || !strings.EqualFold(asked.Name.String(), q.Name.String())) {
		return nil, false, nil
	}
	switch {
	case h.RCode == dnsmessage.RCodeNameError:
		return nil, true, fmt.Errorf("there is no %s", strings.TrimSuffix(q.Name.String(), "."))
	case h.RCode != dnsmessage.RCodeSuccess:
		return nil, true, fmt.Errorf("the server answers %s", strings.TrimPrefix(h.RCode.String(), "RCode"))
	case h.Truncated:
		return nil, true, errTruncated
	}
	if err := p.SkipAllQuestions(); err != nil {
		return nil, true, err
	}
	for range answersMax {
		r, err := p.Answer()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return answers, true, nil
		}
		if err != nil {
			return nil, true, fmt.Errorf("the answer cannot be read: %w", err)
		}
		if r.Header.Type == q.Type {
			answers = append(answers, inWords(r.Body))
		}
	}
	return answers, true, nil
}

// inWords is an answer as a zone file has it, names without their last dot.
func inWords(body dnsmessage.ResourceBody) string {
	name := func(n dnsmessage.Name) string { return strings.TrimSuffix(n.String(), ".") }
	switch r := body.(type) {
	case *dnsmessage.AResource:
		return netip.AddrFrom4(r.A).String()
	case *dnsmessage.AAAAResource:
		return netip.AddrFrom16(r.AAAA).String()
	case *dnsmessage.CNAMEResource:
		return name(r.CNAME)
	case *dnsmessage.MXResource:
		return fmt.Sprintf("%d %s", r.Pref, name(r.MX))
	case *dnsmessage.NSResource:
		return name(r.NS)
	case *dnsmessage.PTRResource:
		return name(r.PTR)
	case *dnsmessage.SOAResource:
		return name(r.NS)
	case *dnsmessage.SRVResource:
		return fmt.Sprintf("%d %d %d %s", r.Priority, r.Weight, r.Port, name(r.Target))
	case *dnsmessage.TXTResource:
		return strings.Join(r.TXT, "")
	}
	return ""
}
