// Package examples holds the example that `hafile init` starts a directory with. The
// others are for reading and for tests. It decides nothing.
package examples

import "embed"

// FS has the files of the smallest example.
//
//go:embed smallest/*.hcl
var FS embed.FS
