package obj

import (
	"bytes"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"slate360.ai/worker/codec/gltf"
)

// use picks the material of the faces that follow. One that no library has gets a
// plain look.
func (r *reader) use(name string) error {
	if i, ok := r.materials[name]; ok {
		r.material = i
		return nil
	}
	if len(r.materials) >= maxMaterials {
		return fmt.Errorf("more than %d materials", maxMaterials)
	}
	m := &gltf.Material{PBR: &gltf.PBR{MetallicFactor: new(float64)}}
	m.Name = name
	r.d.Materials = append(r.d.Materials, m)
	r.material = len(r.d.Materials) - 1
	r.materials[name] = r.material
	return nil
}

// libraries reads the material libraries of a statement. Names with spaces are
// common: the whole is one name, else each word is.
func (r *reader) libraries(names string) {
	for _, list := range [][]string{{names}, strings.Fields(names)} {
		var missing string
		found := false
		for _, name := range list {
			data, dir, err := r.open("", name)
			if err != nil {
				missing = fmt.Sprintf("material library %q: %v", name, err)
				continue
			}
			found = true
			r.library(data, dir)
		}
		if found || len(strings.Fields(names)) < 2 || list[0] != names {
			if missing != "" {
				r.warn("%s", missing)
			}
			return
		}
	}
}

// open reads a file beside the model: by the path that is written, else by its name
// alone, since paths of the author's machine are common.
func (r *reader) open(dir, name string) (data []byte, folder string, err error) {
	if r.o.File == nil {
		return nil, "", fmt.Errorf("the file is not there")
	}
	local, err := sibling(dir, name)
	if err == nil {
		if data, err = r.o.File(local); err == nil {
			return data, path.Dir(local), nil
		}
	}
	base := path.Base(strings.ReplaceAll(name, "\\", "/"))
	if other, err2 := sibling(dir, base); err2 == nil && other != local {
		if data, err2 := r.o.File(other); err2 == nil {
			return data, path.Dir(other), nil
		}
	}
	return nil, "", err
}

// library reads the materials of a library.
func (r *reader) library(data []byte, dir string) {
	var m *mtl
	finish := func() {
		if m != nil {
			r.add(m, dir)
		}
	}
	for raw := range bytes.Lines(data) {
		fields := strings.Fields(string(raw))
		if len(fields) < 2 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if fields[0] == "newmtl" {
			finish()
			m = &mtl{name: strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(string(raw)), "newmtl")), maps: map[string][]string{}, roughness: -1, metallic: -1, alpha: 1, diffuse: [3]float64{1, 1, 1}, shine: -1}
			continue
		}
		if m != nil {
			m.statement(strings.ToLower(fields[0]), fields[1:])
		}
	}
	finish()
}

// mtl is one material as a library has it.
type mtl struct {
	name                string
	diffuse, emissive   [3]float64
	hasDiffuse          bool
	alpha, shine        float64
	roughness, metallic float64 // -1: not said
	maps                map[string][]string
}

func (m *mtl) statement(word string, args []string) {
	number := func() float64 {
		v, err := strconv.ParseFloat(args[0], 64)
		if err != nil || math.IsNaN(v) {
			return 0
		}
		return v
	}
	color := func() [3]float64 {
		var c [3]float64
		for i := range c {
			v, err := strconv.ParseFloat(args[min(i, len(args)-1)], 64)
			if err != nil || math.IsNaN(v) {
				v = 0
			}
			c[i] = gltf.Linear(v)
		}
		return c
	}
	switch word {
	case "kd":
		m.diffuse, m.hasDiffuse = color(), true
	case "ke":
		m.emissive = color()
	case "ns":
		m.shine = number()
	case "d":
		m.alpha = number()
	case "tr":
		m.alpha = 1 - number()
	case "pr":
		m.roughness = number()
	case "pm":
		m.metallic = number()
	case "map_kd", "map_ke", "map_d", "map_bump", "bump", "norm", "map_pr", "map_pm", "map_ka":
		m.maps[word] = args
	}
}

// add makes a material of glTF.
func (r *reader) add(m *mtl, dir string) {
	if err := r.use(m.name); err != nil {
		return // the limit is met again, and told, where a face uses one
	}
	out := r.d.Materials[r.material]
	r.material = -1
	clamp := func(v float64) float64 { return min(max(v, 0), 1) }
	metallic, roughness := clamp(max(m.metallic, 0)), 1.0
	switch {
	case m.roughness >= 0:
		roughness = clamp(m.roughness)
	case m.shine >= 0:
		// The exponent of Phong that gives highlights of the same width (B. Karis,
		// "Specular BRDF reference").
		roughness = math.Pow(2/(m.shine+2), 0.25)
	}
	out.PBR = &gltf.PBR{MetallicFactor: &metallic, RoughnessFactor: &roughness}
	if t := r.texture(m.maps["map_kd"], dir); t != nil {
		out.PBR.BaseColorTexture = t
		// With a picture, programs write any colour beside it, black too.
		if m.diffuse == ([3]float64{}) {
			m.diffuse = [3]float64{1, 1, 1}
		}
	}
	alpha := clamp(m.alpha)
	if alpha == 0 && m.maps["map_d"] == nil {
		alpha = 1 // some programs write "d 0" or "Tr 1" for opaque ones
	}
	out.PBR.BaseColorFactor = &[4]float64{m.diffuse[0], m.diffuse[1], m.diffuse[2], alpha}
	if alpha < 1 {
		out.AlphaMode = "BLEND"
	}
	if m.maps["map_d"] != nil && out.PBR.BaseColorTexture != nil && strings.Join(m.maps["map_d"], " ") == strings.Join(m.maps["map_kd"], " ") {
		out.AlphaMode = "MASK"
	}
	if t := r.texture(m.maps["map_ke"], dir); t != nil {
		out.EmissiveTexture, m.emissive = t, [3]float64{1, 1, 1}
	}
	if m.emissive != ([3]float64{}) {
		out.EmissiveFactor = &m.emissive
	}
	out.NormalTexture = r.texture(m.maps["norm"], dir)
	for _, name := range []string{"map_bump", "bump"} {
		if out.NormalTexture == nil && m.maps[name] != nil {
			r.warn("material %q: its bump map is left out: glTF has normal maps only", m.name)
		}
	}
}

// texture adds the picture of a map statement: options, then a name, which may
// have spaces. A missing one is a warning.
func (r *reader) texture(args []string, dir string) *gltf.TextureInfo {
	wrap := 0
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		n := map[string]int{"-blendu": 1, "-blendv": 1, "-boost": 1, "-mm": 2, "-texres": 1, "-clamp": 1, "-bm": 1, "-imfchan": 1, "-type": 1, "-colorspace": 1, "-o": 0, "-s": 0, "-t": 0}
		skip, known := n[args[0]]
		if !known {
			break
		}
		if args[0] == "-clamp" && args[1] == "on" {
			wrap = gltf.ClampToEdge
		}
		args = args[1:]
		if skip > 0 {
			args = args[min(skip, len(args)-1):]
			continue
		}
		for len(args) > 1 {
			if _, err := strconv.ParseFloat(args[0], 64); err != nil {
				break
			}
			args = args[1:]
		}
	}
	if len(args) == 0 {
		return nil
	}
	name := strings.Join(args, " ")
	data, folder, err := r.open(dir, name)
	if err != nil {
		r.warn("texture %q is left out: %v", name, err)
		return nil
	}
	if i, ok := r.textures[folder+"/"+name]; ok {
		return &gltf.TextureInfo{Index: i}
	}
	var sampler *gltf.Sampler
	if wrap != 0 {
		sampler = &gltf.Sampler{WrapS: wrap, WrapT: wrap}
	}
	i := r.d.AddTexture(strings.TrimSuffix(path.Base(name), path.Ext(name)), data, sampler)
	r.textures[folder+"/"+name] = i
	return &gltf.TextureInfo{Index: i}
}
