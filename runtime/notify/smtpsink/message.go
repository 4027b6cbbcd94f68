package smtpsink

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
)

// Header is the first header of that name, decoded; empty if there is none.
func (m *Message) Header(name string) string {
	parsed, err := mail.ReadMessage(bytes.NewReader(m.Data))
	if err != nil {
		return ""
	}
	raw := parsed.Header.Get(name)
	text, err := new(mime.WordDecoder).DecodeHeader(raw)
	if err != nil {
		return raw
	}
	return text
}

// Subject decoded.
func (m *Message) Subject() string { return m.Header("Subject") }

// Text is the body, decoded; lines end in \n. Mails of several parts come as they are.
func (m *Message) Text() (string, error) {
	parsed, err := mail.ReadMessage(bytes.NewReader(m.Data))
	if err != nil {
		return "", fmt.Errorf("read the mail: %w", err)
	}
	body := parsed.Body
	switch strings.ToLower(parsed.Header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return "", fmt.Errorf("decode the mail: %w", err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n"), nil
}
