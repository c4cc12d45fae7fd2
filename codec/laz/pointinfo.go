package laz

// pointBlock is how many points go through one layer before the next layer takes
// its turn: few enough for their records to stay in the cache.
const pointBlock = 1024

// A pointInfo is what the first layer tells the other ones of a point.
type pointInfo uint32

const (
	infoChannel     = 3      // scanner channel
	infoItemShift   = 2      // context of RGB and the items behind, 2 bits
	infoTime        = 1 << 4 // GPS time, scan angle, point source differ from the
	infoAngle       = 1 << 5 // last point of the channel
	infoSource      = 1 << 6
	infoReturnShift = 7  // 1: last return, 2: first one, 3: both; 2 bits
	infoLevelShift  = 9  // return level, 3 bits
	infoZShift      = 12 // context of z, 5 bits
)

func (p pointInfo) channel() uint32     { return uint32(p & infoChannel) }
func (p pointInfo) itemContext() uint32 { return uint32(p>>infoItemShift) & 3 }
func (p pointInfo) time() uint32        { return uint32(p>>4) & 1 }
func (p pointInfo) returns() uint32     { return uint32(p>>infoReturnShift) & 3 }
func (p pointInfo) level() uint32       { return uint32(p>>infoLevelShift) & 7 }
func (p pointInfo) zContext() uint32    { return uint32(p>>infoZShift) & 31 }

// returnKind tells apart intermediate (0), last (1), first (2) and single (3)
// returns.
func returnKind(n, r uint32) uint32 {
	kind := uint32(0)
	if r == 1 {
		kind = 2
	}
	if r >= n {
		kind++
	}
	return kind
}
