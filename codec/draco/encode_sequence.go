package draco

// Orders of traversal (specification, att_dec_traversal_method).
const (
	encDepthFirst       = 0
	encPredictionDegree = 1
)

// encWalk is the memory of traversals.
type encWalk struct {
	triangles []bool
	values    []int32
	degrees   []uint8
	stack     []int32
	stacks    [3][]int32
}

// begin readies the memory for a sequence.
func (w *encWalk) begin(q *encSequence) {
	w.triangles = encResize(w.triangles, len(q.opposite)/3)
	clear(w.triangles)
	w.values = encResize(w.values, len(q.boundary))
	encFill(w.values, encNone)
	q.corners = encResize(q.corners, len(q.boundary))[:0]
}

// end numbers the vertices of corners by value.
func (w *encWalk) end(q *encSequence) {
	for i, v := range q.vertex {
		q.vertex[i] = w.values[v]
	}
}

// visit gives a vertex the next value, if it has none.
func (w *encWalk) visit(q *encSequence, corner int32) bool {
	v := q.vertex[corner]
	if w.values[v] != encNone {
		return false
	}
	w.values[v] = int32(len(q.corners))
	q.corners = append(q.corners, corner)
	return true
}

// depthFirst orders the values of a sequence (specification,
// "EdgeBreakerTraverser_ProcessCorner").
func (w *encWalk) depthFirst(q *encSequence) {
	w.begin(q)
	for f := range w.triangles {
		if w.triangles[f] {
			continue
		}
		c := int32(3 * f)
		w.visit(q, c+1)
		w.visit(q, c+2)
		w.stack = append(w.stack[:0], c)
		for len(w.stack) > 0 {
			c = w.stack[len(w.stack)-1]
			if w.triangles[c/3] {
				w.stack = w.stack[:len(w.stack)-1]
				continue
			}
			w.strip(q, c)
		}
	}
	w.end(q)
}

// strip follows triangles until it must turn back or split.
func (w *encWalk) strip(q *encSequence, c int32) {
	for {
		w.triangles[c/3] = true
		right, left := q.opposite[encNext(c)], q.opposite[encPrevious(c)]
		if w.visit(q, c) && !q.boundary[q.vertex[c]] {
			c = right
			continue
		}
		rightDone := right == encNone || w.triangles[right/3]
		leftDone := left == encNone || w.triangles[left/3]
		switch {
		case rightDone && leftDone:
			w.stack = w.stack[:len(w.stack)-1]
			return
		case rightDone:
			c = left
		case leftDone:
			c = right
		default:
			w.stack[len(w.stack)-1] = left
			w.stack = append(w.stack, right)
			return
		}
	}
}

// predictionDegree orders the values of a sequence so that most are found next to
// several triangles that are known (specification, "EdgeBreaker Traversal
// Prediction Degree").
func (w *encWalk) predictionDegree(q *encSequence) {
	w.begin(q)
	w.degrees = encResize(w.degrees, len(q.boundary))
	clear(w.degrees)
	for f := range w.triangles {
		if w.triangles[f] {
			continue
		}
		c := int32(3 * f)
		w.visit(q, c+1)
		w.visit(q, c+2)
		w.visit(q, c)
		w.stacks[0] = append(w.stacks[0][:0], c)
		best := 0
		for {
			for best < len(w.stacks) && len(w.stacks[best]) == 0 {
				best++
			}
			if best == len(w.stacks) {
				break
			}
			s := w.stacks[best]
			c = s[len(s)-1]
			w.stacks[best] = s[:len(s)-1]
			if !w.triangles[c/3] {
				best = w.chain(q, c, best)
			}
		}
	}
	w.end(q)
}

// chain follows triangles as long as none of the waiting ones is better.
func (w *encWalk) chain(q *encSequence, c int32, best int) int {
	for {
		w.triangles[c/3] = true
		w.visit(q, c)
		right, left := q.opposite[encNext(c)], q.opposite[encPrevious(c)]
		rightDone := right == encNone || w.triangles[right/3]
		if left != encNone && !w.triangles[left/3] {
			p := w.priority(q, left)
			if rightDone && p <= best {
				c = left
				continue
			}
			w.stacks[p] = append(w.stacks[p], left)
			best = min(best, p)
		}
		if !rightDone {
			p := w.priority(q, right)
			if p <= best {
				c = right
				continue
			}
			w.stacks[p] = append(w.stacks[p], right)
		}
		return best
	}
}

// priority of a triangle by what its tip is predicted from; 0 comes first.
func (w *encWalk) priority(q *encSequence, c int32) int {
	v := q.vertex[c]
	if w.values[v] != encNone {
		return 0
	}
	if w.degrees[v] < 2 {
		w.degrees[v]++
	}
	if w.degrees[v] > 1 {
		return 1
	}
	return 2
}
