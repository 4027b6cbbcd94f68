// Package schema is the one list of blocks and arguments of the language. The same
// tables feed decoding, "did you mean", the reference in docs/ and the fleet proofs;
// nothing else knows which arguments exist. A block or argument of a later release is
// in the table too, marked Later, so that it is refused by name and never ignored.
package schema
