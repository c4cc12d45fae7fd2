// Command photogrammetry measures a reconstruction of a synthetic survey against its
// truth:
//
//	slate360-worker sample photos demo
//	slate360-worker process demo/photos --out result
//	gdal_translate -of PNG -co WORLDFILE=YES result/orthophoto.tif orthophoto.png
//	mv orthophoto.wld orthophoto.pgw
//	go run ./bench/photogrammetry -truth demo/truth -model result/colmap -mesh result/photos_lod0.glb \
//		-ortho orthophoto.png -frame result/cameras.json
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"

	"slate360.ai/worker/internal/evaluate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, w io.Writer) error {
	flags := flag.NewFlagSet("photogrammetry", flag.ContinueOnError)
	truth := flags.String("truth", "", "folder truth of a sample")
	var files evaluate.Files
	flags.StringVar(&files.Model, "model", "", "folder of a COLMAP model")
	flags.StringVar(&files.Mesh, "mesh", "", "PLY or GLB in the frame of the model")
	flags.StringVar(&files.Ortho, "ortho", "", "GeoTIFF, or PNG with a world file")
	flags.StringVar(&files.Frame, "frame", "", "cameras.json of the result, which says where the frame of the model lies")
	out := flags.String("json", "", "file for all figures")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *truth == "" || files.Model == "" {
		return fmt.Errorf("-truth and -model are needed")
	}
	r, err := evaluate.Compare(ctx, *truth, files, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	table(w, r)
	if *out == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(*out, append(b, '\n'), 0o666)
}

func table(w io.Writer, r *evaluate.Report) {
	c := r.Cameras
	fmt.Fprintf(w, "ground sampling distance  %.4f m\n", r.GSD)
	fmt.Fprintf(w, "cameras                   %d of %d registered\n", c.Registered, c.Photos)
	fmt.Fprintf(w, "  position                %.3f GSD rms, %.3f mean, %.3f max\n", c.RMS, c.Mean, c.Max)
	fmt.Fprintf(w, "  rotation                %.4f° mean; scale %.6f\n", c.Rotation, c.ToTruth.Scale)
	if s := r.Surface; s != nil {
		fmt.Fprintf(w, "surface                   %d and %d samples, median %.3f GSD to the truth, %.3f back\n", s.ResultSamples, s.TruthSamples, s.MedianToTruth/r.GSD, s.MedianToResult/r.GSD)
		for _, f := range s.Scores {
			fmt.Fprintf(w, "  within %.0f GSD            precision %.3f, recall %.3f, F %.3f\n", f.Threshold/r.GSD, f.Precision, f.Recall, f.F)
		}
	}
	if o := r.Ortho; o != nil {
		fmt.Fprintf(w, "orthophoto                %d of %d places found, %.0f %% covered\n", o.Places, o.Tried, 100*o.Covered)
		fmt.Fprintf(w, "  shift                   %.3f pixels rms, %.3f median, %.3f at 90 %%, mean %.3f east %.3f south\n", o.RMS, o.Median, o.P90, o.East, o.South)
		fmt.Fprintf(w, "  brightness              correlation %.3f, difference %.1f of 255 rms\n", o.Correlation, o.Difference)
	}
}
