package diff

import (
	"reflect"
	"testing"

	"hafile/lang/plan"
)

// Every field of every type that a plan holds has a row, and every row a field: a new
// field cannot be added without saying what it means on the network.
func TestEveryFieldOfAPlanHasARow(t *testing.T) {
	fields := map[string]bool{}
	for _, root := range []reflect.Type{
		reflect.TypeFor[plan.Instance](), reflect.TypeFor[plan.Check](), reflect.TypeFor[plan.Notify](), reflect.TypeFor[plan.Group](),
	} {
		collect(root, fields)
	}
	for name, leaf := range fields {
		r, known := rows[name]
		switch {
		case !known:
			t.Errorf("%s has no row: say in rows.go what an edit of it means", name)
		case leaf && !r.skip && r.impact == nil:
			t.Errorf("%s has a value of its own and no impact", name)
		}
	}
	for name := range rows {
		if _, is := fields[name]; !is {
			t.Errorf("rows has %s, which no plan type has", name)
		}
	}
}

// collect lists the fields below a type; the value says whether one is a leaf or a list.
func collect(t reflect.Type, into map[string]bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type == typeSrc || f.Type == typeVia {
			continue
		}
		inner := f.Type
		if inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		block := isBlock(inner)
		into[t.Name()+"."+f.Name] = !block || f.Type.Kind() == reflect.Slice
		if block {
			collect(inner, into)
		}
	}
}

// A field of Desired that the differ does not pair would be changed in silence.
func TestDesiredHasNoOtherKinds(t *testing.T) {
	known := map[string]bool{"Instances": true, "Checks": true, "Notifies": true, "Groups": true}
	d := reflect.TypeFor[plan.Desired]()
	for i := range d.NumField() {
		if !known[d.Field(i).Name] {
			t.Errorf("Desired.%s is not compared by Plans", d.Field(i).Name)
		}
	}
}
