package las

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Header sizes of variable length records and extended ones.
const (
	vlrHeaderSize  = 54
	evlrHeaderSize = 60
)

// Record IDs of UserSpec and the user IDs that this package acts on.
const (
	UserSpec   = "LASF_Spec"      // user ID of the ASPRS's own records
	UserLASzip = "laszip encoded" // user ID of the record that describes LAZ

	RecordExtraBytes = 4     // LASF_Spec: descriptors of extra bytes
	RecordWaveform   = 65535 // LASF_Spec: waveform data packets
	RecordLASzip     = 22204 // laszip encoded: the compressor's description
)

// VLR is a variable length record; Extended ones stand behind the points and may
// be longer than 65,535 bytes. Records that come from a Reader are written back
// byte for byte, also where their text fields have bytes behind the NUL.
type VLR struct {
	Reserved    uint16 // 0, in LAS 1.0 0xAABB
	UserID      string // at most 16 bytes
	RecordID    uint16
	Description string // at most 32 bytes
	Data        []byte
	Extended    bool

	raw string // the 48 bytes of both text fields as read
}

// Is says whether the record has this user and record ID.
func (v VLR) Is(userID string, recordID uint16) bool {
	return v.RecordID == recordID && v.UserID == userID
}

// check says why a record cannot be written.
func (v *VLR) check() error {
	if len(v.UserID) > 16 || len(v.Description) > 32 {
		return fmt.Errorf("las: record %q/%d: user ID is %d bytes of at most 16, description %d of at most 32; shorten them",
			v.UserID, v.RecordID, len(v.UserID), len(v.Description))
	}
	if !v.Extended && len(v.Data) > math.MaxUint16 {
		return fmt.Errorf("las: record %q/%d has %d bytes, a record in front of the points holds 65535; make it Extended",
			v.UserID, v.RecordID, len(v.Data))
	}
	return nil
}

// appendHeader appends the header of a record with size bytes of data.
func (v *VLR) appendHeader(dst []byte, size uint64) []byte {
	le := binary.LittleEndian
	var text [48]byte
	copy(text[:16], v.UserID)
	copy(text[16:], v.Description)
	if len(v.raw) == 48 {
		raw := []byte(v.raw)
		if cString(raw[:16]) == v.UserID {
			copy(text[:16], raw)
		}
		if cString(raw[16:]) == v.Description {
			copy(text[16:], raw[16:])
		}
	}
	dst = le.AppendUint16(dst, v.Reserved)
	dst = append(dst, text[:16]...)
	dst = le.AppendUint16(dst, v.RecordID)
	if v.Extended {
		dst = le.AppendUint64(dst, size)
	} else {
		dst = le.AppendUint16(dst, uint16(size))
	}
	return append(dst, text[16:]...)
}

// parseVLRHeader reads the header of a record and gives the length of its data.
// b holds at least the header.
func parseVLRHeader(b []byte, extended bool) (VLR, uint64) {
	le := binary.LittleEndian
	v := VLR{Extended: extended, Reserved: le.Uint16(b), RecordID: le.Uint16(b[18:])}
	var size uint64
	at := 22
	if extended {
		size = le.Uint64(b[20:])
		at = 28
	} else {
		size = uint64(le.Uint16(b[20:]))
	}
	user, description := b[2:18], b[at:at+32]
	v.UserID, v.Description = cString(user), cString(description)
	v.raw = string(user) + string(description)
	return v, size
}
