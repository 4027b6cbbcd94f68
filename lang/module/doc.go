// Package module finds and parses the files of one directory and indexes what they
// declare. It refuses what would hurt the parser (files over 4 MiB, nesting over 200,
// operator chains over 10,000) before the parser sees it: deep input overflows the
// goroutine stack, which no recover catches. It follows the calls of module blocks to
// directories of the same file system, or to the library that comes with hafile; nothing
// comes from the network. It evaluates nothing.
package module
