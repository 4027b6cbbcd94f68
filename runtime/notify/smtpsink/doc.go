// Package smtpsink is a small SMTP server (RFC 5321) that keeps the mail it gets and
// hands none on: the relay of tests and of `hafile lab`. It can also be a bad relay,
// slow, refusing or dying, because that is what a mailer must be tried against.
//
// It is no relay for a network: it trusts every client and keeps everything in memory.
package smtpsink

import (
	"crypto/tls"
	"time"
)

// Options of Serve.
type Options struct {
	Behaviour Behaviour
	// TLS offers STARTTLS; nil: it is not offered.
	TLS *tls.Config
	// OnMessage hears of every mail taken, before its client does. It must not block.
	OnMessage func(Message)
}

// Behaviour towards clients; the zero value is a good relay.
type Behaviour struct {
	// Delay before each answer, the greeting too.
	Delay time.Duration
	// Stall after the connection is accepted: nothing is ever said.
	Stall bool
	// Refuse answers a command otherwise. The key is a verb ("MAIL", "DATA", "EHLO";
	// "." is the end of the data, "CONNECT" the greeting), or "RCPT " and one address in
	// lower case; the value a whole reply line: "550 5.7.1 relaying denied".
	Refuse map[string]string
	// DieInData closes the connection after the first line of the data.
	DieInData bool
}

// Message is one mail.
type Message struct {
	Hello string // the client's name
	TLS   bool
	From  string
	To    []string // recipients in the order of their RCPT
	Data  []byte   // headers and body, lines ended by \n
	At    time.Time
}

// Limits.
const (
	lineMax     = 1000 // bytes of a command; RFC 5321, 4.5.3.1.4 asks for 512
	dataMax     = 1 << 20
	rcptMax     = 100
	messagesMax = 10000 // kept; the oldest go first
	idleMax     = 5 * time.Minute
)
