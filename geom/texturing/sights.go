package texturing

import "unsafe"

// sight is how a view shows a triangle.
type sight struct {
	// detail is the sum of gradients over the pixels, with a share for the area.
	detail  float32
	view    uint16
	color   [3]uint8 // mean
	trust   trust
	residue uint8 // how far the colour is from that in the other views
}

// trust is how well a triangle is to be seen.
type trust uint8

const (
	whole   trust = iota // all of it, with nothing in front nearby
	edge                 // at an edge of something in front
	partly               // partly hidden, or seen very slantingly
	another              // the photo shows something else there
)

// factor is what detail is worth where more views than can be kept compete.
func (t trust) factor() float32 { return [...]float32{1, 0.3, 0.02, 0.004}[t] }

// penalty is added to the cost of a view. No seam saved is worth the last one, which is
// for triangles that have no better.
func (t trust) penalty() float64 { return [...]float64{0, 0.4, 3, 25}[t] }

const (
	// maxSights is how many views are kept for a triangle: of more, those with most
	// detail.
	maxSights  = 12
	sightBytes = int64(unsafe.Sizeof(sight{}))
)

// sights are those of all triangles, most of each.
type sights struct {
	most  int
	list  []sight
	count []uint8
}

func newSights(triangles, views int) sights {
	s := sights{most: min(views, maxSights), count: make([]uint8, triangles)}
	s.list = make([]sight, triangles*s.most)
	return s
}

// of returns those of a triangle.
func (s *sights) of(f int) []sight { return s.list[f*s.most:][:s.count[f]] }

// find returns the one of a view, or nil.
func (s *sights) find(f int, view uint16) *sight {
	list := s.of(f)
	for i := range list {
		if list[i].view == view {
			return &list[i]
		}
	}
	return nil
}

// add keeps a sight, in place of the worst where there are too many.
func (s *sights) add(f int, n sight) {
	if k := int(s.count[f]); k < s.most {
		s.list[f*s.most+k] = n
		s.count[f]++
		return
	}
	list := s.of(f)
	worst := 0
	for i := range list {
		if list[i].worth() < list[worst].worth() {
			worst = i
		}
	}
	if n.worth() > list[worst].worth() {
		list[worst] = n
	}
}

func (s *sight) worth() float32 { return s.detail * s.trust.factor() }
