package pointcloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/codec/las"
	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/pipeline"
)

// RecordInfo names a variable length record.
type RecordInfo struct {
	User        string `json:"user"`
	ID          uint16 `json:"id"`
	Size        int    `json:"size"`
	Extended    bool   `json:"extended,omitempty"`
	Description string `json:"description,omitempty"`
}

// FileInfo is what a file says of itself, and what its points say where statistics
// were asked for.
type FileInfo struct {
	File        string          `json:"file"`
	Version     string          `json:"version"`
	PointFormat uint8           `json:"pointFormat"`
	RecordSize  uint16          `json:"recordSize"`
	Compressed  bool            `json:"compressed"`
	Points      uint64          `json:"points"`
	Chunks      int             `json:"chunks"`
	System      string          `json:"system,omitempty"`
	Software    string          `json:"software,omitempty"`
	Created     string          `json:"created,omitempty"`
	Scale       [3]float64      `json:"scale"`
	Offset      [3]float64      `json:"offset"`
	Bounds      Bounds          `json:"bounds"`
	Returns     []uint64        `json:"returns"`
	CRS         *CRSInfo        `json:"crs,omitempty"`
	WGS84       *GeoBounds      `json:"wgs84,omitempty"`
	Records     []RecordInfo    `json:"records"`
	Dimensions  []DimensionInfo `json:"dimensions"`
	Classes     []ClassInfo     `json:"classes,omitempty"`
	Warnings    []string        `json:"warnings"`

	stats bool
}

// InfoParams is what Info is asked.
type InfoParams struct {
	// Stats reads all points for the statistics of every dimension.
	Stats bool
	// CRS overrides that of the file; empty for none.
	CRS     string
	Workers int
}

// Info reads what a LAS or LAZ file holds. Damaged files are a
// pipeline.BadInputError.
func Info(ctx context.Context, path string, p InfoParams) (*FileInfo, error) {
	r, err := las.Open(path, las.WithContext(ctx))
	if err != nil {
		return nil, pipeline.BadInput(err, "")
	}
	defer r.Close()
	h := r.Header()
	info := &FileInfo{
		File: filepath.Base(path), Version: fmt.Sprintf("%d.%d", h.VersionMajor, h.VersionMinor),
		PointFormat: h.PointFormat, RecordSize: h.PointRecordLength, Compressed: h.Compressed, Points: r.NumPoints(), Chunks: len(r.Chunks()),
		System: h.SystemIdentifier, Software: h.GeneratingSoftware, Scale: h.Scale, Offset: h.Offset,
		Bounds: Bounds{h.Min, h.Max}, Returns: trimZeros(h.PointsByReturn[:]), Records: []RecordInfo{}, Warnings: r.Warnings(),
	}
	if h.CreationYear != 0 {
		info.Created = fmt.Sprintf("%d, day %d", h.CreationYear, h.CreationDay)
	}
	for _, v := range r.VLRs() {
		info.Records = append(info.Records, RecordInfo{v.UserID, v.RecordID, len(v.Data), v.Extended, v.Description})
	}
	extra, err := las.FindExtraBytes(r.VLRs(), r.Layout())
	if err != nil {
		info.Warnings = append(info.Warnings, err.Error())
	}
	stats := newStatistics(r.Layout(), extra)
	m := &meta{Points: r.NumPoints(), Header: h, Stats: stats}
	if p.Stats && r.NumPoints() > 0 {
		if err := readStatistics(ctx, r, stats, extra, p.Workers); err != nil {
			return nil, err
		}
		m.Min, m.Max = stats.bounds()
		info.stats = true
		info.Bounds = boundsOf(m)
		info.Returns = trimZeros(stats.Returns[1:])
		info.Classes = classInfos(stats.Classes[:])
	}
	info.Dimensions = dimensionInfos(m)
	info.addCRS(r.VLRs(), p.CRS)
	return info, nil
}

func readStatistics(ctx context.Context, r *las.Reader, total *statistics, extra []las.ExtraBytes, workers int) error {
	parts := make(chan *statistics, 1)
	parts <- total
	err := r.Each(ctx, workers, func(c las.Chunk, records []byte) error {
		part := newStatistics(r.Layout(), extra)
		part.add(records, make([]int32, 3*c.Points))
		sum := <-parts
		sum.merge(part)
		parts <- sum
		return nil
	})
	var damaged *las.FormatError
	if errors.As(err, &damaged) {
		return pipeline.BadInput(err, "")
	}
	return err
}

// addCRS describes the CRS and puts the bounds on WGS 84.
func (f *FileInfo) addCRS(vlrs []las.VLR, override string) {
	text, err := fileCRS(vlrs)
	var c *crs.CRS
	if override != "" {
		if c, err = crs.Parse(override); err == nil {
			text = crsInfo{Definition: override, WKT: c.WKT(), Origin: "option"}
		}
	} else if err == nil {
		c, err = text.crs()
	}
	switch {
	case err != nil:
		f.Warnings = append(f.Warnings, fmt.Sprintf("the coordinate system is not understood: %v", err))
		return
	case c == nil:
		f.Warnings = append(f.Warnings, "the file does not say its coordinate system")
		return
	}
	info := describeCRS(c, text)
	geo, note, err := geoBoundsOf(f.Bounds, c)
	if err != nil {
		f.Warnings = append(f.Warnings, fmt.Sprintf("bounds on WGS 84 are left out: %v", err))
	} else {
		info.Note = note
		f.WGS84 = &geo
	}
	f.CRS = &info
}

// WriteText writes it for people.
func (f *FileInfo) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	line := func(name, text string, args ...any) { fmt.Fprintf(t, name+"\t"+text+"\n", args...) }
	kind := "LAS"
	if f.Compressed {
		kind = "LAZ"
	}
	line("file", "%s", f.File)
	line("format", "%s %s, point format %d, %d bytes a point", kind, f.Version, f.PointFormat, f.RecordSize)
	line("points", "%s in %d chunks", format.Count(int64(f.Points)), f.Chunks)
	if f.Software != "" || f.System != "" {
		line("made by", "%s", strings.Trim(f.Software+" / "+f.System, " /"))
	}
	if f.Created != "" {
		line("created", "%s", f.Created)
	}
	for i, axis := range []string{"x", "y", "z"} {
		line(axis, "%.6g to %.6g\tscale %g\toffset %g", f.Bounds.Min[i], f.Bounds.Max[i], f.Scale[i], f.Offset[i])
	}
	if f.CRS != nil {
		line("CRS", "%s (%s, heights in %s)", f.CRS.Name, f.CRS.HorizontalUnit, f.CRS.VerticalUnit)
		if f.CRS.EPSG != 0 {
			line("EPSG", "%d", f.CRS.EPSG)
		}
	}
	if g := f.WGS84; g != nil {
		line("WGS 84", "%.6f to %.6f east, %.6f to %.6f north", g.West, g.East, g.South, g.North)
	}
	for i, n := range f.Returns {
		line(fmt.Sprintf("return %d", i+1), "%s points", format.Count(int64(n)))
	}
	for _, c := range f.Classes {
		line(fmt.Sprintf("class %d", c.Class), "%s points\t%s", format.Count(int64(c.Points)), c.Name)
	}
	for _, r := range f.Records {
		line("record", "%s/%d\t%d bytes\t%s", r.User, r.ID, r.Size, r.Description)
	}
	for _, text := range f.Warnings {
		line("warning", "%s", text)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return f.writeDimensions(w)
}

func (f *FileInfo) writeDimensions(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	if f.stats {
		fmt.Fprint(t, "\ndimension\ttype\tmin\tmax\tmean\tstddev\n")
	} else {
		fmt.Fprint(t, "\ndimension\ttype\t(--stats reads all points)\n")
	}
	for _, d := range f.Dimensions {
		fmt.Fprintf(t, "%s\t%s %d", d.Name, d.Type, d.Size)
		if f.stats {
			fmt.Fprintf(t, "\t%.10g\t%.10g\t%.10g\t%.6g", d.Min, d.Max, d.Mean, d.StdDev)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}
