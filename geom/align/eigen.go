package align

import "math"

// Eigen returns the eigenvalues of a symmetric 3 × 3 matrix, largest first, and its
// eigenvectors as columns, by Jacobi's rotations.
func Eigen(m [9]float64) (values [3]float64, vectors [9]float64) {
	vectors = [9]float64{1, 0, 0, 0, 1, 0, 0, 0, 1}
	for range 60 {
		off := m[1]*m[1] + m[2]*m[2] + m[5]*m[5]
		if off <= 1e-30*(m[0]*m[0]+m[4]*m[4]+m[8]*m[8]) {
			break
		}
		for _, pq := range [3][2]int{{0, 1}, {0, 2}, {1, 2}} {
			p, q := pq[0], pq[1]
			if m[3*p+q] == 0 {
				continue
			}
			theta := (m[4*q] - m[4*p]) / (2 * m[3*p+q])
			t := 1 / (math.Abs(theta) + math.Sqrt(theta*theta+1))
			if theta < 0 {
				t = -t
			}
			c := 1 / math.Sqrt(t*t+1)
			s := t * c
			var g [9]float64 // the rotation
			for i := range 3 {
				g[4*i] = 1
			}
			g[4*p], g[4*q], g[3*p+q], g[3*q+p] = c, c, s, -s
			m = multiply(transpose(g), multiply(m, g))
			vectors = multiply(vectors, g)
		}
	}
	values = [3]float64{m[0], m[4], m[8]}
	for i := range 2 { // the largest first
		for j := i + 1; j < 3; j++ {
			if values[j] > values[i] {
				values[i], values[j] = values[j], values[i]
				for r := range 3 {
					vectors[3*r+i], vectors[3*r+j] = vectors[3*r+j], vectors[3*r+i]
				}
			}
		}
	}
	return values, vectors
}

// svd returns m = u·diag(d)·vᵀ with d ≥ 0, largest first. The columns of u that belong
// to vanishing d are filled up to a rotation or a reflection.
func svd(m [9]float64) (u [9]float64, d [3]float64, v [9]float64) {
	squares, v := Eigen(multiply(transpose(m), m))
	var cols [3][3]float64
	for i := range 3 {
		x := [3]float64{v[i], v[3+i], v[6+i]}
		y := [3]float64{
			m[0]*x[0] + m[1]*x[1] + m[2]*x[2],
			m[3]*x[0] + m[4]*x[1] + m[5]*x[2],
			m[6]*x[0] + m[7]*x[1] + m[8]*x[2],
		}
		d[i] = math.Sqrt(max(0, squares[i]))
		if n := math.Sqrt(dot(y, y)); i == 0 || n > 1e-9*d[0] {
			// Against what rounding leaves of the columns before.
			for j := range i {
				k := dot(y, cols[j])
				for c := range 3 {
					y[c] -= k * cols[j][c]
				}
			}
			d[i] = math.Sqrt(dot(y, y))
			cols[i] = unit(y)
			continue
		}
		d[i] = 0
		if i == 1 {
			cols[1] = anyAcross(cols[0])
		} else {
			cols[2] = cross(cols[0], cols[1])
		}
	}
	for i := range 3 {
		for r := range 3 {
			u[3*r+i] = cols[i][r]
		}
	}
	return u, d, v
}

func anyAcross(a [3]float64) [3]float64 {
	b := cross(a, [3]float64{1, 0, 0})
	if dot(b, b) < 1e-6 {
		b = cross(a, [3]float64{0, 1, 0})
	}
	return unit(b)
}

func transpose(m [9]float64) [9]float64 {
	return [9]float64{m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]}
}

func determinant(m [9]float64) float64 {
	return m[0]*(m[4]*m[8]-m[5]*m[7]) - m[1]*(m[3]*m[8]-m[5]*m[6]) + m[2]*(m[3]*m[7]-m[4]*m[6])
}
