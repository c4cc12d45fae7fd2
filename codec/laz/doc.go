// Package laz implements LASzip, the lossless compression of LAS point data
// records, at the level of chunks: the entropy coder, the models of every item of
// point data record formats 0 to 10, the description of the compression that a
// file carries (the "laszip encoded" variable length record 22204), and the table
// of its chunks. It knows nothing of files; package codec/las does.
//
// Records are the bytes of the LAS specification 1.4 R15, table 7 and following,
// little-endian and without padding. A chunk is a run of records (50,000 by
// custom) that is compressed by itself. There are two schemes:
//
//   - point-wise (formats 0 to 5): the first record raw, then every item of every
//     point through one arithmetic coder. Item versions 1 (read) and 2.
//   - layered (formats 6 to 10): the first record raw, the number of points, the
//     sizes of all layers, then the layers, each an arithmetic coder of its own;
//     what does not change within the chunk is a layer of no bytes. Item versions
//     3 and 4, which differ in which point predicts the next one when the scanner
//     channel changes.
//
// The format is defined by its implementation (github.com/LASzip/LASzip, versions
// 2 to 3.4) and described in M. Isenburg, "LASzip: lossless compression of LiDAR
// data", Photogrammetric Engineering & Remote Sensing 79(2), 2013, and in the
// "LAZ specification" 1.4 of rapidlasso. The arithmetic coder is that of A. Said,
// "Introduction to arithmetic coding", HP Labs report HPL-2004-76.
//
// Decoding takes hostile input: it never panics, needs no memory beyond the
// decoder's own tables and the caller's buffer, and ends after the number of
// points that it was asked for.
package laz
