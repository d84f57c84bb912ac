package looks

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"slices"
)

// fewColours is a PNG with 256 colours at most, the others being the nearest of these: a page is flat but for the edges of
// its letters, and its picture a third of the size.
func fewColours(picture []byte) ([]byte, error) {
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, fmt.Errorf("the picture is no PNG: %w", err)
	}
	size := full.Bounds()
	often := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(full.At(x, y)).(color.RGBA) }
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			often[at(x, y)]++
		}
	}
	few := image.NewPaletted(size, palette(often))
	index := map[color.RGBA]uint8{}
	for c := range often {
		index[c] = uint8(few.Palette.Index(c))
	}
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			few.SetColorIndex(x, y, index[at(x, y)])
		}
	}
	var small bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, few)
	return small.Bytes(), err
}

// palette is one colour of each kind, so that a small word in amber stays amber, and those that there is most of.
func palette(often map[color.RGBA]int) (list color.Palette) {
	const most, bits = 256, 4 // a kind: so many bits of red, green and blue
	colours := slices.SortedFunc(maps.Keys(often), func(a, b color.RGBA) int {
		return cmp.Or(often[b]-often[a], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B)) // the same picture, the same colours
	})
	met := map[[3]uint8]bool{}
	var others color.Palette
	for _, c := range colours {
		kind := [3]uint8{c.R >> (8 - bits), c.G >> (8 - bits), c.B >> (8 - bits)}
		if met[kind] {
			others = append(others, c)
		} else {
			list = append(list, c)
		}
		met[kind] = true
	}
	list = append(list[:min(len(list), most/2)], others...)
	return list[:min(len(list), most)]
}

// alike says whether nobody could tell two pictures apart: the edges of letters and buttons are not drawn quite the same
// each time.
func alike(a, b []byte) bool {
	const shade, share = 16, 100 // by so much of 255 at most, in one of so many pixels
	one, err := png.Decode(bytes.NewReader(a))
	if err != nil {
		return false
	}
	other, err := png.Decode(bytes.NewReader(b))
	if err != nil || one.Bounds() != other.Bounds() {
		return false
	}
	size, differ := one.Bounds(), 0
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			p, q := color.RGBAModel.Convert(one.At(x, y)).(color.RGBA), color.RGBAModel.Convert(other.At(x, y)).(color.RGBA)
			if p != q {
				differ++
			}
			if apart(p.R, q.R) > shade || apart(p.G, q.G) > shade || apart(p.B, q.B) > shade {
				return false
			}
		}
	}
	return differ*share < size.Dx()*size.Dy()
}

func apart(a, b uint8) uint8 { return max(a, b) - min(a, b) }
