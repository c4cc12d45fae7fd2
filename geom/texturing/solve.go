package texturing

import "math"

// conjugate solves A·x = b for several columns at once by conjugate gradients with the
// diagonal as preconditioner (M. Hestenes, E. Stiefel, 1952); A is symmetric and
// positive definite. x starts as given and has columns numbers a row. It stops at the
// tolerance, a share of b's length, or after so many steps.
func (t *team) conjugate(columns int, times func(out, x []float32) error, diagonal, b, x []float32, tolerance float64, steps int) error {
	n := len(x)
	r, z, p, q := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	if err := times(r, x); err != nil {
		return err
	}
	for i := range r {
		r[i] = b[i] - r[i]
	}
	precondition := func() {
		for i := range diagonal {
			for k := columns * i; k < columns*(i+1); k++ {
				z[k] = r[k] / diagonal[i]
			}
		}
	}
	precondition()
	copy(p, z)
	rz, size := product(columns, r, z), product(columns, b, b)
	done := func(now []float64) bool {
		for k := range now {
			if now[k] > tolerance*tolerance*size[k] && now[k] > 1e-20 {
				return false
			}
		}
		return true
	}
	for range steps {
		if done(product(columns, r, r)) {
			return nil
		}
		if err := times(q, p); err != nil {
			return err
		}
		alpha := ratio(rz, product(columns, p, q))
		for i := range n {
			a := alpha[i%columns]
			x[i] += float32(a * float64(p[i]))
			r[i] -= float32(a * float64(q[i]))
		}
		precondition()
		next := product(columns, r, z)
		beta := ratio(next, rz)
		rz = next
		for i := range n {
			p[i] = z[i] + float32(beta[i%columns])*p[i]
		}
	}
	return nil
}

// product is the inner product of each column.
func product(columns int, a, b []float32) []float64 {
	sum := make([]float64, columns)
	for i := 0; i < len(a); i += columns {
		for k := range columns {
			sum[k] += float64(a[i+k]) * float64(b[i+k])
		}
	}
	return sum
}

func ratio(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for k := range a {
		if b[k] != 0 && !math.IsNaN(b[k]) {
			out[k] = a[k] / b[k]
		}
	}
	return out
}
