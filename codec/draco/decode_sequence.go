package draco

// decoderSequence is the order in which the values of attributes come, over a
// surface.
type decoderSequence struct {
	decoderSurface
	corner []int32 // of each value
	value  []int32 // of each vertex
}

// Ways to go over a surface.
const (
	depthFirst       = 0
	predictionDegree = 1
)

func newDecoderSequence(f decoderSurface, method uint8) *decoderSequence {
	s := &decoderSequence{decoderSurface: f, value: filled(f.vertices(), none)}
	s.corner = make([]int32, 0, f.vertices())
	visited := make([]bool, len(f.t.vertex)/3)
	if method == predictionDegree {
		s.byDegree(visited)
	} else {
		s.byDepth(visited)
	}
	return s
}

func (s *decoderSequence) visit(v, c int32) {
	if s.value[v] < 0 {
		s.value[v] = int32(len(s.corner))
		s.corner = append(s.corner, c)
	}
}

// byDepth goes over the faces as edgebreaker does (specification, "EdgeBreaker
// Traversal", EdgeBreakerTraverser_ProcessCorner).
func (s *decoderSequence) byDepth(visited []bool) {
	done := func(c int32) bool { return c < 0 || visited[c/3] }
	var stack []int32
	for f := range visited {
		if visited[f] {
			continue
		}
		first := int32(3 * f)
		s.visit(s.vertex(first+1), first+1)
		s.visit(s.vertex(first+2), first+2)
		stack = append(stack[:0], first)
		for len(stack) > 0 {
			c := stack[len(stack)-1]
			if done(c) {
				stack = stack[:len(stack)-1]
				continue
			}
			for {
				visited[c/3] = true
				v := s.vertex(c)
				if s.value[v] < 0 {
					s.visit(v, c)
					if !s.boundary(v) {
						c = s.opposite(nextCorner(c))
						continue
					}
				}
				right, left := s.opposite(nextCorner(c)), s.opposite(previousCorner(c))
				if done(right) {
					if done(left) {
						stack = stack[:len(stack)-1]
						break
					}
					c = left
				} else if done(left) {
					c = right
				} else {
					stack[len(stack)-1] = left
					stack = append(stack, right)
					break
				}
			}
		}
	}
}

// byDegree goes first to vertices that many known faces touch (specification,
// "EdgeBreaker Traversal Prediction Degree").
func (s *decoderSequence) byDegree(visited []bool) {
	const priorities = 3
	var stacks [priorities][]int32
	degree := make([]int32, len(s.value))
	best := 0
	priority := func(c int32) int {
		v := s.vertex(c)
		if s.value[v] >= 0 {
			return 0
		}
		if degree[v]++; degree[v] > 1 {
			return 1
		}
		return 2
	}
	push := func(c int32, p int) {
		stacks[p] = append(stacks[p], c)
		best = min(best, p)
	}
	pop := func() int32 {
		for i := best; i < priorities; i++ {
			if n := len(stacks[i]); n > 0 {
				c := stacks[i][n-1]
				stacks[i], best = stacks[i][:n-1], i
				return c
			}
		}
		return none
	}
	done := func(c int32) bool { return c < 0 || visited[c/3] }
	for f := range visited {
		first := int32(3 * f)
		if visited[f] {
			continue
		}
		stacks[0], best = append(stacks[0], first), 0
		s.visit(s.vertex(first+1), first+1)
		s.visit(s.vertex(first+2), first+2)
		s.visit(s.vertex(first), first)
		for c := pop(); c >= 0; c = pop() {
			if visited[c/3] {
				continue
			}
			for {
				visited[c/3] = true
				s.visit(s.vertex(c), c)
				right, left := s.opposite(nextCorner(c)), s.opposite(previousCorner(c))
				rightDone := done(right)
				if !done(left) {
					p := priority(left)
					if rightDone && p <= best {
						c = left
						continue
					}
					push(left, p)
				}
				if !rightDone {
					p := priority(right)
					if p <= best {
						c = right
						continue
					}
					push(right, p)
				}
				break
			}
		}
	}
}
