package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hafile/lang/diag"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

const language = "language"

func (c *cli) schemaCommand() *cobra.Command {
	var asJSON string
	cmd := &cobra.Command{
		Use:   "schema [BLOCK[.BLOCK][.ARGUMENT]]",
		Short: "Say what a block or an argument takes; -json prints all of the language",
		Long: "Say what a block or an argument takes, from the table that the compiler reads: instance, instance.vip,\n" +
			"instance.preempt_delay. -json prints the table; -json=plan, status or events the JSON Schema of what\n" +
			"the other commands print.",
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return schemaPaths(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error { return c.schema(target(args), asJSON) },
	}
	cmd.Flags().StringVar(&asJSON, "json", "", "print JSON, of `WHAT`: language, plan, status or events")
	cmd.Flags().Lookup("json").NoOptDefVal = language
	complete(cmd, "json", func(string) []string { return append(slices.Sorted(maps.Keys(shapes)), language) })
	return cmd
}

// complete gives an option's values to the shell.
func complete(cmd *cobra.Command, flag string, values func(typed string) []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return values(typed), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // there is no such option
	}
}

func (c *cli) schema(path, asJSON string) error {
	v := c.view()
	doc := schema.NewDocument(plan.FormatVersion, plan.Language)
	switch {
	case path != "" && asJSON == "":
		return v.schemaOf(doc, path)
	case asJSON == language && path == "":
		return v.document(doc)
	case path == "" && shapes[asJSON] != nil:
		return v.document(shapeOf(asJSON))
	case path != "":
		return fmt.Errorf("-json prints all of it: leave %s out", path)
	case asJSON != "":
		return fmt.Errorf("-json=%s: write one of language, %s", asJSON, strings.Join(slices.Sorted(maps.Keys(shapes)), ", "))
	}
	var rows [][]string
	for _, b := range doc.Blocks {
		rows = append(rows, []string{b.Name, b.Doc})
	}
	for _, line := range columns(rows) {
		v.line("%s", line)
	}
	return nil
}

// schemaPaths are all blocks and arguments.
func schemaPaths() []string {
	var paths []string
	var walk func([]schema.Shown)
	walk = func(blocks []schema.Shown) {
		for _, b := range blocks {
			paths = append(paths, b.Path)
			for _, a := range b.Arguments {
				paths = append(paths, b.Path+"."+a.Name)
			}
			walk(b.Blocks)
		}
	}
	walk(schema.NewDocument(plan.FormatVersion, plan.Language).Blocks)
	return paths
}

// schemaOf finds a path: blocks by name, then perhaps an argument.
func (v *view) schemaOf(doc schema.Document, path string) error {
	blocks, within := doc.Blocks, (*schema.Shown)(nil)
	for _, word := range strings.Split(path, ".") {
		i := slices.IndexFunc(blocks, func(b schema.Shown) bool { return b.Name == word })
		if i >= 0 {
			within, blocks = &blocks[i], blocks[i].Blocks
			continue
		}
		if within != nil {
			if i := slices.IndexFunc(within.Arguments, func(a schema.ShownArg) bool { return a.Name == word }); i >= 0 && strings.HasSuffix(path, "."+word) {
				v.schemaArgument(within, within.Arguments[i])
				return nil
			}
		}
		paths := schemaPaths()
		if i := slices.IndexFunc(paths, func(p string) bool { return strings.HasSuffix(p, "."+path) }); i >= 0 {
			return fmt.Errorf("there is no %q: did you mean %s?", path, paths[i])
		}
		if near := diag.Nearest(path, paths); near != "" {
			return fmt.Errorf("there is no %q: did you mean %s?", path, near)
		}
		return fmt.Errorf("there is no %q: hafile schema lists the blocks", path)
	}
	v.schemaBlock(within)
	return nil
}

// header is a block as it is written.
func header(b *schema.Shown) string {
	if b.Label != "" {
		return fmt.Sprintf("%s %q { }", b.Name, strings.ToUpper(b.Label))
	}
	return b.Name + " { }"
}

func (v *view) schemaBlock(b *schema.Shown) {
	v.line("%s  %s", v.paint(bold, header(b)), b.Doc)
	var rows [][]string
	for _, a := range b.Arguments {
		rows = append(rows, []string{"  " + a.Name, a.Takes(), a.Fallback(), a.Doc})
	}
	for _, n := range b.Blocks {
		rows = append(rows, []string{"  " + n.Name + " { }", "block", "", n.Doc})
	}
	for _, line := range columns(rows) {
		v.line("%s", line)
	}
}

func (v *view) schemaArgument(b *schema.Shown, a schema.ShownArg) {
	v.line("%s  %s", v.paint(bold, b.Path+"."+a.Name), a.Doc)
	v.line("  takes    %s", a.Takes())
	if f := a.Fallback(); f != "" {
		v.line("  default  %s", f)
	}
	if a.SameOnAllMembers {
		v.line("  The members of an instance must agree on it (HA1202).")
	}
	if a.Sensitive {
		v.line("  A secret: nothing shows its literals.")
	}
}
