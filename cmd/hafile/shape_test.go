package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestShapesFitWhatIsPrinted: every golden plan is what `hafile schema -json=plan` says a
// plan is. The check knows the few words of JSON Schema that the shapes use.
func TestShapesFitWhatIsPrinted(t *testing.T) {
	raw, err := json.Marshal(shapeOf("plan"))
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(exampleRoot + "/*/*.plan.golden.json")
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(src, &doc); err != nil {
			t.Fatal(err)
		}
		c := shapeCheck{defs: schema["$defs"].(map[string]any)}
		c.value("", schema, doc)
		for _, p := range c.problems {
			t.Errorf("%s: %s", file, p)
		}
	}
	if len(files) < 10 {
		t.Errorf("only %d plans", len(files))
	}
}

type shapeCheck struct {
	defs     map[string]any
	problems []string
}

func (c *shapeCheck) fail(path, format string, args ...any) {
	c.problems = append(c.problems, path+": "+fmt.Sprintf(format, args...))
}

func (c *shapeCheck) value(path string, schema map[string]any, v any) {
	if ref, ok := schema["$ref"].(string); ok {
		schema = c.defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	kinds := map[string]string{"map[string]interface {}": "object", "[]interface {}": "array", "string": "string", "float64": "number", "bool": "boolean"}
	want, _ := schema["type"].(string)
	got := kinds[fmt.Sprintf("%T", v)]
	if want == "" || v == nil {
		return
	}
	if want == "integer" {
		want = "number"
	}
	if want != got {
		c.fail(path, "%s, the shape says %s", got, want)
		return
	}
	switch v := v.(type) {
	case []any:
		for i, el := range v {
			c.value(fmt.Sprintf("%s[%d]", path, i), schema["items"].(map[string]any), el)
		}
	case map[string]any:
		c.object(path, schema, v)
	}
}

func (c *shapeCheck) object(path string, schema, v map[string]any) {
	props, _ := schema["properties"].(map[string]any)
	rest, open := schema["additionalProperties"].(map[string]any)
	for name, el := range v {
		switch p, known := props[name].(map[string]any); {
		case known:
			c.value(path+"."+name, p, el)
		case open:
			c.value(path+"."+name, rest, el)
		default:
			c.fail(path, "%s is not in the shape", name)
		}
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, there := v[name.(string)]; !there {
			c.fail(path, "%s is required and missing", name)
		}
	}
}

// TestSchemaPathsAreDistinct: what is printed has every block and argument of this release once.
func TestSchemaPathsAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range schemaPaths() {
		if seen[p] {
			t.Errorf("%s stands twice", p)
		}
		seen[p] = true
	}
	for _, p := range []string{"instance.vip.address", "hafile.defaults.announce.repeat", "instance.member.track.check", "policy.assert.severity"} {
		if !seen[p] {
			t.Errorf("%s is missing", p)
		}
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"schema", "-json"}, streams{strings.NewReader(""), &out, &out}); code != exitOK || !json.Valid(out.Bytes()) {
		t.Errorf("exit code %d", code)
	}
}
