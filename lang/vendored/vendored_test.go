package vendored

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func vendoredTree(t *testing.T) fstest.MapFS {
	t.Helper()
	files := map[string][]byte{"main.ha.hcl": []byte("a"), "sub/x.ha.hcl": []byte("b")}
	record, err := json.Marshal(New("https://example.net/x.git", "v1.0", "0123", "", files))
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"vendor/x/" + File: {Data: record}, "main.ha.hcl": {}}
	for name, src := range files {
		fsys["vendor/x/"+name] = &fstest.MapFile{Data: src}
	}
	return fsys
}

func TestACopyMustBeWhatWasCopied(t *testing.T) {
	tests := []struct {
		name string
		edit func(fstest.MapFS)
		want string // empty: nothing is said
	}{
		{"untouched", func(fstest.MapFS) {}, ""},
		{"changed", func(f fstest.MapFS) { f["vendor/x/main.ha.hcl"] = &fstest.MapFile{Data: []byte("c")} }, "main.ha.hcl was changed. It is v1.0 of https://example.net/x.git no longer"},
		{"added", func(f fstest.MapFS) { f["vendor/x/sub/y"] = &fstest.MapFile{} }, "sub/y was added"},
		{"removed", func(f fstest.MapFS) { delete(f, "vendor/x/sub/x.ha.hcl") }, "sub/x.ha.hcl was removed"},
		{"no JSON", func(f fstest.MapFS) { f["vendor/x/"+File] = &fstest.MapFile{Data: []byte("{")} }, "unexpected end"},
		{"an edited record", func(f fstest.MapFS) {
			f["vendor/x/"+File].Data = []byte(strings.Replace(string(f["vendor/x/"+File].Data), "sub/x", "sub/z", 1))
		}, "it was edited"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := vendoredTree(t)
			tt.edit(fsys)
			ds := Check(fsys, []string{"main.ha.hcl", "vendor/x/main.ha.hcl", "vendor/x/sub/x.ha.hcl"})
			switch {
			case tt.want == "" && len(ds) > 0:
				t.Errorf("%v", ds)
			case tt.want != "" && (len(ds) != 1 || ds[0].Code != "HA1021" || !strings.Contains(ds[0].Detail, tt.want)):
				t.Errorf("%v, want %q", ds, tt.want)
			}
		})
	}
}

func TestWhatIsReadHasNoRecordAndNoGit(t *testing.T) {
	fsys := vendoredTree(t)
	fsys["vendor/x/.git/config"] = &fstest.MapFile{}
	files, err := Read(fsys, "vendor/x")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"main.ha.hcl", "sub/x.ha.hcl"}) {
		t.Errorf("%v", names)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"digest":"sha256:","files":{"a":"b"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		Check(fstest.MapFS{"x/" + File: {Data: raw}, "x/a": {}}, []string{"x/a"})
	})
}
