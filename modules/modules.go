// Package modules holds the modules that come with hafile, so that one binary is enough:
// source = "hafile/NAME" finds them here. It decides nothing; each directory's README
// says what its module is for.
package modules

import "embed"

// FS has a directory per module, with its files, its README and an example of its use.
//
//go:embed */*.ha.hcl */README.md */example/*.hcl
var FS embed.FS
