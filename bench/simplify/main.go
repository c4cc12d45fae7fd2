// Command simplify compares geom/simplify with meshoptimizer (its WebAssembly from
// npm) at equal numbers of triangles: symmetric mean and greatest distance to the
// source, and time. It prints a table in Markdown.
//
// usage: go run ./bench/simplify MODEL.glb|MODEL.obj ...
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/codec/obj"
	"slate360.ai/worker/geom/meshdistance"
	"slate360.ai/worker/geom/simplify"
	"slate360.ai/worker/geom/weld"
)

const samples = 200_000

// script simplifies with meshoptimizer: raw positions and indices in, indices out.
const script = `
const fs = require('fs');
const [dir, ...targets] = process.argv.slice(2);
(async () => {
  const { MeshoptSimplifier: s } = await import('meshoptimizer');
  await s.ready;
  const read = (f, T) => { const b = fs.readFileSync(dir + '/' + f); return new T(b.buffer, b.byteOffset, b.length / 4); };
  const positions = new Float32Array(read('positions', Float32Array)), indices = new Uint32Array(read('indices', Uint32Array));
  for (const t of targets) {
    const start = process.hrtime.bigint();
    const [out] = s.simplify(indices, positions, 3, 3 * Number(t), 1);
    console.log(t, Number(process.hrtime.bigint() - start) / 1e9);
    fs.writeFileSync(dir + '/out.' + t, Buffer.from(out.buffer, out.byteOffset, out.byteLength));
  }
})();`

func main() {
	fmt.Println("| mesh | triangles left | ours, mean / max | meshoptimizer, mean / max | mean, of theirs | ours | theirs |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, path := range os.Args[1:] {
		if err := compare(path); err != nil {
			fmt.Fprintln(os.Stderr, path+":", err)
			os.Exit(1)
		}
	}
}

// read returns the places and triangles of a model.
func read(path string) (*simplify.Mesh, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var d *gltf.Document
	if strings.HasSuffix(path, ".obj") {
		d, err = obj.Read(data, obj.Options{File: func(string) ([]byte, error) { return nil, os.ErrNotExist }, Warn: func(string) {}})
	} else {
		d, err = gltf.Read(data, gltf.ReadOptions{Workers: runtime.NumCPU()})
	}
	if err != nil {
		return nil, err
	}
	var positions []float32
	var indices []uint32
	for _, m := range d.Meshes {
		for _, p := range m.Primitives {
			v, err := d.Floats(p.Attributes["POSITION"])
			if err != nil {
				return nil, err
			}
			in, err := d.Indices(*p.Indices)
			if err != nil {
				return nil, err
			}
			base := uint32(len(positions) / 3)
			positions = append(positions, v...)
			for _, i := range in {
				indices = append(indices, base+i)
			}
		}
	}
	// One vertex a place: seams of attributes are not looked at here.
	out := &simplify.Mesh{}
	number := map[uint32]uint32{}
	for i, p := range weld.Places(positions) {
		if int(p) == i {
			number[p] = uint32(len(out.Positions) / 3)
			out.Positions = append(out.Positions, positions[3*i:3*i+3]...)
		}
	}
	place := weld.Places(positions)
	for _, v := range indices {
		out.Indices = append(out.Indices, number[place[v]])
	}
	return out, nil
}

func compare(path string) error {
	m, err := read(path)
	if err != nil {
		return err
	}
	n := len(m.Indices) / 3
	for _, share := range []int{2, 10, 100} {
		theirs, seconds, err := meshoptimizer(m, n/share)
		if err != nil {
			return err
		}
		start := time.Now()
		levels, err := simplify.Simplify(context.Background(), m, simplify.Options{Targets: []simplify.Target{{Triangles: len(theirs) / 3}}, Workers: runtime.NumCPU()})
		if err != nil {
			return err
		}
		took := time.Since(start).Seconds()
		l := levels[0]
		ours := meshdistance.Mesh{Indices: l.Indices}
		for _, v := range l.Vertices {
			ours.Positions = append(ours.Positions, m.Positions[3*v:3*v+3]...)
		}
		a, err := distance(m, ours)
		if err != nil {
			return err
		}
		b, err := distance(m, meshdistance.Mesh{Positions: m.Positions, Indices: theirs})
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %d (%d %%) | %.3g / %.3g | %.3g / %.3g | %.3f | %.2f s | %.2f s |\n", filepath.Base(path), len(l.Indices)/3, 100/share, a.Mean, a.Max, b.Mean, b.Max, a.Mean/b.Mean, took, seconds)
	}
	return nil
}

func distance(m *simplify.Mesh, to meshdistance.Mesh) (meshdistance.Distance, error) {
	return meshdistance.Symmetric(context.Background(), meshdistance.Mesh{Positions: m.Positions, Indices: m.Indices}, to, samples, runtime.NumCPU())
}

func meshoptimizer(m *simplify.Mesh, triangles int) ([]uint32, float64, error) {
	dir, err := os.MkdirTemp("", "simplify")
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(dir)
	if err := errors.Join(write(filepath.Join(dir, "positions"), m.Positions), write(filepath.Join(dir, "indices"), m.Indices)); err != nil {
		return nil, 0, err
	}
	c := exec.Command("node", "-e", script, "x", dir, fmt.Sprint(triangles))
	c.Dir = ".tools/node_modules/@gltf-transform/cli"
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, 0, fmt.Errorf("meshoptimizer: %w", err)
	}
	var t int
	var seconds float64
	if _, err := fmt.Sscan(string(out), &t, &seconds); err != nil {
		return nil, 0, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("out.%d", triangles)))
	if err != nil {
		return nil, 0, err
	}
	indices := make([]uint32, len(raw)/4)
	_, err = binary.Decode(raw, binary.LittleEndian, indices)
	return indices, seconds, err
}

func write(path string, values any) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := binary.Write(f, binary.LittleEndian, values); err != nil {
		return err
	}
	return f.Close()
}
