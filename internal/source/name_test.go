package source_test

import (
	"testing"

	"slate360.ai/worker/internal/source"
)

func TestFormatOfName(t *testing.T) {
	for name, want := range map[string]source.Format{
		"https://a.example/x/Scan.LAZ?X-Amz-Signature=1": source.LAZ,
		"s3://bucket/a/site.copc.laz":                    source.COPC,
		"/data/house.glb":                                source.GLB,
		"https://a.example/DJI_0001.JPG":                 source.Photos,
		"upload":                                         source.Auto,
		"x.unknown":                                      source.Auto,
		"":                                               source.Auto,
	} {
		if got := source.FormatOfName(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}
