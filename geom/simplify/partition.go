package simplify

import (
	"math"
	"slices"
	"sync"
)

// bins is how finely a cut is placed between the ends of an axis.
const bins = 1024

// cutter parts triangles in space by planes across the longest axis, until parts are
// small enough. The order within parts is that of the surface.
type cutter struct {
	positions []float32
	vertex    []uint32 // of the source, of each of the surface; nil is the same
	indices   []uint32
	most      int
	share     float64 // where a cut lies: rounds cut at other places
	list, tmp []uint32
}

// cut returns the triangles of each cell. The result does not depend on workers.
func (k *cutter) cut(workers int) [][]uint32 {
	n := len(k.indices) / 3
	k.list, k.tmp = make([]uint32, n), make([]uint32, n)
	for i := range k.list {
		k.list[i] = uint32(i)
	}
	limit := make(chan struct{}, max(0, workers-1))
	return k.split(k.list, k.tmp, limit)
}

func (k *cutter) at(triangle uint32, axis int) float32 {
	v := k.indices[3*triangle]
	if k.vertex != nil {
		v = k.vertex[v]
	}
	return k.positions[3*int(v)+axis]
}

func (k *cutter) split(list, tmp []uint32, limit chan struct{}) [][]uint32 {
	if len(list) <= k.most {
		return [][]uint32{list}
	}
	half := k.halve(list, tmp)
	var a, b [][]uint32
	var wait sync.WaitGroup
	select {
	case limit <- struct{}{}:
		wait.Go(func() {
			a = k.split(list[:half], tmp[:half], limit)
			<-limit
		})
	default:
		a = k.split(list[:half], tmp[:half], limit)
	}
	b = k.split(list[half:], tmp[half:], limit)
	wait.Wait()
	return append(a, b...)
}

// halve puts the triangles before a plane first, and returns how many they are.
func (k *cutter) halve(list, tmp []uint32) int {
	lo, hi := [3]float32{math.MaxFloat32, math.MaxFloat32, math.MaxFloat32}, [3]float32{-math.MaxFloat32, -math.MaxFloat32, -math.MaxFloat32}
	for _, t := range list {
		for a := range 3 {
			v := k.at(t, a)
			lo[a], hi[a] = min(lo[a], v), max(hi[a], v)
		}
	}
	axis := 0
	for a := 1; a < 3; a++ {
		if hi[a]-lo[a] > hi[axis]-lo[axis] {
			axis = a
		}
	}
	scale := bins / (float64(hi[axis]) - float64(lo[axis]))
	bin := func(t uint32) int {
		return min(max(int((float64(k.at(t, axis))-float64(lo[axis]))*scale), 0), bins-1)
	}
	var counts [bins]int
	for _, t := range list {
		counts[bin(t)]++
	}
	plane, half := 0, 0
	for want := int(float64(len(list)) * k.share); plane < bins && (half == 0 || half+counts[plane]/2 < want); plane++ {
		half += counts[plane]
	}
	if half == len(list) { // all in one place
		return len(list) / 2
	}
	a, b := 0, half
	for _, t := range list {
		if bin(t) < plane {
			tmp[a] = t
			a++
		} else {
			tmp[b] = t
			b++
		}
	}
	copy(list, tmp)
	return half
}

// shares finds the places that triangles of several cells have.
func shares(s *surface, cells [][]uint32) []bool {
	const none, many = math.MaxUint32, math.MaxUint32 - 1
	of := slices.Repeat([]uint32{none}, len(s.place))
	out := make([]bool, len(s.place))
	for i, list := range cells {
		for _, t := range list {
			for _, v := range s.indices[3*t : 3*t+3] {
				switch p := s.place[v]; of[p] {
				case none:
					of[p] = uint32(i)
				case uint32(i), many:
				default:
					of[p], out[p] = many, true
				}
			}
		}
	}
	return out
}
