package main

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"hafile/lang/plan"
	"hafile/lang/planfile"
	"hafile/runtime/control"
)

// shapes are the documents whose JSON Schema `hafile schema -json=NAME` prints.
var shapes = map[string]any{
	"plan":   planfile.Document{},
	"status": control.Status{},
	"events": control.Event{},
}

// shapeOf is the JSON Schema of a document, read off the types that write it: a table by
// hand would be the second list of fields, and this one cannot be late. It is the one
// place beside lang/diff that looks at types.
func shapeOf(name string) map[string]any {
	s := shaper{defs: map[string]any{}}
	schema := s.of(reflect.TypeOf(shapes[name]))
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "hafile " + name + ", format_version " + plan.FormatVersion
	schema["$defs"] = s.defs
	return schema
}

type shaper struct{ defs map[string]any }

var (
	textual  = reflect.TypeFor[encoding.TextMarshaler]()
	sparse   = reflect.TypeFor[json.Marshaler]()
	timeType = reflect.TypeFor[time.Time]()
	rawJSON  = reflect.TypeFor[json.RawMessage]()
)

func (s *shaper) of(t reflect.Type) map[string]any {
	switch {
	case t == timeType:
		return map[string]any{"type": "string", "format": "date-time"}
	case t == rawJSON:
		return map[string]any{}
	case t.Kind() == reflect.Pointer:
		return s.of(t.Elem())
	case t.Implements(textual):
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice, reflect.Array:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.object(t)
	case reflect.Interface:
		return map[string]any{}
	}
	return map[string]any{"type": "integer"}
}

// object is a struct, by reference, so that one type is described once.
func (s *shaper) object(t reflect.Type) map[string]any {
	name := strings.ReplaceAll(t.String(), ".", "_")
	ref := map[string]any{"$ref": "#/$defs/" + name}
	if _, known := s.defs[name]; known {
		return ref
	}
	def := map[string]any{"type": "object"}
	s.defs[name] = def
	props, required := map[string]any{}, []string{}
	// What leaves out its defaults requires nothing.
	lean := t.Implements(sparse)
	s.fields(t, func(field string, ft reflect.Type, optional bool) {
		props[field] = s.of(ft)
		if !optional && !lean {
			required = append(required, field)
		}
	})
	def["properties"] = props
	if len(required) > 0 {
		def["required"] = required
	}
	return ref
}

// fields visits what a struct writes, embedded structs as if they were not there.
func (s *shaper) fields(t reflect.Type, visit func(name string, t reflect.Type, optional bool)) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, written := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous && name == "":
			ft := f.Type
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			s.fields(ft, visit)
		case !f.IsExported() || name == "-":
		case !written:
			visit(f.Name, f.Type, false)
		default:
			visit(name, f.Type, strings.Contains(options, "omit") || f.Type.Kind() == reflect.Pointer)
		}
	}
}
