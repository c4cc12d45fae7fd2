package photogrammetry

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/codec/ply"
)

// fusedHeader is that of COLMAP's fused clouds, which other stages read.
const fusedHeader = `ply
format binary_little_endian 1.0
element vertex %d
property float x
property float y
property float z
property float nx
property float ny
property float nz
property uchar red
property uchar green
property uchar blue
end_header
`

// fusedFromOpenMVS turns the cloud of DensifyPointCloud, whose points name the photos
// that see them in a list, into COLMAP's two files.
func fusedFromOpenMVS(from, to, visibility string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("read OpenMVS' cloud: %w", err)
	}
	f, err := ply.Parse(data)
	if err != nil {
		return fmt.Errorf("read OpenMVS' cloud: %w", err)
	}
	e := f.Element("vertex")
	if e == nil || e.Count == 0 {
		return errors.New("OpenMVS' cloud is empty")
	}
	numbers := make([]*ply.Property, 6)
	for i, name := range []string{"x", "y", "z", "nx", "ny", "nz"} {
		numbers[i] = e.Property(name)
	}
	views := e.Property("view_indices")
	if numbers[0] == nil || numbers[1] == nil || numbers[2] == nil || views == nil || views.Count == 0 {
		return errors.New("OpenMVS' cloud lacks coordinates or view_indices")
	}
	colors := []*ply.Property{e.Property("red"), e.Property("green"), e.Property("blue")}
	if err := writeFused(to, e.Count, numbers, colors); err != nil {
		return fmt.Errorf("write cloud: %w", err)
	}
	list, offsets := make([]uint32, len(views.Values)), make([]uint32, 1, e.Count+1)
	for i, v := range views.Values {
		list[i] = uint32(v)
	}
	for _, end := range views.Ends {
		offsets = append(offsets, uint32(end))
	}
	return colmap.WriteVisibility(visibility, list, offsets)
}

func writeFused(path string, n int, numbers, colors []*ply.Property) error {
	return writeFile(path, func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<20)
		fmt.Fprintf(w, fusedHeader, n)
		row := make([]byte, 0, 27)
		for i := range n {
			row = row[:0]
			for _, p := range numbers {
				v := 0.0
				if p != nil {
					v = p.Values[i]
				}
				row = binary.LittleEndian.AppendUint32(row, math.Float32bits(float32(v)))
			}
			for _, p := range colors {
				v := 128.0
				if p != nil {
					v = p.Values[i]
				}
				row = append(row, uint8(max(0, min(255, v))))
			}
			_, _ = w.Write(row) // Flush returns the error
		}
		return w.Flush()
	})
}
