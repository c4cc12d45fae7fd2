package record

import "strings"

// Statuses are those of the filter as text.
func (f Filter) Statuses() []string {
	texts := make([]string, len(f.Status))
	for i, s := range f.Status {
		texts[i] = string(s)
	}
	return texts
}

// Pattern is Search for LIKE, with the backslash as its escape.
func (f Filter) Pattern() string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(CleanText(f.Search)) + "%"
}
