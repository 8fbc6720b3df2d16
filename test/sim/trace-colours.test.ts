import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

type Rgb = readonly [red: number, green: number, blue: number]
type Matrix = readonly [Rgb, Rgb, Rgb]

/** Simulated colour vision without one type of cones: Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB. */
const SIGHTS: Readonly<Record<string, Matrix>> = {
  full: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
}
/** Minimum contrast for text, for which the colours are used, too: WCAG 2.2, 1.4.3. */
const CONTRAST_MIN = 4.5
/** Minimum distance in CIELAB; 2.3 is just noticeable. */
const DISTANCE_MIN = 15

const style = readFileSync(new URL('../../assets/trace/style.css', import.meta.url), 'utf8')
const [light = '', dark = ''] = style.split('@media (prefers-color-scheme: dark)')

for (const [scheme, css] of Object.entries({ light, dark })) {
  const colours = new Map(
    [...css.matchAll(/--([a-z0-9-]+): (#[0-9a-f]{6});/g)].map(([, name = '', hex = '']) => [name, linear(hex)]),
  )
  const named = (name: string) => colours.get(name) ?? assert.fail(`${scheme} has no ${name}`)

  test(`every colour that text is written in can be read in the ${scheme} scheme`, () => {
    const names = [...colours.keys()].filter((name) => /^(node-\d|text|quiet|good|bad|warn|accent)$/.test(name))
    assert.equal(names.length, 14)
    for (const name of names) {
      const contrast = contrastOf(named(name), named('background'))
      assert.ok(contrast >= CONTRAST_MIN, `${name} has a contrast of ${contrast.toFixed(2)}`)
    }
  })

  test(`five nodes are told apart by their colours in the ${scheme} scheme, with any type of colour vision`, () => {
    for (const [sight, matrix] of Object.entries(SIGHTS)) {
      const seen = [1, 2, 3, 4, 5].map((i) => lab(seenThrough(matrix, named(`node-${i}`))))
      for (const [i, a] of seen.entries()) {
        for (const [j, b] of seen.entries()) {
          if (i < j) assert.ok(distance(a, b) >= DISTANCE_MIN, `n${i + 1} and n${j + 1}: ${distance(a, b)} with ${sight}`)
        }
      }
    }
  })
}

function linear(hex: string): Rgb {
  const channel = (at: number): number => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }
  return [channel(1), channel(3), channel(5)]
}

function seenThrough([red, green, blue]: Matrix, colour: Rgb): Rgb {
  const dot = (row: Rgb) => Math.max(0, row[0] * colour[0] + row[1] * colour[1] + row[2] * colour[2])
  return [dot(red), dot(green), dot(blue)]
}

function luminance([red, green, blue]: Rgb): number {
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrastOf(a: Rgb, b: Rgb): number {
  const [darker = 0, lighter = 0] = [luminance(a), luminance(b)].toSorted((x, y) => x - y)
  return (lighter + 0.05) / (darker + 0.05)
}

function labRoot(value: number): number {
  return value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116
}

function lab(colour: Rgb): Rgb {
  const [red, green, blue] = colour
  const x = labRoot((0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047)
  const y = labRoot(luminance(colour))
  const z = labRoot((0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883)
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
}

function distance(a: Rgb, b: Rgb): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])
}
