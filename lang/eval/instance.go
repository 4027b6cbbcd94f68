package eval

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"hafile/lang/diag"
	"hafile/lang/module"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

// Member is a machine of an instance, with the instance as that machine sees it.
type Member struct {
	Node *Object
	// Whole is the instance's block: one and the same for all members unless the
	// instance mentions self.
	Whole *Block
	// Own is its member block; nil: none.
	Own *Block
	// Priority with which it stands for election while every check is up or untracked.
	Priority int64
	// At is where it is named.
	At diag.Range
}

// preference is what `members` gives by position; more members state their priorities.
var preference = []int64{200, 150, 100, 50}

// node is the node that people call name; nil if there is none.
func (e *Evaluator) node(name string) *Object {
	if e.byName == nil {
		e.byName = map[string]*Object{}
		for _, o := range e.top.All("node") {
			e.byName[o.NodeName()] = o
		}
	}
	return e.byName[name]
}

// allNodes are looked for once: a typo in a module may be made four thousand times.
func (e *Evaluator) allNodes() []*Object {
	if e.nodes == nil {
		e.nodes = e.top.All("node")
	}
	return e.nodes
}

func (e *Evaluator) unknownNode(name string, at hcl.Range, s scope) {
	var names []string
	for _, o := range e.allNodes() {
		names = append(names, o.NodeName())
	}
	declare := fmt.Sprintf("Declare it: node %q { address = \"...\" }.", name)
	detail := declare
	if near := e.guess(name, names); near != "" && wordsOf(near) != wordsOf(name) {
		detail = fmt.Sprintf("Did you mean %q?", near)
	} else if len(names) > 0 {
		detail = fmt.Sprintf("Declared are %s. %s", quoteAll(names[:min(len(names), 8)]), declare)
	}
	e.errorf("HA1402", s, at, fmt.Sprintf("there is no node %q", name), "%s", detail)
}

// wordsOf is a name without its numbers: lb3 is no slip of the hand for lb1.
func wordsOf(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '#'
		}
		return r
	}, name)
}

// Members decodes an instance for each machine that takes part. False after errors.
func (e *Evaluator) Members(o *Object) ([]Member, bool) { return o.ev.membersOf(o) }

func (e *Evaluator) membersOf(o *Object) ([]Member, bool) {
	if members, ok := e.members[o.Addr]; ok {
		return members, members != nil
	}
	defer e.enter(o.Kind + "." + o.Label)()
	members, ok := e.decodeMembers(o)
	if !ok {
		members = nil
	}
	e.members[o.Addr] = members
	return members, ok
}

func (e *Evaluator) decodeMembers(o *Object) ([]Member, bool) {
	before := len(e.ds)
	base := e.base(o)
	if base == nil {
		return nil, false
	}
	listed, _ := Get[[]schema.Reference](base, "members")
	members := e.listed(listed)
	members = e.stated(o, base, members, len(listed) > 0)
	if len(members) == 0 && !e.ds[before:].HasErrors() {
		e.errorf("HA1402", scope{addr: o.Addr}, header(base, hcl.Range{}), fmt.Sprintf("%s has no member", o.Addr),
			"Name the machines: members = [node.a, node.b] in order of preference, or a member block for each.")
	}
	if e.ds[before:].HasErrors() {
		return nil, false
	}
	e.see(o, base, members)
	for _, m := range members {
		if m.Whole == nil {
			return nil, false // it depends on what failed, and that was said
		}
	}
	e.priorities(o, members, len(listed) > 0)
	return members, !e.ds[before:].HasErrors()
}

// whoTakesPart is the part of an instance that says who its members are.
var whoTakesPart = sync.OnceValue(func() *schema.Block {
	return &schema.Block{Name: "instance", Args: []schema.Arg{*schema.Instance.Arg("members")}, Blocks: []*schema.Block{schema.Instance.Block("member")}}
})

// base decodes what says who takes part. It must not depend on self, so that only the
// rest is decoded again where self is mentioned.
func (e *Evaluator) base(o *Object) *Block {
	if !e.mentionsSelf(o) {
		return e.Block(o)
	}
	s := scope{addr: o.Addr, each: o.each}
	before := len(e.ds)
	who := whoTakesPart()
	body, ok := e.expandFor(o, who, s)
	if !ok {
		return nil
	}
	content, _, hd := body.PartialContent(who.HCL())
	e.ds = append(e.ds, module.Translate(hd, who, o.Addr)...)
	b := &Block{Type: "instance", Label: o.Label, Addr: o.Addr, Range: o.Range, Via: o.Via}
	if attr := content.Attributes["members"]; attr != nil {
		switch v, ok := e.argument(attr, &who.Args[0], s); {
		case !ok:
			b.spoil("members")
		case v.V != nil:
			b.set("members", v)
		}
	}
	decoder{Evaluator: e, decl: o.decl, via: o.Via}.nested(b, content.Blocks, who, s)
	if e.ds[before:].HasErrors() || len(b.bad) > 0 {
		return nil
	}
	return b
}

func (e *Evaluator) listed(refs []schema.Reference) []Member {
	var members []Member
	for i, r := range refs {
		m := Member{Node: e.Find(r.To), At: r.Range}
		if i < len(preference) {
			m.Priority = preference[i]
		}
		members = append(members, m)
	}
	return members
}

// stated adds what member blocks say. Beside a members list they only refine: two lists
// of who takes part would be one too many.
func (e *Evaluator) stated(o *Object, base *Block, members []Member, listed bool) []Member {
	for _, own := range base.Of("member") {
		node := e.node(own.Label)
		i := slices.IndexFunc(members, func(m Member) bool { return m.Node == node })
		switch {
		case i >= 0:
			members[i].Own = own
		case listed:
			e.errorf("HA1402", scope{addr: o.Addr}, toHCL(own.LabelRange()), fmt.Sprintf("node %q is not in members", own.Label),
				"The list says who takes part. Add node.%s to it, or take the block out.", own.Label)
		default:
			members = append(members, Member{Node: node, Own: own, At: own.LabelRange()})
		}
	}
	return members
}

// see decodes the instance as each member sees it.
func (e *Evaluator) see(o *Object, base *Block, members []Member) {
	again := e.mentionsSelf(o)
	for i := range members {
		if members[i].Whole = base; !again {
			continue
		}
		members[i].Whole = e.decodeObject(o, members[i].Node, members[i].Node)
	}
}

// priorities settles each member's priority: its own, else the instance's, else the
// place in the list, else the default.
func (e *Evaluator) priorities(o *Object, members []Member, listed bool) {
	for i := range members {
		m := &members[i]
		if p, ok := Get[int64](m.Own, "priority"); ok {
			m.Priority = p
		} else if p, ok := Get[int64](m.Whole, "priority"); ok {
			m.Priority = p
		}
		if m.Priority != 0 {
			continue
		}
		if listed {
			e.errorf("HA1007", scope{addr: o.Addr}, toHCL(m.At), fmt.Sprintf("member %d needs a priority", i+1),
				"The list gives 200, 150, 100 and 50. Five or more members state theirs: member %q { priority = ... }.", m.Node.NodeName())
			continue
		}
		m.Priority = int64(plan.DefaultInstance().Priority)
	}
}

// instanceValue is what instance.web evaluates to.
func (e *Evaluator) instanceValue(o *Object, attrs map[string]cty.Value) (cty.Value, bool) {
	members, ok := e.Members(o)
	if !ok {
		return cty.DynamicVal, false
	}
	names, preferred := []cty.Value{}, members[0]
	for _, m := range members {
		names = append(names, cty.StringVal(m.Node.NodeName()))
		if m.Priority > preferred.Priority {
			preferred = m
		}
	}
	vips := []cty.Value{}
	for _, b := range preferred.Whole.Of("vip") {
		a, _ := Get[schema.AddressValue](b, "address")
		vips = append(vips, cty.ObjectVal(map[string]cty.Value{"address": cty.StringVal(a.IP.String())}))
	}
	attrs["name"] = cty.StringVal(Or(preferred.Whole, "name", o.Addr.Name()))
	attrs["router_id"] = cty.NumberIntVal(Or(preferred.Whole, "router_id", int64(0)))
	attrs["members"] = cty.TupleVal(names)
	attrs["preferred"] = cty.StringVal(preferred.Node.NodeName())
	attrs["vips"] = cty.TupleVal(vips)
	return cty.ObjectVal(attrs), true
}

func toHCL(r diag.Range) hcl.Range {
	p := func(p diag.Pos) hcl.Pos { return hcl.Pos{Line: p.Line, Column: p.Column, Byte: p.Byte} }
	return hcl.Range{Filename: r.Filename, Start: p(r.Start), End: p(r.End)}
}
