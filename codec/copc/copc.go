// Package copc writes Cloud Optimized Point Clouds: LAZ 1.4 files whose chunks are
// the nodes of an octree, with a directory of the nodes, so that a viewer fetches
// what it needs with range requests.
//
// It follows "COPC – Cloud Optimized Point Cloud", version 1.0 (sections "Info
// VLR", "Hierarchy VLR"), on top of the LAS container of codec/las. Points come as
// chunks that codec/laz compressed; this package neither compresses nor looks into
// them.
package copc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"slate360.ai/worker/codec/las"
	"slate360.ai/worker/codec/laz"
)

// User ID and record IDs of COPC's own records.
const (
	UserID          = "copc"
	RecordInfo      = 1
	RecordHierarchy = 1000
)

const (
	infoSize       = 160
	entrySize      = 32
	evlrHeaderSize = 60
)

// Key names a node: its level, and its place among the 2^Level nodes a side.
type Key struct {
	Level, X, Y, Z int32
}

func (k Key) parent() Key { return Key{k.Level - 1, k.X >> 1, k.Y >> 1, k.Z >> 1} }

// Info is what a reader needs to know of the octree.
type Info struct {
	// Center and HalfSize give the cube of the root node in the units of the CRS.
	Center   [3]float64
	HalfSize float64
	// Spacing is the distance of points in the root node; each level halves it.
	Spacing float64
	// GPSTimeMin and GPSTimeMax bound the GPS time of all points.
	GPSTimeMin, GPSTimeMax float64
}

// Entry is a node's line in the hierarchy. PointCount 0 is a node without points
// of its own, -1 the reference to a page of the hierarchy.
type Entry struct {
	Key        Key
	Offset     uint64
	ByteSize   int32
	PointCount int32
}

// Writer writes one file. It is not for concurrent use.
type Writer struct {
	w       io.WriteSeeker
	header  las.Header
	vlrs    []las.VLR // in front of the points, the info record first
	evlrs   []las.VLR
	info    Info
	at      int64
	start   int64 // of the first chunk
	entries []Entry
	nodes   map[Key]int
	chunks  []laz.ChunkEntry
	stats   las.Stats
	closed  bool
}

// NewWriter starts a file at the beginning of w. h gives format (6, 7 or 8),
// record length, scale, offset and the texts; counts and bounds come from the
// nodes. vlrs are records to keep, among them the CRS as WKT; those of COPC and
// LASzip are replaced.
func NewWriter(w io.WriteSeeker, h las.Header, vlrs []las.VLR, info Info) (*Writer, error) {
	if h.PointFormat < 6 || h.PointFormat > 8 {
		return nil, fmt.Errorf("copc: point data record format %d is not allowed; convert the records to 6, 7 or 8", h.PointFormat)
	}
	h.VersionMajor, h.VersionMinor = 1, 4
	h.Compressed = true
	h.HeaderSize = 0
	h.WaveformOffset, h.EVLROffset, h.EVLRCount = 0, 0, 0
	c := &Writer{w: w, header: h, info: info, nodes: map[Key]int{}}
	// The specification wants the info record first, at byte 375.
	c.vlrs = []las.VLR{{UserID: UserID, RecordID: RecordInfo, Description: "COPC info VLR", Data: make([]byte, infoSize)}}
	laszip, err := las.LaszipVLR(h.PointFormat, int(h.PointRecordLength), las.VariableChunks)
	if err != nil {
		return nil, fmt.Errorf("copc: %w", err)
	}
	c.vlrs = append(c.vlrs, laszip)
	for _, v := range vlrs {
		switch {
		case v.UserID == UserID, v.Is(las.UserLASzip, las.RecordLASzip):
		case v.Extended:
			c.evlrs = append(c.evlrs, v)
		default:
			c.vlrs = append(c.vlrs, v)
		}
	}
	front, err := las.AppendHeader(nil, c.header, c.vlrs)
	if err != nil {
		return nil, fmt.Errorf("copc: %w", err)
	}
	// The offset of the chunk table, filled in at the end.
	front = binary.LittleEndian.AppendUint64(front, 0)
	if err := c.write(front); err != nil {
		return nil, err
	}
	c.start = c.at
	return c, nil
}

func (c *Writer) write(b []byte) error {
	n, err := c.w.Write(b)
	c.at += int64(n)
	if err != nil {
		return fmt.Errorf("copc: writing %d bytes at %d: %w", len(b), c.at, err)
	}
	return nil
}

// WriteNode appends a node with its compressed chunk; stats are of its points.
// Nodes come in any order, coarse ones first is best for readers: the first
// requests then lie close together.
func (c *Writer) WriteNode(k Key, chunk []byte, stats *las.Stats) error {
	switch {
	case c.closed:
		return las.ErrClosed
	case stats.Count == 0 || stats.Count > math.MaxInt32 || len(chunk) > math.MaxInt32:
		return fmt.Errorf("copc: node %v has %d points in %d bytes; 1 to %d fit", k, stats.Count, len(chunk), math.MaxInt32)
	}
	if err := c.add(Entry{Key: k, Offset: uint64(c.at), ByteSize: int32(len(chunk)), PointCount: int32(stats.Count)}); err != nil {
		return err
	}
	if err := c.write(chunk); err != nil {
		return err
	}
	c.chunks = append(c.chunks, laz.ChunkEntry{Points: uint32(stats.Count), Bytes: uint64(len(chunk))})
	c.stats.Merge(stats)
	return nil
}

func (c *Writer) add(e Entry) error {
	side := int64(1) << min(max(e.Key.Level, 0), 31)
	if e.Key.Level < 0 || e.Key.Level > 31 || min(e.Key.X, e.Key.Y, e.Key.Z) < 0 || int64(max(e.Key.X, e.Key.Y, e.Key.Z)) >= side {
		return fmt.Errorf("copc: there is no node %v", e.Key)
	}
	if _, twice := c.nodes[e.Key]; twice {
		return fmt.Errorf("copc: node %v comes twice", e.Key)
	}
	c.nodes[e.Key] = len(c.entries)
	c.entries = append(c.entries, e)
	return nil
}

// Close writes chunk table, hierarchy, and the header. It does not close the
// underlying file.
func (c *Writer) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	if len(c.entries) == 0 {
		return errors.New("copc: there are no points; a file needs at least one node")
	}
	table := c.at
	if err := c.write(laz.AppendChunkTable(nil, c.chunks, true)); err != nil {
		return err
	}
	h := c.header
	h.EVLROffset, h.EVLRCount = uint64(c.at), uint32(1+len(c.evlrs))
	pages, root, rootSize := c.hierarchy(uint64(c.at) + evlrHeaderSize)
	if err := c.writeEVLR(las.VLR{UserID: UserID, RecordID: RecordHierarchy, Description: "EPT Hierarchy", Data: pages}); err != nil {
		return err
	}
	for _, v := range c.evlrs {
		if err := c.writeEVLR(v); err != nil {
			return err
		}
	}
	h.PointCount, h.PointsByReturn = c.stats.Count, c.stats.ByReturn
	for i := range 3 {
		h.Min[i] = float64(c.stats.Min[i])*h.Scale[i] + h.Offset[i]
		h.Max[i] = float64(c.stats.Max[i])*h.Scale[i] + h.Offset[i]
	}
	c.vlrs[0].Data = c.info.append(c.vlrs[0].Data[:0], root, rootSize)
	front, err := las.AppendHeader(nil, h, c.vlrs)
	if err != nil {
		return fmt.Errorf("copc: %w", err)
	}
	front = binary.LittleEndian.AppendUint64(front, uint64(table))
	if int64(len(front)) != c.start {
		return fmt.Errorf("copc: header takes %d bytes, %d are kept free", len(front), c.start)
	}
	end := c.at
	if _, err := c.w.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("copc: writing header: %w", err)
	}
	if err := c.write(front); err != nil {
		return err
	}
	if _, err := c.w.Seek(end, io.SeekStart); err != nil {
		return fmt.Errorf("copc: %w", err)
	}
	return nil
}

// append writes the data of the info record (COPC 1.0, "Info VLR").
func (i *Info) append(dst []byte, root, rootSize uint64) []byte {
	for _, v := range []float64{i.Center[0], i.Center[1], i.Center[2], i.HalfSize, i.Spacing} {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	dst = binary.LittleEndian.AppendUint64(dst, root)
	dst = binary.LittleEndian.AppendUint64(dst, rootSize)
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(i.GPSTimeMin))
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(i.GPSTimeMax))
	return append(dst, make([]byte, infoSize-9*8)...)
}

// writeEVLR writes an extended record (LAS 1.4 R15, table 5).
func (c *Writer) writeEVLR(v las.VLR) error {
	b := make([]byte, evlrHeaderSize, evlrHeaderSize+len(v.Data))
	binary.LittleEndian.PutUint16(b, v.Reserved)
	copy(b[2:18], v.UserID)
	binary.LittleEndian.PutUint16(b[18:], v.RecordID)
	binary.LittleEndian.PutUint64(b[20:], uint64(len(v.Data)))
	copy(b[28:60], v.Description)
	return c.write(append(b, v.Data...))
}
