package photogrammetry

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
)

// Info is what is known of photos before anything is made of them.
type Info struct {
	Photos
	// Positioned is how many photos have a position that is believed, Used how many go
	// into a model.
	Used       int `json:"used"`
	Positioned int `json:"positioned"`
}

// ReadInfo looks at all photos of a source: a folder, or one photo.
func ReadInfo(ctx context.Context, path string, workers int, budget int64) (*Info, error) {
	v := &survey{workers: workers, budget: budget, progress: func(float64, float64) {}}
	p, err := v.run(ctx, path)
	if err != nil {
		return nil, err
	}
	used := p.used()
	return &Info{Photos: *p, Used: len(used), Positioned: positioned(used)}, nil
}

// WriteText writes it for people.
func (i *Info) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "photos\t%d, of which %d can be used\n", len(i.Photos.Photos), i.Used)
	fmt.Fprintf(t, "positions\t%d\n", i.Positioned)
	if i.GCPs != "" {
		fmt.Fprintf(t, "control points\t%s\n", i.GCPs)
	}
	for k, c := range i.Cameras {
		focal := "focal length not known"
		if c.FocalPixels > 0 {
			focal = fmt.Sprintf("focal length %.0f pixels (%s)", c.FocalPixels, c.FocalFrom)
		}
		fmt.Fprintf(t, "camera %d\t%s %s, %d × %d, %s, %d photos\n", k+1, c.Make, c.Model, c.Width, c.Height, focal, c.Photos)
	}
	for _, text := range i.Warnings {
		fmt.Fprintf(t, "warning\t%s\n", text)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return i.writePhotos(w)
}

func (i *Info) writePhotos(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprint(t, "\nphoto\tsize\ttaken\tlatitude\tlongitude\taltitude\tsharpness\tcamera\n")
	for _, p := range i.Photos.Photos {
		fmt.Fprintf(t, "%s\t%d × %d\t", p.File, p.Width, p.Height)
		if !p.Time.IsZero() {
			fmt.Fprint(t, p.Time.Format("2006-01-02 15:04:05.000"))
		}
		if g := p.GPS; g != nil {
			fmt.Fprintf(t, "\t%.7f\t%.7f\t", g.Latitude, g.Longitude)
			if g.Altitude != nil {
				fmt.Fprintf(t, "%.2f", *g.Altitude)
			}
		} else {
			fmt.Fprint(t, "\t\t\t")
		}
		if p.Used() {
			fmt.Fprintf(t, "\t%.2f\t%d\n", p.Look.Sharpness, p.Camera+1)
		} else {
			fmt.Fprintf(t, "\t\tleft out: %s\n", p.Excluded)
		}
	}
	return t.Flush()
}
