package mesh

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/geom/texture"
)

// Longest sides of the textures of tiles: those of leaves are finer.
const (
	leafTexture  = 2048
	innerTexture = 1024
	// cropShare is the part of a texture up to which a tile gets a cut-out of
	// its own.
	cropShare = 0.6
	cropEdge  = 4 // pixels beyond what is used, for filtering
	// repeatSlack is how far beyond a texture coordinates may be that mean its edge.
	repeatSlack = 0.01
)

// pictures decodes the images of a document once.
type pictures struct {
	doc  *gltf.Document
	use  []usage
	once []sync.Once
	list []*texture.Image
}

func newPictures(d *gltf.Document) *pictures {
	return &pictures{doc: d, use: usages(d), once: make([]sync.Once, len(d.Images)), list: make([]*texture.Image, len(d.Images))}
}

// get returns an image, nil where its format is kept as it is.
func (p *pictures) get(i int) *texture.Image {
	p.once[i].Do(func() {
		if v := p.doc.Images[i].BufferView; v != nil {
			if img, ok, err := decodeImage(p.doc.BufferViews[*v].Data); ok && err == nil {
				p.list[i] = texture.New(img)
			}
		}
	})
	return p.list[i]
}

// looks gives a tile the materials and textures that it uses: cut out of those of
// the model where it uses a part, and no larger than it needs.
type looks struct {
	from, to *gltf.Document
	pictures *pictures
	leaf     bool
	used     map[int]*look
	order    []int
}

// look is a material of the model in a tile.
type look struct {
	// uv is what all its textures do with coordinates, where same says that they do
	// alike: tiles have the result.
	uv   gltf.UVTransform
	same bool
	// repeats says that all textures go round.
	repeats    bool
	lo, hi     [2]float32 // of moved coordinates
	seen       bool
	primitives []*gltf.Primitive
}

func newLooks(from, to *gltf.Document, p *pictures, leaf bool) *looks {
	return &looks{from: from, to: to, pictures: p, leaf: leaf, used: map[int]*look{}}
}

func (l *looks) look(material int) *look {
	k := l.used[material]
	if k == nil {
		inf := float32(math.Inf(1))
		k = &look{lo: [2]float32{inf, inf}, hi: [2]float32{-inf, -inf}, repeats: true}
		for i, t := range textureInfos(l.from.Materials[material]) {
			uv, err := t.Transform()
			k.same = err == nil && (i == 0 || k.same && uv == k.uv)
			k.uv = uv
			if s := l.from.Textures[t.Index].Sampler; s != nil {
				w := l.from.Samplers[*s]
				k.repeats = k.repeats && (w.WrapS == 0 || w.WrapS == gltf.Repeat) && (w.WrapT == 0 || w.WrapT == gltf.Repeat)
			}
			if !k.same {
				break
			}
		}
		l.used[material] = k
		l.order = append(l.order, material)
	}
	return k
}

// coordinates moves the texture coordinates of a primitive as its material says, and
// gives them the name that they have in the tile; none where nothing uses them. It
// notes which part of the textures they are.
func (l *looks) coordinates(material *int, name string, uv []float32) string {
	if material == nil {
		return name
	}
	k := l.look(*material)
	switch {
	case !k.same:
		return name
	case name != "TEXCOORD_"+strconv.Itoa(k.uv.TexCoord):
		return ""
	}
	k.seen = true
	k.uv.Apply(uv)
	for i, v := range uv {
		k.lo[i%2], k.hi[i%2] = min(k.lo[i%2], v), max(k.hi[i%2], v)
	}
	return "TEXCOORD_0"
}

func (l *looks) use(material *int, p *gltf.Primitive) {
	if material == nil {
		return
	}
	k := l.look(*material)
	k.primitives = append(k.primitives, p)
}

// finish adds the materials to the document.
func (l *looks) finish(quality float64) error {
	for _, i := range l.order {
		k := l.used[i]
		m, err := l.material(i, k, quality)
		if err != nil {
			return err
		}
		l.to.Materials = append(l.to.Materials, m)
		for _, p := range k.primitives {
			p.Material = gltf.Ref(len(l.to.Materials) - 1)
		}
	}
	if !usesWebP(l.to) {
		l.to.Forget(gltf.ExtWebP)
	}
	if !l.moves() {
		l.to.Forget(gltf.ExtTextureTransform)
	}
	return nil
}

// moves tells whether a texture of the tile still moves coordinates: one of several
// that do so each in its way.
func (l *looks) moves() bool {
	for _, m := range l.to.Materials {
		for _, t := range textureInfos(m) {
			if _, ok := t.Extensions[gltf.ExtTextureTransform]; ok {
				return true
			}
		}
	}
	return false
}

// crop is a part of a texture, as a place and an extent of its coordinates.
type crop struct {
	u, v, w, h float32
	turns      [2]float32 // whole repeats that coordinates are beyond the texture
	done       bool       // whole pixels of the first texture were taken
}

// material copies a material, with its textures.
func (l *looks) material(i int, k *look, quality float64) (*gltf.Material, error) {
	raw, err := json.Marshal(l.from.Materials[i])
	if err != nil {
		return nil, err
	}
	m := &gltf.Material{}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, err
	}
	dropUnknown(m)
	part := k.crop()
	for _, t := range textureInfos(m) {
		if k.same {
			t.TexCoord = 0
			delete(t.Extensions, gltf.ExtTextureTransform)
		}
		if t.Index, err = l.texture(t.Index, part, quality); err != nil {
			return nil, fmt.Errorf("material %d: %w", i, err)
		}
	}
	if part != nil {
		for _, p := range k.primitives {
			l.remap(p, part)
		}
	}
	return m, nil
}

// textureInfos lists the textures of a material, those of extensions left out.
func textureInfos(m *gltf.Material) []*gltf.TextureInfo {
	var list []*gltf.TextureInfo
	if m.PBR != nil {
		list = append(list, m.PBR.BaseColorTexture, m.PBR.MetallicRoughnessTexture)
	}
	list = append(list, m.NormalTexture, m.OcclusionTexture, m.EmissiveTexture)
	return slices.DeleteFunc(list, func(t *gltf.TextureInfo) bool { return t == nil })
}

// dropUnknown takes extensions with textures out of a material: what they add is
// little, and how they refer is theirs.
func dropUnknown(m *gltf.Material) {
	for name := range maps.Clone(m.Extensions) {
		found := false
		extensionUsages(m.Extensions, name, func(*gltf.TextureInfo, usage) { found = true })
		if found {
			delete(m.Extensions, name)
		}
	}
}

// crop is what is used of the textures, nil where that is most of them, or goes
// round.
func (k *look) crop() *crop {
	if !k.same || !k.seen {
		return nil
	}
	c := &crop{}
	lo, hi := k.lo, k.hi
	for i := range lo {
		if k.repeats {
			c.turns[i] = float32(math.Floor(float64(lo[i]) + repeatSlack))
		}
		lo[i], hi[i] = lo[i]-c.turns[i], hi[i]-c.turns[i]
		if lo[i] < -repeatSlack || hi[i] > 1+repeatSlack {
			return nil
		}
		lo[i], hi[i] = max(lo[i], 0), min(hi[i], 1)
	}
	c.u, c.v, c.w, c.h = lo[0], lo[1], hi[0]-lo[0], hi[1]-lo[1]
	if c.w*c.h > cropShare {
		return nil
	}
	return c
}

// texture copies a texture, with a part of its image. The part becomes that which
// was cut, in whole pixels: all textures of a material are cut alike, by the first.
func (l *looks) texture(i int, part *crop, quality float64) (int, error) {
	t := &gltf.Texture{}
	t.Name = l.from.Textures[i].Name
	if s := l.from.Textures[i].Sampler; s != nil {
		l.to.Samplers = append(l.to.Samplers, l.from.Samplers[*s])
		t.Sampler = gltf.Ref(len(l.to.Samplers) - 1)
	}
	images := imagesOf(l.from.Textures[i])
	if len(images) == 0 {
		l.to.Textures = append(l.to.Textures, t)
		return len(l.to.Textures) - 1, nil
	}
	source := images[0]
	picture := l.pictures.get(source)
	img := &gltf.Image{}
	img.Name = l.from.Images[source].Name
	l.to.Images = append(l.to.Images, img)
	k := len(l.to.Images) - 1
	l.to.Textures = append(l.to.Textures, t)
	t.Source = gltf.Ref(k)
	if picture == nil { // KTX2 and the like
		img.MimeType = l.from.Images[source].MimeType
		img.BufferView = gltf.Ref(l.to.AddView(l.from.BufferViews[*l.from.Images[source].BufferView].Data, 0))
		t.Extensions, t.Source = l.from.Textures[i].Extensions, l.from.Textures[i].Source
		if t.Source != nil {
			t.Source = gltf.Ref(k)
		}
		for name := range t.Extensions {
			t.Extensions = gltf.Extensions{name: map[string]any{"source": k}}
		}
		return len(l.to.Textures) - 1, nil
	}
	if part != nil {
		picture = cut(picture, part)
	}
	side := innerTexture
	if l.leaf {
		side = leafTexture
	}
	u := l.pictures.use[source]
	for max(picture.Width, picture.Height) > side {
		picture = picture.Half(u == usageColor, u == usageNormal)
	}
	data, mime, err := encodeTexture(picture, u, quality)
	if err != nil {
		return 0, err
	}
	setImage(l.to, k, data, mime)
	return len(l.to.Textures) - 1, nil
}

// cut takes a part out of a picture, with some pixels around it, and tells in part
// what it took. A part that was cut from one texture fits all others of the same
// proportions nearly as well: those of other sizes take the nearest pixels.
func cut(p *texture.Image, part *crop) *texture.Image {
	edge := func(v float32, n, add int) int { return min(max(int(math.Round(float64(v)*float64(n)))+add, 0), n) }
	x0, x1 := edge(part.u, p.Width, -cropEdge), edge(part.u+part.w, p.Width, cropEdge)
	y0, y1 := edge(part.v, p.Height, -cropEdge), edge(part.v+part.h, p.Height, cropEdge)
	if x1 <= x0 {
		x0, x1 = max(0, x0-1), min(p.Width, x0+1)
	}
	if y1 <= y0 {
		y0, y1 = max(0, y0-1), min(p.Height, y0+1)
	}
	out := &texture.Image{Width: x1 - x0, Height: y1 - y0, Pix: make([]uint8, 0, 4*(x1-x0)*(y1-y0))}
	for y := y0; y < y1; y++ {
		out.Pix = append(out.Pix, p.Pix[4*(y*p.Width+x0):4*(y*p.Width+x1)]...)
	}
	if !part.done {
		part.done = true
		part.u, part.v = float32(x0)/float32(p.Width), float32(y0)/float32(p.Height)
		part.w, part.h = float32(x1-x0)/float32(p.Width), float32(y1-y0)/float32(p.Height)
	}
	return out
}

// remap makes texture coordinates those of the part.
func (l *looks) remap(p *gltf.Primitive, part *crop) {
	k, ok := p.Attributes["TEXCOORD_0"]
	if !ok {
		return
	}
	values, err := l.to.Floats(k)
	if err != nil {
		return
	}
	for i := 0; i+1 < len(values); i += 2 {
		values[i] = min(max((values[i]-part.turns[0]-part.u)/part.w, 0), 1)
		values[i+1] = min(max((values[i+1]-part.turns[1]-part.v)/part.h, 0), 1)
	}
	n := l.to.AddFloats(values, gltf.Format{Component: gltf.Float, Components: 2, Target: gltf.ArrayBuffer})
	p.Attributes["TEXCOORD_0"] = n
}
