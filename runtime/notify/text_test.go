package notify

import (
	"bytes"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hafile/runtime/notify/smtpsink"
)

func TestLateMailsSaySo(t *testing.T) {
	it := newItem(became(Active))
	it.tries, it.lastError = 3, "relay 192.0.2.25:25: connection refused"
	text := body(it, it.At.Add(12*time.Minute))
	if !strings.Contains(text, "This mail is 12m0s late. The try before it: relay 192.0.2.25:25: connection refused\n") {
		t.Error(text)
	}
}

func TestSupersededChangesAreListedUpToALimit(t *testing.T) {
	it := newItem(became(Active))
	for range 2 * skippedMax {
		next := newItem(became(Backup))
		next.after(it)
		it = next
	}
	text := body(it, it.At)
	if n := strings.Count(text, "UTC backup:"); n != skippedMax || !strings.Contains(text, "  (20 older ones)\n") {
		t.Errorf("%d lines\n%s", n, text)
	}
}

func TestAFirstStateHasNoBefore(t *testing.T) {
	c := became(Backup)
	c.From = ""
	if text := body(newItem(c), c.At); !strings.HasPrefix(text, "VI_1 on nginx01 is backup.\n") {
		t.Error(text)
	}
}

// Whatever stands in a transition, the mail has the headers that we gave it and no
// others, and what a person reads holds no control character.
func FuzzMail(f *testing.F) {
	f.Add("VI_1", "nginx01", "no advert", "relay: 550")
	f.Add("x\r\nBcc: all@example.net", "n\nn", "why\r\n\r\nbody\r\n.\r\nMAIL FROM:<a@b>", "\x1b[2J")
	f.Add(strings.Repeat("ü", 300), "\xff", "\u2028\u202e", "=?utf-8?q?=0D=0ABcc:_x?=")
	f.Fuzz(func(t *testing.T, name, node, why, lastError string) {
		c := became(Active)
		c.Name, c.Node, c.Why = name, node, why
		c.Wire.Interface, c.From = name, why
		it := newItem(c)
		it.tries, it.lastError = 1, lastError
		s := subject(&c)
		if len(s) > subjectMax || !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\t\x00\x1b") {
			t.Errorf("subject %q", s)
		}
		e := email(time.Second)
		raw, err := compose(e, e.To, it, c.At)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatalf("%v in\n%s", err, raw)
		}
		known := []string{
			"Date", "From", "To", "Subject", "Message-Id", "Mime-Version", "Auto-Submitted", "User-Agent", "X-Mailer",
			"X-Hafile-Node", "X-Hafile-Instance", "X-Hafile-Event", "Content-Type", "Content-Transfer-Encoding",
		}
		for name, values := range parsed.Header {
			if !slices.Contains(known, name) || len(values) != 1 {
				t.Errorf("header %s: %q", name, values)
			}
		}
		text, err := (&smtpsink.Message{Data: raw}).Text()
		if err != nil || strings.ContainsAny(text, "\r\x00\x1b") || !utf8.ValidString(text) {
			t.Errorf("text %q, %v", text, err)
		}
	})
}

func FuzzOneLine(f *testing.F) {
	f.Add("a b\nc", 10)
	f.Fuzz(func(t *testing.T, s string, max int) {
		if max < 8 || max > 1000 {
			return
		}
		got := oneLine(s, max)
		if len(got) > max || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\t\x00") {
			t.Errorf("oneLine(%q, %d) = %q", s, max, got)
		}
	})
}
