package job

import (
	"path"
	"strings"
)

// ContentType returns the media type of an output, or of a page's part, by the
// extension of its name.
func ContentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".json", ".topojson":
		return "application/json"
	case ".geojson":
		return "application/geo+json"
	case ".glb":
		return "model/gltf-binary"
	case ".gltf":
		return "model/gltf+json"
	case ".las", ".laz": // copc.laz too
		return "application/vnd.las"
	case ".png":
		return "image/png"
	case ".webp":
		return "image/webp"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".tif", ".tiff":
		return "image/tiff"
	case ".html":
		return "text/html; charset=utf-8"
	case ".txt", ".mtl", ".csv":
		return "text/plain; charset=utf-8"
	case ".obj":
		return "model/obj"
	case ".stl":
		return "model/stl"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".terrain":
		return "application/vnd.quantized-mesh"
	case ".gz":
		return "application/gzip"
	case ".zip":
		return "application/zip"
	case ".xml":
		return "application/xml"
	case ".md":
		return "text/markdown; charset=utf-8"
	case ".wasm":
		return "application/wasm"
	}
	return "application/octet-stream"
}
