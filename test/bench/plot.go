package main

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"strconv"
)

// The plot's measures, in pixels.
const (
	plotWidth  = 900
	plotLeft   = 40 // of the bars
	plotRow    = 14
	plotMargin = 24
	glyphScale = 2
)

// The scale of the plot: shares of a bar, as powers of ten.
const (
	plotFrom = -4
	plotTo   = 2
)

var (
	plotHolds = color.RGBA{0x2e, 0x8b, 0x57, 0xff}
	plotShort = color.RGBA{0xc0, 0x39, 0x2b, 0xff}
	plotGrid  = color.RGBA{0xdd, 0xdd, 0xdd, 0xff}
	plotInk   = color.RGBA{0x22, 0x22, 0x22, 0xff}
)

// writePlot draws what each figure takes of its bar; figures are numbered as in
// the table.
func writePlot(file string, figures []figure) error {
	height := 2*plotMargin + plotRow*len(figures)
	img := image.NewRGBA(image.Rect(0, 0, plotWidth, height))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	for power := plotFrom; power <= plotTo; power++ {
		x := plotX(math.Pow10(power))
		ink := plotGrid
		if power == 0 {
			ink = plotInk // the bar itself
		}
		fill(img, image.Rect(x, plotMargin, x+1, height-plotMargin), ink)
		write(img, x-8, 8, strconv.FormatFloat(math.Pow10(power), 'f', -1, 64))
	}
	for k, f := range figures {
		y := plotMargin + k*plotRow
		write(img, 8, y+2, strconv.Itoa(k+1))
		if f.share <= 0 {
			continue
		}
		ink := plotHolds
		if f.verdict == fallsShort {
			ink = plotShort
		}
		fill(img, image.Rect(plotX(0), y+2, max(plotX(f.share), plotX(0)+2), y+plotRow-2), ink)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// plotX is where a share is, within the plot.
func plotX(share float64) int {
	power := min(max(math.Log10(share), plotFrom), plotTo)
	return plotLeft + int((power-plotFrom)/(plotTo-plotFrom)*(plotWidth-plotLeft-plotMargin))
}

func fill(img *image.RGBA, r image.Rectangle, c color.Color) {
	draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// glyphs are the figures, three pixels wide and five high, a row in three bits.
var glyphs = map[rune][5]byte{
	'0': {7, 5, 5, 5, 7}, '1': {2, 6, 2, 2, 7}, '2': {7, 1, 7, 4, 7}, '3': {7, 1, 7, 1, 7}, '4': {5, 5, 7, 1, 1},
	'5': {7, 4, 7, 1, 7}, '6': {7, 4, 7, 5, 7}, '7': {7, 1, 2, 2, 2}, '8': {7, 5, 7, 5, 7}, '9': {7, 5, 7, 1, 7},
	'.': {0, 0, 0, 0, 2},
}

// write writes a number.
func write(img *image.RGBA, x, y int, text string) {
	for _, c := range text {
		for row, bits := range glyphs[c] {
			for col := range 3 {
				if bits>>(2-col)&1 == 1 {
					at := image.Pt(x+col*glyphScale, y+row*glyphScale)
					fill(img, image.Rectangle{at, at.Add(image.Pt(glyphScale, glyphScale))}, plotInk)
				}
			}
		}
		x += 4 * glyphScale
	}
}
