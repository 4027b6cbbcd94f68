package eval

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/dynblock"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"hafile/lang/module"
	"hafile/lang/schema"
)

// static is what the text alone says, read once however many objects a declaration makes:
// a module that is called two thousand times has one text.
type static struct {
	schemas  map[*schema.Block]*hcl.BodySchema
	contents map[*hclsyntax.Body]*content
	judged   map[*hclsyntax.Body]*hcl.BodyContent // by the schema of a condition
	refs     map[hclsyntax.Expression][]hcl.Traversal
	repeats  map[*module.Decl]*repeat
	dynamics map[*module.Decl]map[hcl.Range]dynamicBlock
	self     map[*module.Decl]bool // whether a declaration mentions self
	expands  map[*module.Decl][]hcl.Traversal
}

func newStatic() *static {
	return &static{
		schemas: map[*schema.Block]*hcl.BodySchema{}, contents: map[*hclsyntax.Body]*content{},
		judged: map[*hclsyntax.Body]*hcl.BodyContent{},
		refs:   map[hclsyntax.Expression][]hcl.Traversal{}, repeats: map[*module.Decl]*repeat{},
		dynamics: map[*module.Decl]map[hcl.Range]dynamicBlock{}, self: map[*module.Decl]bool{}, expands: map[*module.Decl][]hcl.Traversal{},
	}
}

func (st *static) schema(b *schema.Block) *hcl.BodySchema {
	s := st.schemas[b]
	if s == nil {
		s = b.HCL()
		st.schemas[b] = s
	}
	return s
}

// content is a body read by a schema.
type content struct {
	*hcl.BodyContent
	diags hcl.Diagnostics
}

// content reads a body. A body with dynamic blocks is another one for each object.
func (st *static) content(body hcl.Body, b *schema.Block) (*hcl.BodyContent, hcl.Diagnostics) {
	native, is := body.(*hclsyntax.Body)
	if !is {
		return body.Content(st.schema(b))
	}
	c := st.contents[native]
	if c == nil {
		bc, hd := native.Content(st.schema(b))
		c = &content{bc, hd}
		st.contents[native] = c
	}
	return c.BodyContent, c.diags
}

// conditions reads a block of condition and error_message.
func (st *static) conditions(body hcl.Body) *hcl.BodyContent {
	native, is := body.(*hclsyntax.Body)
	if !is {
		c, _, _ := body.PartialContent(conditionSchema)
		return c
	}
	c := st.judged[native]
	if c == nil {
		c, _, _ = native.PartialContent(conditionSchema)
		st.judged[native] = c
	}
	return c
}

// references are the traversals of an expression.
func (st *static) references(expr hcl.Expression) []hcl.Traversal {
	native, is := expr.(hclsyntax.Expression)
	if !is {
		return expr.Variables() // of JSON or of a dynamic block's content
	}
	refs, known := st.refs[native]
	if !known {
		refs = native.Variables()
		st.refs[native] = refs
	}
	return refs
}

// repeat is the for_each of a declaration, and the body without it.
type repeat struct {
	attr *hcl.Attribute // nil: none
	rest hcl.Body
}

func (st *static) repeat(d *module.Decl) *repeat {
	r := st.repeats[d]
	if r == nil {
		r = &repeat{rest: d.Block.Body}
		c, rest, _ := d.Block.Body.PartialContent(forEachSchema)
		if r.attr = c.Attributes["for_each"]; r.attr != nil {
			r.rest = rest
		}
		st.repeats[d] = r
	}
	return r
}

// dynamic lists the dynamic blocks of a declaration.
func (st *static) dynamic(d *module.Decl) map[hcl.Range]dynamicBlock {
	all, known := st.dynamics[d]
	if !known {
		all = map[hcl.Range]dynamicBlock{}
		collectDynamics(d.Block.Body, d.Schema, all)
		st.dynamics[d] = all
	}
	return all
}

func (st *static) mentionsSelf(d *module.Decl, body hcl.Body) bool {
	known, seen := st.self[d]
	if !seen {
		known = st.mentions(dynblock.WalkVariables(body), d.Schema)
		st.self[d] = known
	}
	return known
}

// expanding are the traversals that the dynamic blocks of a declaration start from, as
// far as a schema knows them; those of its own schema are looked for once.
func (st *static) expanding(o *Object, bs *schema.Block) []hcl.Traversal {
	if bs != o.schema {
		return st.walk(dynblock.WalkExpandVariables(o.body), bs)
	}
	refs, known := st.expands[o.decl]
	if !known {
		refs = st.walk(dynblock.WalkExpandVariables(o.body), bs)
		st.expands[o.decl] = refs
	}
	return refs
}
