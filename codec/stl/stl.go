// Package stl reads models of the StereoLithography format, binary and ASCII.
//
// It follows the "StereoLithography Interface Specification" of 3D Systems (1988)
// and the two ways to colour triangles in binary files that Materialise Magics and
// VisCAM have.
package stl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"slate360.ai/worker/codec/gltf"
)

const (
	headerSize   = 84
	triangleSize = 50
)

// Read reads a model. Triangles of one file share no vertices: those of equal
// position are made one, so that surfaces hold together; normals are left out, since
// viewers make them of the triangles.
func Read(data []byte) (*gltf.Document, error) {
	b := &builder{lookup: map[[3]float32]uint32{}}
	var err error
	if isBinary(data) {
		err = b.binary(data)
	} else {
		err = b.ascii(data)
	}
	if err != nil {
		return nil, fmt.Errorf("stl: %w", err)
	}
	if len(b.g.Indices) == 0 {
		return nil, errors.New("stl: the file has no triangles")
	}
	d := &gltf.Document{Materials: []*gltf.Material{{PBR: &gltf.PBR{MetallicFactor: new(float64)}, DoubleSided: true}}}
	d.Asset.Generator = "slate360-worker"
	b.g.Mode = gltf.ModeTriangles
	d.SetRoots(d.AddNode(&gltf.Node{Mesh: gltf.Ref(d.AddMesh(b.name, d.AddGeometry(&b.g)))}))
	return d, nil
}

// isBinary tells by the size, since binary files may begin with "solid" too.
func isBinary(data []byte) bool {
	if len(data) < headerSize {
		return false
	}
	n := int64(binary.LittleEndian.Uint32(data[80:]))
	if int64(len(data)) == headerSize+triangleSize*n {
		return true
	}
	return !bytes.HasPrefix(bytes.TrimLeft(data[:80], " \t\r\n"), []byte("solid"))
}

type builder struct {
	g      gltf.Geometry
	lookup map[[3]float32]uint32
	name   string
	color  []float32 // of the triangle, nil without colours
}

func (b *builder) vertex(p [3]float32) {
	for k := range p {
		p[k] += 0 // -0 becomes 0
	}
	i, ok := b.lookup[p]
	if !ok || b.color != nil {
		i = uint32(len(b.g.Positions) / 3)
		b.lookup[p] = i
		b.g.Positions = append(b.g.Positions, p[:]...)
		b.g.Colors = append(b.g.Colors, b.color...)
	}
	b.g.Indices = append(b.g.Indices, i)
}

func (b *builder) binary(data []byte) error {
	n := int64(binary.LittleEndian.Uint32(data[80:]))
	body := data[headerSize:]
	if int64(len(body)) < triangleSize*n {
		return fmt.Errorf("the header says %d triangles, there are bytes for %d: was the upload complete?", n, len(body)/triangleSize)
	}
	magics, standard := magicsColor(data[:80])
	colored := magics
	if !magics {
		// VisCAM sets the highest bit where a triangle has a colour.
		colored = n > 0 && everyColored(body, n)
	}
	for i := range n {
		t := body[i*triangleSize:]
		if colored {
			b.color = triangleColor(binary.LittleEndian.Uint16(t[48:]), magics, standard)
		}
		for k := range 3 {
			var p [3]float32
			for a := range 3 {
				p[a] = math.Float32frombits(binary.LittleEndian.Uint32(t[12+12*k+4*a:]))
				if p[a]-p[a] != 0 {
					return fmt.Errorf("triangle %d has the coordinate %g", i, p[a])
				}
			}
			b.vertex(p)
		}
	}
	return nil
}

// magicsColor finds "COLOR=rgba" in the header.
func magicsColor(header []byte) (bool, []float32) {
	i := bytes.Index(header, []byte("COLOR="))
	if i < 0 || i+10 > len(header) {
		return false, nil
	}
	c := header[i+6:]
	return true, []float32{linear(c[0]), linear(c[1]), linear(c[2]), 1}
}

func everyColored(body []byte, n int64) bool {
	for i := range n {
		if body[i*triangleSize+49]&0x80 == 0 {
			return false
		}
	}
	return true
}

// triangleColor reads five bits a channel: red lowest for Magics, blue for VisCAM.
func triangleColor(v uint16, magics bool, standard []float32) []float32 {
	if magics && v&0x8000 != 0 {
		return standard
	}
	c := [3]byte{five(v), five(v >> 5), five(v >> 10)}
	if !magics {
		c[0], c[2] = c[2], c[0]
	}
	return []float32{linear(c[0]), linear(c[1]), linear(c[2]), 1}
}

func five(v uint16) byte { return byte(v & 31 * 255 / 31) }

func (b *builder) ascii(data []byte) error {
	line := 0
	corners := 0
	for raw := range bytes.Lines(data) {
		line++
		words := bytes.Fields(raw)
		if len(words) == 0 {
			continue
		}
		switch string(bytes.ToLower(words[0])) {
		case "solid":
			if b.name == "" && len(words) > 1 {
				b.name = string(words[1])
			}
		case "vertex":
			if len(words) < 4 {
				return fmt.Errorf("line %d: a vertex of %d coordinates", line, len(words)-1)
			}
			var p [3]float32
			for a := range 3 {
				v, err := strconv.ParseFloat(string(words[1+a]), 32)
				if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
					return fmt.Errorf("line %d: %.40q is not a number", line, words[1+a])
				}
				p[a] = float32(v)
			}
			b.vertex(p)
			corners++
		case "endloop":
			if corners != 3 {
				return fmt.Errorf("line %d: a facet of %d vertices", line, corners)
			}
			corners = 0
		}
	}
	if corners != 0 {
		return errors.New("the file ends within a facet: was the upload complete?")
	}
	return nil
}

func linear(c byte) float32 { return float32(gltf.Linear(float64(c) / 255)) }
