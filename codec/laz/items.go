package laz

// Types of items in a laszip record.
const (
	ItemByte         = 0 // extra bytes of formats 0 to 5
	ItemPoint10      = 6 // the 20 bytes that formats 0 to 5 begin with
	ItemGPSTime11    = 7
	ItemRGB12        = 8
	ItemWavePacket13 = 9
	ItemPoint14      = 10 // the 30 bytes that formats 6 to 10 begin with
	ItemRGB14        = 11
	ItemRGBNIR14     = 12
	ItemWavePacket14 = 13
	ItemByte14       = 14 // extra bytes of formats 6 to 10
)

// Sizes of items in bytes.
const (
	sizePoint10 = 20
	sizeGPSTime = 8
	sizeRGB     = 6
	sizeRGBNIR  = 8
	sizeWave    = 29
	sizePoint14 = 30
)

// maxRecordLength is what the length field of a LAS header can hold.
const maxRecordLength = 0xFFFF

// An Item is a part of the point data record that is compressed by itself.
type Item struct {
	Type    uint16 // one of the Item constants
	Size    uint16 // in bytes
	Version uint16 // of the compression of this item
}

// itemsOf gives the items of a point data record format 0 to 10 in records of
// length bytes.
func itemsOf(format uint8, length int) ([]Item, error) {
	if format > 10 {
		return nil, unsupportedf("point data record format %d; formats 0 to 10 are known", format)
	}
	var items []Item
	if format < 6 {
		items = append(items, Item{ItemPoint10, sizePoint10, 2})
		if format == 1 || format >= 3 {
			items = append(items, Item{ItemGPSTime11, sizeGPSTime, 2})
		}
		if format == 2 || format == 3 || format == 5 {
			items = append(items, Item{ItemRGB12, sizeRGB, 2})
		}
		if format >= 4 {
			items = append(items, Item{ItemWavePacket13, sizeWave, 1})
		}
	} else {
		items = append(items, Item{ItemPoint14, sizePoint14, 3})
		switch format {
		case 7:
			items = append(items, Item{ItemRGB14, sizeRGB, 3})
		case 8, 10:
			items = append(items, Item{ItemRGBNIR14, sizeRGBNIR, 3})
		}
		if format >= 9 {
			items = append(items, Item{ItemWavePacket14, sizeWave, 3})
		}
	}
	extra := length - itemsLength(items)
	switch {
	case extra < 0 || length > maxRecordLength:
		return nil, unsupportedf("records of %d bytes; format %d needs %d to %d", length, format, length-extra, maxRecordLength)
	case extra > 0 && format < 6:
		items = append(items, Item{ItemByte, uint16(extra), 2})
	case extra > 0:
		items = append(items, Item{ItemByte14, uint16(extra), 3})
	}
	return items, nil
}

func itemsLength(items []Item) int {
	n := 0
	for _, it := range items {
		n += int(it.Size)
	}
	return n
}
