package keepalived

import (
	"bytes"
	"regexp"
)

var (
	secretLine = regexp.MustCompile(`(?im)(\b(?:auth_pass|password|passwd)[ \t]*[ \t=:][ \t]*)([^\r\n]+)`)
	secretKey  = regexp.MustCompile(`(?im)(\bkey[ \t]+[0-9]+[ \t]+)([^\r\n]+)`)
	secretDef  = regexp.MustCompile(`(?im)(\$[a-z_0-9]*(?:pass|secret|key|auth|pw)[a-z_0-9]*=)([^\r\n]+)`)
)

// MaskSecrets is a keepalived.conf with every password replaced by as many asterisks,
// to be shown in snippets: all positions stay.
func MaskSecrets(src []byte) []byte {
	out := bytes.Clone(src)
	for _, re := range []*regexp.Regexp{secretLine, secretKey, secretDef} {
		for _, m := range re.FindAllSubmatchIndex(src, -1) {
			for i := m[4]; i < m[5]; i++ {
				out[i] = '*'
			}
		}
	}
	return out
}
