package module

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hafile/lang/diag"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

var quoted = regexp.MustCompile(`"([^"]*)"`)

// Translate turns what hcl says about the shape of a block into our words and codes.
func Translate(hd hcl.Diagnostics, s *schema.Block, addr plan.Addr) diag.Diagnostics {
	var ds diag.Diagnostics
	for _, d := range hd {
		ds = append(ds, shape(d, s, addr))
	}
	return ds
}

func shape(d *hcl.Diagnostic, s *schema.Block, addr plan.Addr) diag.Diagnostic {
	out := diag.Diagnostic{Severity: diag.Error, Address: addr, Summary: lowerFirst(d.Summary), Detail: d.Detail}
	if d.Subject != nil {
		out.Range = At(*d.Subject)
	}
	name := ""
	if m := quoted.FindStringSubmatch(d.Detail); m != nil {
		name = m[1]
	}
	switch {
	case d.Summary == "Unsupported argument", d.Summary == "Unsupported block type", d.Summary == "Extraneous JSON object property",
		strings.HasPrefix(d.Summary, "Unexpected ") && strings.HasSuffix(d.Summary, " block"):
		out.Code = "HA1002"
		out.Summary, out.Detail = unknown(name, d.Summary == "Unsupported block type", s)
	case d.Summary == "Invalid dynamic for_each value", strings.HasPrefix(d.Summary, "Invalid dynamic"), strings.Contains(d.Summary, "dynamic"):
		out.Code = "HA1013"
	case strings.HasPrefix(d.Summary, "Missing ") && strings.Contains(d.Summary, " for "):
		out.Code = "HA1007"
		out.Detail = labelHint(d.Summary)
	case strings.HasPrefix(d.Summary, "Extraneous label"):
		out.Code = "HA1002"
		out.Detail = "Take the label out."
		if strings.HasSuffix(d.Summary, " for vip") {
			out.Detail = `A label cannot be an address that moves. Write vip { address = "192.0.2.10" }, one block for each.`
		}
	case d.Summary == "Duplicate argument", d.Summary == "Attribute redefined":
		out.Code = "HA1006"
		out.Detail += " Remove one."
	case d.Summary == "Missing required argument":
		out.Code = "HA1007"
		if name == "labels" {
			out.Summary, out.Detail = "the dynamic block needs labels", "The block that it makes has a label: write labels = [ITERATOR.key] beside for_each."
		}
	default:
		out.Code = "HA1000"
	}
	return out
}

// UnknownNames are the arguments and blocks that hcl did not expect.
func UnknownNames(hd hcl.Diagnostics) []string {
	var names []string
	for _, d := range hd {
		if m := quoted.FindStringSubmatch(d.Detail); m != nil && (d.Summary == "Unsupported argument" || d.Summary == "Unsupported block type") {
			names = append(names, m[1])
		}
	}
	return names
}

// Explained reports whether an argument is missing because it stands under another name,
// which was said: a second message would ask for what is there.
func Explained(missing string, unknown []string) bool {
	return slices.ContainsFunc(unknown, func(name string) bool {
		cure := schema.Keepalived[name]
		return diag.Nearest(name, []string{missing}) != "" || strings.Contains(cure, " "+missing+" = ")
	})
}

func labelHint(summary string) string {
	_, kind, _ := strings.Cut(summary, " for ")
	return fmt.Sprintf("Write %s \"NAME\" { ... }.", kind)
}

// unknown explains a name that the block does not have.
func unknown(name string, isBlock bool, s *schema.Block) (summary, detail string) {
	what := "argument"
	if isBlock {
		what = "block"
	}
	where := ""
	if s.Name != "" {
		where = " in " + s.Name
	}
	summary = fmt.Sprintf("there is no %s %s%s", what, name, where)
	if cure, ok := schema.Terraform[name]; ok {
		return summary, sentence(cure)
	}
	if cure, ok := schema.Keepalived[name]; ok && (name != "script" || s.Name == "script") {
		return summary, "keepalived writes it so; " + cure + "."
	}
	if s.Name == "track" && schema.Check.Block(name) != nil {
		return summary, fmt.Sprintf("It is a check: write check \"NAME\" { %s { ... } } and track { check = check.NAME }.", name)
	}
	if s.Name == "member" {
		if a := schema.Instance.Arg(name); a != nil {
			return summary, fmt.Sprintf("%s is the same on all members: write it in the instance, outside of member.", name)
		}
		if schema.Instance.Block(name) != nil {
			return summary, fmt.Sprintf("A %s block is the same on all members: write it in the instance, outside of member.", name)
		}
	}
	if top := schema.File.Block(name); top != nil && s.Name != "" && !top.Later && isBlock {
		return summary, topCure(name)
	}
	if s.Arg(name) != nil && isBlock {
		return summary, fmt.Sprintf("%s is an argument: write %s = ...", name, name)
	}
	if s.Block(name) != nil && !isBlock {
		return summary, fmt.Sprintf("%s is a block: write %s { ... }.", name, name)
	}
	names := s.Names()
	if s.ForEach {
		names = append(names, "for_each")
	}
	if near := diag.Nearest(name, names); near == "vip" {
		return summary, `Write vip { address = "192.0.2.10" }, one block for each address.`
	} else if near != "" && s.Block(near) != nil && !isBlock {
		return summary, fmt.Sprintf("Did you mean the block %s { ... }?", near)
	} else if near != "" {
		return summary, fmt.Sprintf("Did you mean %s?", near)
	}
	if where := homes(name); len(where) > 0 {
		return summary, fmt.Sprintf("It belongs into %s.", strings.Join(where, " or "))
	}
	if len(names) == 0 {
		return summary, "Take it out."
	}
	return summary, fmt.Sprintf("Known here: %s.", strings.Join(names, ", "))
}

// topCure is for a block that stands at the top of a file, and what names it here.
func topCure(name string) string {
	cure := fmt.Sprintf("%s stands at the top of a file, outside of other blocks: write it there", name)
	switch name {
	case "script", "check":
		return fmt.Sprintf("%s, and name it here with track { %s = %s.NAME }.", cure, name, name)
	case "notify":
		return cure + ", and name it here with notify = [notify.NAME]."
	}
	return cure + "."
}

// homes lists the blocks that do have an argument or block of this name.
func homes(name string) []string {
	var found []string
	var walk func(b *schema.Block, path string)
	walk = func(b *schema.Block, path string) {
		for _, n := range b.Blocks {
			if n.Later {
				continue
			}
			p := strings.TrimPrefix(path+"."+n.Name, ".")
			if n.Arg(name) != nil || n.Block(name) != nil && !n.Block(name).Later {
				found = append(found, p)
			}
			walk(n, p)
		}
	}
	walk(&schema.File, "")
	return found
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
