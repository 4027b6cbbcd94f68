package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// magic begins every file; the number is the version of the envelope.
const magic = "hafile-record 1"

// recordMax is the largest file that is read: a plan of a thousand instances is 2 MB.
const recordMax = 64 << 20

// errDamaged is what every unreadable record is; the text behind it says how.
var errDamaged = errors.New("damaged")

// encode puts a value into its envelope: a header line with the length and the sha256 of
// the JSON that follows.
func encode(v any) ([]byte, error) {
	body, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	head := fmt.Sprintf("%s %d %s\n", magic, len(body), hex.EncodeToString(sum[:]))
	return append([]byte(head), body...), nil
}

// decode reads an envelope. Not one byte of it may differ from what was written.
func decode(raw []byte, v any) error {
	body, err := unwrap(raw)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return nil
}

func unwrap(raw []byte) ([]byte, error) {
	head, body, ok := bytes.Cut(raw, []byte{'\n'})
	rest, known := bytes.CutPrefix(head, []byte(magic+" "))
	length, sum, two := bytes.Cut(rest, []byte{' '})
	if !ok || !known || !two {
		return nil, fmt.Errorf("%w: no header", errDamaged)
	}
	if string(length) != strconv.Itoa(len(body)) {
		return nil, fmt.Errorf("%w: %d bytes, not the %.20q of its header", errDamaged, len(body), length)
	}
	have := sha256.Sum256(body)
	if hex.EncodeToString(have[:]) != string(sum) {
		return nil, fmt.Errorf("%w: its checksum does not match", errDamaged)
	}
	return body, nil
}
