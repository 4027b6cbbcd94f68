package diff

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"hafile/lang/plan"
)

// leaf is one value that differs between two things of a plan. Its row says what that
// means; its path names it as the language does.
type leaf struct {
	row    string // "Instance.AdvertMs", a key of rows
	path   string
	key    string // in a list: which element, "172.29.88.222/32"
	order  bool   // the elements of a list stand in another order, nothing else
	before json.RawMessage
	after  json.RawMessage

	sensitive bool
	src       plan.Src
	gone      bool // src is a position in the running plan's files
}

var null = json.RawMessage("null")

// added reports whether the leaf's element or value was absent before.
func (l leaf) added() bool { return string(l.before) == "null" }

// removed reports whether it is absent now.
func (l leaf) removed() bool { return string(l.after) == "null" }

// leaves walks two things of one type side by side and lists what differs. A nil
// pointer stands for a thing that is not there. The type decides everything: this walk
// is the only place that knows plan types by reflection, and a field of a plan type
// that has no row is a mistake in this package, found by its test.
func leaves[T any](before, after *T) []leaf {
	var w walker
	w.block(reflect.ValueOf(before), reflect.ValueOf(after), place{})
	return w.found
}

// place is where the walk is. In an element of a list, bare is the path of the list,
// by which the element itself goes.
type place struct {
	path string
	bare string
	key  string
	src  plan.Src
	gone bool
}

func (p place) join(word string) place {
	switch {
	case word == "":
	case p.path == "":
		p.path = word
	default:
		p.path += "." + word
	}
	return p
}

type walker struct{ found []leaf }

var (
	typeSecret = reflect.TypeFor[plan.Secret]()
	typeSrc    = reflect.TypeFor[plan.Src]()
	typeVia    = reflect.TypeFor[plan.Via]()
	typeAddr   = reflect.TypeFor[netip.Addr]()
	typePrefix = reflect.TypeFor[netip.Prefix]()
)

// block walks two structs, each given as a struct or as a pointer that may be nil.
func (w *walker) block(before, after reflect.Value, at place) {
	before, after = reflect.Indirect(before), reflect.Indirect(after)
	some := after
	if !some.IsValid() {
		some = before
	}
	if !some.IsValid() {
		return
	}
	t := some.Type()
	for i := range t.NumField() {
		name := t.Name() + "." + t.Field(i).Name
		r, known := rows[name]
		switch {
		case t.Field(i).Type == typeSrc || t.Field(i).Type == typeVia || r.skip:
		case !known:
			panic("diff: no row for " + name)
		default:
			w.field(name, r, fieldOf(before, i), fieldOf(after, i), at)
		}
	}
}

func fieldOf(v reflect.Value, i int) reflect.Value {
	if !v.IsValid() {
		return v
	}
	return v.Field(i)
}

// field walks one field of a struct; either side is invalid where the struct is absent.
func (w *walker) field(name string, r row, before, after reflect.Value, at place) {
	some := after
	if !some.IsValid() {
		some = before
	}
	t := some.Type()
	switch {
	case r.key != "" || r.keyed:
		w.list(name, r, before, after, at)
	case r.each:
		w.set(name, r, before, after, at.join(r.word))
	case t.Kind() == reflect.Map:
		w.entries(name, before, after, at.join(r.word))
	case isBlock(t):
		w.block(before, after, at.join(r.word))
	case r.isKey:
		at.path = at.bare
		w.value(name, before, after, at.join(r.wordFor(some)))
	default:
		w.value(name, before, after, at.join(r.word))
	}
}

var trackWords = []string{"script", "check", "interface", "route", "instance"}

// wordFor is the argument of a key field: in `track` it is named by what it refers to.
func (r row) wordFor(v reflect.Value) string {
	if a, is := v.Interface().(plan.Addr); is && slices.Contains(trackWords, a.Kind()) {
		return a.Kind()
	}
	return r.word
}

// isBlock reports whether a type is a struct of the plan with rows of its own.
func isBlock(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && t != typeSecret && t != typeAddr && t != typePrefix
}

// value compares two leaves by what the plan shows of them; secrets by their content.
func (w *walker) value(name string, before, after reflect.Value, at place) {
	b, a := show(name, before), show(name, after)
	l := leaf{row: name, path: at.path, key: at.key, before: b, after: a, src: at.src, gone: at.gone}
	if sb, sa := secretOf(before), secretOf(after); sb != sa {
		l.sensitive = true
		w.found = append(w.found, l)
		return
	}
	if string(b) != string(a) {
		w.found = append(w.found, l)
	}
}

// hidden compares two texts that nobody may read in a plan.
func (w *walker) hidden(name string, before, after reflect.Value, at place) {
	word := func(v reflect.Value) json.RawMessage {
		if !v.IsValid() {
			return null
		}
		return quote(plan.Redacted)
	}
	if before.IsValid() != after.IsValid() || before.IsValid() && before.String() != after.String() {
		w.found = append(w.found, leaf{
			row: name, path: at.path, key: at.key, before: word(before), after: word(after), src: at.src, gone: at.gone, sensitive: true,
		})
	}
}

// secretOf is the secret that v holds; zero for everything else.
func secretOf(v reflect.Value) plan.Secret {
	if v.IsValid() && v.Type() == typeSecret {
		return v.Interface().(plan.Secret)
	}
	return plan.Secret{}
}

// list compares two lists of structs by the key field of their elements.
func (w *walker) list(name string, r row, before, after reflect.Value, at place) {
	bs, as := elements(before, r.key), elements(after, r.key)
	for _, a := range as {
		b, _ := find(bs, a.key)
		w.block(b.value, a.value, at.element(r, a))
	}
	for _, b := range bs {
		if _, stays := find(as, b.key); !stays {
			w.block(b.value, reflect.Value{}, at.element(r, b).vanished())
		}
	}
	w.reordered(name, bs, as, at.join(r.word))
}

// element is the place of one element of a list.
func (p place) element(r row, e element) place {
	p = p.join(r.word)
	p.bare, p.key, p.src = p.path, e.key, e.src
	p.path += "[" + strconv.Quote(e.key) + "]"
	return p
}

func (p place) vanished() place {
	p.gone = true
	return p
}

// element is an element of a list under its key. Of several with one key (Verify
// refuses them) the later ones get a number, so that none is lost.
type element struct {
	key   string
	value reflect.Value
	src   plan.Src
}

func elements(list reflect.Value, keyField string) []element {
	if !list.IsValid() {
		return nil
	}
	seen := map[string]int{}
	all := make([]element, 0, list.Len())
	for i := range list.Len() {
		v := list.Index(i)
		e := element{key: keyOf(v, keyField), value: v}
		if v.Kind() == reflect.Struct {
			if src := v.FieldByName("Src"); src.IsValid() {
				e.src = src.Interface().(plan.Src)
			}
		}
		if seen[e.key]++; seen[e.key] > 1 {
			e.key += "#" + strconv.Itoa(seen[e.key])
		}
		all = append(all, e)
	}
	return all
}

// keyOf is what tells one element from another: a word itself, what a Key method says, or
// a field.
func keyOf(v reflect.Value, field string) string {
	if k, has := v.Interface().(interface{ Key() string }); has {
		return k.Key()
	}
	if field == "" {
		return v.String()
	}
	return fmt.Sprint(v.FieldByName(field).Interface())
}

func find(es []element, key string) (element, bool) {
	i := slices.IndexFunc(es, func(e element) bool { return e.key == key })
	if i < 0 {
		return element{}, false
	}
	return es[i], true
}

// set compares two lists of words one word at a time.
func (w *walker) set(name string, r row, before, after reflect.Value, at place) {
	bs, as := elements(before, ""), elements(after, "")
	for _, a := range as {
		if _, there := find(bs, a.key); !there {
			w.found = append(w.found, leaf{row: name, path: at.path, key: a.key, before: null, after: quote(a.key), src: at.src})
		}
	}
	for _, b := range bs {
		if _, stays := find(as, b.key); !stays {
			w.found = append(w.found, leaf{row: name, path: at.path, key: b.key, before: quote(b.key), after: null, src: at.src})
		}
	}
	w.reordered(name, bs, as, at)
}

// reordered adds a leaf when the elements on both sides stand in another order.
func (w *walker) reordered(name string, bs, as []element, at place) {
	b, a := common(bs, as), common(as, bs)
	if slices.Equal(b, a) {
		return
	}
	w.found = append(w.found, leaf{
		row: name, path: at.path + ".order", order: true, before: mustJSON(b), after: mustJSON(a), src: at.src,
	})
}

// common lists the keys of es that others has too, in the order of es.
func common(es, others []element) []string {
	var keys []string
	for _, e := range es {
		if _, there := find(others, e.key); there {
			keys = append(keys, e.key)
		}
	}
	return keys
}

// entries compares two maps of strings.
func (w *walker) entries(name string, before, after reflect.Value, at place) {
	for _, key := range mapKeys(before, after) {
		inside := at
		inside.path += "[" + strconv.Quote(key.String()) + "]"
		inside.key = key.String()
		if strings.HasSuffix(name, ".Headers") && plan.SecretHeader(inside.key) {
			w.hidden(name, entryOf(before, key), entryOf(after, key), inside)
			continue
		}
		w.value(name, entryOf(before, key), entryOf(after, key), inside)
	}
}

func mapKeys(ms ...reflect.Value) []reflect.Value {
	seen := map[string]reflect.Value{}
	for _, m := range ms {
		if m.IsValid() {
			for _, k := range m.MapKeys() {
				seen[k.String()] = k
			}
		}
	}
	keys := make([]reflect.Value, 0, len(seen))
	for _, k := range seen {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
	return keys
}

func entryOf(m, key reflect.Value) reflect.Value {
	if !m.IsValid() {
		return m
	}
	return m.MapIndex(key)
}

// show is a leaf's value as JSON in the form in which the language writes it: "2s" for
// 2000 ms, null for what is not set, a reference or "(sensitive)" for a secret.
func show(name string, v reflect.Value) json.RawMessage {
	if !v.IsValid() {
		return null
	}
	if r := rows[name]; r.unset && v.IsZero() {
		return null
	}
	switch x := v.Interface().(type) {
	case fmt.Stringer: // netip.Addr, netip.Prefix, plan.Secret
		return quote(x.String())
	case int64:
		if strings.HasSuffix(name, "Ms") {
			return quote(duration(x))
		}
	}
	return mustJSON(v.Interface())
}

// duration writes milliseconds as the language does.
func duration(ms int64) string {
	if ms%1000 == 0 {
		return strconv.FormatInt(ms/1000, 10) + "s"
	}
	return strconv.FormatInt(ms, 10) + "ms"
}

func quote(s string) json.RawMessage { return mustJSON(s) }

func mustJSON(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("diff: a plan value that cannot be written: %v", err))
	}
	return raw
}
