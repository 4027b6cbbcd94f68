package schema

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Kind is what an argument holds, and so what the evaluator lowers it to.
type Kind int

const (
	String   Kind = iota // string
	Int                  // int64, within Min..Max
	Bool                 // bool
	Duration             // int64 milliseconds, within Min..Max; "2s", or a number of seconds
	Strings              // []string
	Map                  // map[string]string
	Address              // AddressValue; a prefix may be written
	Ref                  // Reference
	Refs                 // []Reference
	Secret               // plan.Secret
	Prefix               // netip.Prefix; "default" is left to the block's owner as a zero one
	Ints                 // []int64, each within Min..Max
	Any                  // whatever the expression gives; the block's owner evaluates it
)

// String is the kind as the reference shows it.
func (k Kind) String() string {
	return [...]string{"string", "whole number", "bool", "duration", "list of strings", "map of strings",
		"address", "reference", "list of references", "secret", "prefix", "list of whole numbers", "expression"}[k]
}

// Arg is one argument of a block.
type Arg struct {
	Name     string
	Kind     Kind
	Required bool
	Min, Max int64    // of Int; of Duration in milliseconds; both 0: no bounds
	Enum     []string // of String: nothing else is taken
	Refs     []string // of Ref and Refs: the kinds that may be named
	Default  string   // as the reference shows it
	Doc      string
	// Same: members of an instance must agree on it, see HA1202.
	Same bool
	// Sensitive: no literal of it is ever shown.
	Sensitive bool
	Later     bool
	// Wrong: known only so that its place can be told.
	Wrong string
}

// Block is one type of block.
type Block struct {
	Name   string
	Label  string // what its one label is; empty: none
	Doc    string
	Args   []Arg
	Blocks []*Block
	// Many: may stand more than once in its parent.
	Many bool
	// ForEach: takes for_each. Self: `self` is known inside.
	ForEach, Self bool
	// PerNode: the label is a node, and inside self is that node.
	PerNode bool
	Later   bool
}

// HCL is the table as hcl wants it. Nothing is marked as required: what is missing is
// said by the evaluator, which knows how the block is called.
func (b *Block) HCL() *hcl.BodySchema {
	s := &hcl.BodySchema{}
	for _, a := range b.Args {
		s.Attributes = append(s.Attributes, hcl.AttributeSchema{Name: a.Name})
	}
	for _, n := range b.Blocks {
		s.Blocks = append(s.Blocks, n.Header())
	}
	return s
}

// Header is the block as it stands in its parent's schema.
func (b *Block) Header() hcl.BlockHeaderSchema {
	h := hcl.BlockHeaderSchema{Type: b.Name}
	if b.Label != "" {
		h.LabelNames = []string{b.Label}
	}
	return h
}

// Arg finds an argument by name; nil if there is none.
func (b *Block) Arg(name string) *Arg {
	i := slices.IndexFunc(b.Args, func(a Arg) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return &b.Args[i]
}

// Block finds a nested block by type; nil if there is none.
func (b *Block) Block(name string) *Block {
	i := slices.IndexFunc(b.Blocks, func(n *Block) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return b.Blocks[i]
}

// Names lists what may stand in the block in this release: arguments, then blocks.
func (b *Block) Names() []string {
	var names []string
	for _, a := range b.Args {
		if !a.Later && a.Wrong == "" {
			names = append(names, a.Name)
		}
	}
	for _, n := range b.Blocks {
		if !n.Later {
			names = append(names, n.Name)
		}
	}
	return names
}

// SensitiveNames are the arguments, of any block, whose literals are never shown.
func SensitiveNames() []string {
	var names []string
	var walk func(*Block)
	walk = func(b *Block) {
		for _, a := range b.Args {
			if a.Sensitive && !slices.Contains(names, a.Name) {
				names = append(names, a.Name)
			}
		}
		for _, n := range b.Blocks {
			walk(n)
		}
	}
	walk(&File)
	return names
}
