package diag

import (
	"encoding/json"
	"io"
)

// Report is the JSON twin of Render: the fields of `terraform validate -json`, and ours.
type Report struct {
	FormatVersion string     `json:"format_version"`
	Valid         bool       `json:"valid"`
	ErrorCount    int        `json:"error_count"`
	WarningCount  int        `json:"warning_count"`
	Diagnostics   []Reported `json:"diagnostics"`
}

// Reported is a diagnostic with the line that it points to.
type Reported struct {
	Diagnostic
	Snippet *Snippet `json:"snippet,omitempty"`
}

// Snippet is the first line of a range, secrets masked; the offsets are bytes in Code.
type Snippet struct {
	Code                 string `json:"code"`
	StartLine            int    `json:"start_line"`
	HighlightStartOffset int    `json:"highlight_start_offset"`
	HighlightEndOffset   int    `json:"highlight_end_offset"`
}

// NewReport makes the document.
func NewReport(ds Diagnostics, sources map[string][]byte) Report {
	r := renderer{o: Options{Sources: sources}, files: map[string]*source{}}
	rep := Report{FormatVersion: "1.0", Valid: !ds.HasErrors(), Diagnostics: []Reported{}}
	rep.ErrorCount, rep.WarningCount = ds.Count()
	for _, d := range ds.Scrub(r.secrets()) {
		rep.Diagnostics = append(rep.Diagnostics, Reported{d, r.jsonSnippet(d.Range)})
	}
	return rep
}

func (r *renderer) jsonSnippet(at *Range) *Snippet {
	if at == nil {
		return nil
	}
	src := r.source(at.Filename)
	if src == nil {
		return nil
	}
	line, ok := src.line(at.Start.Line)
	if !ok {
		return nil
	}
	from := src.starts[at.Start.Line-1]
	start := min(max(at.Start.Byte-from, 0), len(line))
	end := len(line)
	if at.End.Line == at.Start.Line {
		end = min(max(at.End.Byte-from, start), len(line))
	}
	line, start, end = shown(line, start, end)
	return &Snippet{Code: string(line), StartLine: at.Start.Line, HighlightStartOffset: start, HighlightEndOffset: end}
}

// WriteJSON writes the report of diagnostics.
func WriteJSON(w io.Writer, ds Diagnostics, sources map[string][]byte) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(NewReport(ds, sources))
}
