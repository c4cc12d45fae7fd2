package obj

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strconv"
)

// Model is what Write writes: triangles in groups, each with a material.
type Model struct {
	// Positions are xyz triples, UVs pairs with v upwards, as OBJ has it; one of
	// each a vertex. UVs may be nil.
	Positions, UVs []float32
	// Groups of triangles.
	Groups []Group
	// Offset is added to positions as they are written, so that large coordinates
	// (those of a map, say) keep their digits.
	Offset [3]float64
	// Library is the name of the material library, beside the model.
	Library string
	// Comment stands at the top; may be empty.
	Comment string
}

// Group is triangles of one material.
type Group struct {
	Material string
	// Triangles are three indices of vertices each, from 0.
	Triangles []uint32
}

// WriteMaterials writes a material library in which each material is a texture:
// its name and, for map_Kd, a file beside the library.
func WriteMaterials(w io.Writer, names, textures []string) error {
	b := bufio.NewWriter(w)
	for i, name := range names {
		fmt.Fprintf(b, "newmtl %s\nKa 1 1 1\nKd 1 1 1\nKs 0 0 0\nd 1\nillum 1\nmap_Kd %s\n\n", name, path.Base(textures[i]))
	}
	return b.Flush()
}

// Write writes a model. An index beyond the vertices is an error.
func Write(w io.Writer, m Model) error {
	vertices := len(m.Positions) / 3
	if len(m.Positions)%3 != 0 || m.UVs != nil && len(m.UVs) != 2*vertices {
		return fmt.Errorf("obj: %d numbers of positions and %d of texture coordinates do not fit", len(m.Positions), len(m.UVs))
	}
	b := bufio.NewWriterSize(w, 1<<16)
	if m.Comment != "" {
		fmt.Fprintf(b, "# %s\n", m.Comment)
	}
	if m.Library != "" {
		fmt.Fprintf(b, "mtllib %s\n", path.Base(m.Library))
	}
	var line []byte
	for i := range vertices {
		line = append(line[:0], 'v')
		for a := range 3 {
			line = append(line, ' ')
			line = strconv.AppendFloat(line, float64(m.Positions[3*i+a])+m.Offset[a], 'f', 4, 64)
		}
		if _, err := b.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	for i := 0; i+1 < len(m.UVs); i += 2 {
		line = append(line[:0], "vt "...)
		line = strconv.AppendFloat(line, float64(m.UVs[i]), 'f', 6, 32)
		line = append(line, ' ')
		line = strconv.AppendFloat(line, float64(m.UVs[i+1]), 'f', 6, 32)
		if _, err := b.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	for _, g := range m.Groups {
		if err := writeGroup(b, &g, vertices, m.UVs != nil, line); err != nil {
			return err
		}
	}
	return b.Flush()
}

func writeGroup(b *bufio.Writer, g *Group, vertices int, textured bool, line []byte) error {
	if len(g.Triangles)%3 != 0 {
		return fmt.Errorf("obj: group %s has %d indices, not a multiple of 3", g.Material, len(g.Triangles))
	}
	if g.Material != "" {
		fmt.Fprintf(b, "usemtl %s\n", g.Material)
	}
	for i := 0; i < len(g.Triangles); i += 3 {
		line = append(line[:0], 'f')
		for _, v := range g.Triangles[i : i+3] {
			if int(v) >= vertices {
				return fmt.Errorf("obj: group %s refers to vertex %d of %d", g.Material, v, vertices)
			}
			line = strconv.AppendUint(append(line, ' '), uint64(v)+1, 10)
			if textured {
				line = strconv.AppendUint(append(line, '/'), uint64(v)+1, 10)
			}
		}
		if _, err := b.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}
