package source

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// FormatOfName guesses the format of a source by the extension of its path or
// address; Auto where that says nothing. It serves where the content is not at
// hand: Sniff decides.
func FormatOfName(address string) Format {
	name := address
	if u, err := url.Parse(address); err == nil && u.Path != "" {
		name = u.Path
	}
	name = strings.ToLower(path.Base(name))
	ext := strings.TrimPrefix(path.Ext(name), ".")
	switch {
	case strings.HasSuffix(name, ".copc.laz"):
		return COPC
	case ext == "jpg" || ext == "jpeg" || ext == "tif" || ext == "tiff":
		return Photos
	case ext != "" && slices.Contains(Formats(), Format(ext)):
		return Format(ext)
	}
	return Auto
}
