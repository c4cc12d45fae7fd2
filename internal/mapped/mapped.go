// Package mapped gives the content of a file as memory that the system pages in
// and out: stages read products far larger than their share of memory, without a
// copy, and share them.
package mapped

import (
	"fmt"
	"os"
	"unsafe"
)

// File is a file mapped for reading. The slices that it gives are valid until
// Close and must not be written to.
type File struct {
	data []byte
}

// Open maps a regular file. It must not shrink while it is mapped.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("map file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("map file: %w", err)
	}
	if info.Size() == 0 {
		return &File{}, nil
	}
	if int64(int(info.Size())) != info.Size() {
		return nil, fmt.Errorf("map %s: %d bytes do not fit the address space", path, info.Size())
	}
	data, err := mapFile(f, int(info.Size()))
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return &File{data: data}, nil
}

// Bytes gives the content.
func (f *File) Bytes() []byte { return f.data }

// Close unmaps the file.
func (f *File) Close() error {
	data := f.data
	f.data = nil
	if data == nil {
		return nil
	}
	return unmap(data)
}

// Number is a type whose values can be stored as they lie in memory. All systems
// that we build for are little-endian.
type Number interface {
	~int32 | ~uint32 | ~uint8 | ~uint64 | ~float32 | ~float64
}

// Values gives bytes that start at an aligned address, as those of a File do, as
// numbers; a part of a number at the end is left out.
func Values[T Number](b []byte) []T {
	var zero T
	n := len(b) / int(unsafe.Sizeof(zero))
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// Bytes gives numbers as bytes.
func Bytes[T Number](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(v[0])))
}

// Write writes numbers to a new file, in parts, so that a full disk is an error
// rather than the signal that writing to mapped memory would give.
func Write[T Number](path string, v []T) error {
	if err := os.WriteFile(path, Bytes(v), 0o666); err != nil {
		return fmt.Errorf("write product: %w", err)
	}
	return nil
}
