// Package las reads and writes LAS point clouds, versions 1.0 to 1.4 and point
// data record formats 0 to 10, uncompressed and compressed (LAZ).
//
// It follows the "LAS Specification 1.4 - R15" of the ASPRS (sections 2.4 public
// header block, 2.5 variable length records, 2.6 point data records, 2.7 extended
// variable length records, table 24 for extra bytes), its predecessors 1.0 to 1.3
// where they differ, and the container part of the LASzip format: the "laszip
// encoded" record and the table of chunks. Compression of the chunks themselves
// is package codec/laz.
//
// Points are handled as raw records: the bytes of the point data record exactly
// as the specification lays them out, little-endian, PointRecordLength bytes
// each. A Layout gives the fields of such a record.
//
// A Reader takes files as they are found: counts that streaming writers left at
// zero, offsets that do not fit, missing chunk tables and truncated files are
// repaired as far as the bytes allow, and each repair is told in Warnings. What
// cannot be repaired is a *FormatError. Memory is bounded by the size of the file
// and by Limits, never by what a header claims.
package las
